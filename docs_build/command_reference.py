"""The page of all commands, from the command itself: ``python -m docs_build.command_reference`` writes it."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args

from typer.main import get_command

from worker.cli.command import app

PAGE = Path(__file__).parents[1] / "docs" / "commands.md"

_HEAD = """\
# Commands

Made from the help of the command by `python -m docs_build.command_reference`; `parley COMMAND --help` says the same.
How they belong together: [operations.md](operations.md).

"""


def page() -> str:
    """The whole page as Markdown."""
    command: Any = get_command(app)
    return _HEAD + f"{_text(command.help)}\n" + "".join(_commands(command, "parley"))


def _commands(group: Any, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield f"\n## {path} {name}\n\n{_text(command.help)}\n"
            yield from _commands(command, f"{path} {name}")
        else:
            level = "##" if path == "parley" else "###"
            yield f"\n{level} {path} {name}\n\n{_text(command.help)}\n{_parameters(command)}"


def _text(told: str) -> str:
    paragraphs = [" ".join(part.split()) for part in inspect.cleandoc(told).split("\n\n")]
    return "\n\n".join(_example(part) if part.startswith("Example: ") else _wrapped(part) for part in paragraphs)


def _example(part: str) -> str:
    return f"```sh\n{part.removeprefix('Example: ')}\n```"


def _wrapped(part: str) -> str:
    return textwrap.fill(part, 120, break_long_words=False, break_on_hyphens=False)


def _parameters(command: Any) -> str:
    rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]
    return "\n| argument or option | |\n| --- | --- |\n" + "".join(rows) if rows else ""


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = parameter.metavar or parameter.name.upper()
    else:
        name = " ".join([*parameter.opts, *([] if parameter.is_flag else [_value(parameter)])])
    default = parameter.default
    shown = parameter.param_type_name == "option" and not parameter.is_flag and isinstance(default, int | float | str)
    default_text = f" Default: `{getattr(default, 'value', default)}`." if shown and default != "" else ""
    return f"| `{name}` | {parameter.help or ''}{default_text} |\n"


def _value(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Enum):
            return ",".join(str(choice.value) for choice in kind)
    return str(parameter.name).upper()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
