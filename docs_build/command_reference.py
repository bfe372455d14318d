"""The reference of the command, as Typer writes it, made easier to read on a page."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

# What a reader of the page does not need: a second title, --help of every command, beginnings of what is said below.
_LEFT_OUT = re.compile(r"\A# .*\n|^\* `--help`: .*\n|^\*\*Commands\*\*:\n\n(?:\* .*\n)+", re.MULTILINE)
_NO_OPTION = re.compile(r"^\*\*Options\*\*:\n\n(?!\*)", re.MULTILINE)
_EXAMPLE = re.compile(r"^Example: (.*)$", re.MULTILINE)


def page() -> str:
    """All commands as Markdown: a headline for each, with its help, arguments and options."""
    typer = Path(sys.executable).with_name("typer")
    command = [str(typer), "worker.cli.command", "utils", "docs", "--name", "parley"]
    return readable(subprocess.run(command, check=True, capture_output=True, text=True).stdout)  # noqa: S603 - our own


def readable(written: str) -> str:
    """What Typer wrote, without what a page does not need, with the examples as code."""
    return _EXAMPLE.sub(_code, _NO_OPTION.sub("", _LEFT_OUT.sub("", written)))


def _code(example: re.Match[str]) -> str:
    return f"```sh\n{html.unescape(example[1])}\n```"
