"""How a command reads its words: a handle may begin with a minus, and an unknown option gets a hint that works."""

from __future__ import annotations

import shlex
from typing import Any

# Typer has its own copy of Click, and no public name for this one.
from typer._click.exceptions import NoSuchOption
from typer.core import TyperCommand


class Command(TyperCommand):
    """No option of ours is one minus and letters, so ``-john`` is a handle; ``--john`` is one behind ``--``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words into the parameters. Raises a usage error with a hint."""
        words = list(args)
        try:
            rest: list[str] = super().parse_args(ctx, self._handles_last(words))
        except NoSuchOption as fault:
            if any(each.name == "target" for each in self.params):
                handle = fault.option_name
                others = [word for word in words if word == handle or not word.startswith("--")]
                fault.message += f"; if it is a handle: {ctx.command_path} -- {shlex.join(others)}"
            raise
        return rest

    def _handles_last(self, words: list[str]) -> list[str]:
        takes_value = {name for each in self.params if not getattr(each, "is_flag", True) for name in each.opts}
        options: list[str] = []
        others: list[str] = []
        left = iter(words)
        for word in left:
            if word == "--":
                others += left
            elif word.startswith("--"):
                options.append(word)
                if word in takes_value and (value := next(left, None)) is not None:
                    options.append(value)
            else:
                others.append(word)
        return [*options, "--", *others] if others else options
