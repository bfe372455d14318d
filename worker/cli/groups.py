"""Groups of commands that load a command when it is asked for: each run pays for the one that it is.

The summaries are in the table and in the docstrings of the commands; a test keeps them alike.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any, NamedTuple, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from worker.cli.words import Command


class Entry(NamedTuple):
    """A command of a group: where its function is (``module:function`` in ``worker.cli``), the first sentence of its
    help, and its panel in the group's help."""

    place: str
    summary: str
    panel: str | None = None

    def load(self, name: str) -> TyperCommand:
        """The command itself."""
        module, _, function = self.place.partition(":")
        run: Callable[..., Any] = getattr(import_module(f"worker.cli.{module}"), function)
        alone = typer.Typer(add_completion=False)
        alone.command(name, cls=Command, rich_help_panel=self.panel)(run)
        return cast(TyperCommand, get_command(alone))

    def listed(self, name: str) -> TyperCommand:
        """What the help of the group needs to list it."""
        return TyperCommand(name, help=self.summary, rich_help_panel=self.panel)


class _Loading(dict[str, Any]):
    # Commands by name, in order; one that is not loaded yet is an entry, which is loaded when it is read.

    def __getitem__(self, name: str) -> Any:
        found = super().__getitem__(name)
        if isinstance(found, Entry):
            found = self[name] = found.load(name)
        return found

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 - that would be this method

    def values(self) -> Any:
        return [self[name] for name in self]

    def items(self) -> Any:
        return [(name, self[name]) for name in self]

    def listed(self) -> Iterator[tuple[str, Any]]:
        for name, found in super().items():
            yield name, found.listed(name) if isinstance(found, Entry) else found


class LazyGroup(TyperGroup):
    """A group whose commands are in ``entries``, in front of those that are added to it."""

    entries: Mapping[str, Entry] = {}

    def __init__(self, *, commands: Any = None, **attributes: Any) -> None:
        super().__init__(commands=_Loading({**self.entries, **(commands or {})}), **attributes)

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order of the help."""
        return list(self.commands)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help of the group, for which no command is loaded."""
        listing = copy.copy(self)
        listing.commands = dict(self.commands.listed()) if isinstance(self.commands, _Loading) else self.commands
        super(LazyGroup, listing).format_help(ctx, formatter)
