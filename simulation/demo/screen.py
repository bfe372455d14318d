"""What the terminal shows. On a pipe the same as plain lines: no colour codes, nothing that is overwritten."""

from __future__ import annotations

import sys
import textwrap
import time
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from simulation.demo.lines import CROWD, Line
from simulation.demo.processes import Process
from worker.store.views.books import Account

WIDTH = 100
_COLORS = (
    "bright_cyan",
    "bright_magenta",
    "bright_green",
    "bright_yellow",
    "bright_blue",
    "orange3",
    "deep_pink3",
    "spring_green3",
    "medium_purple",
    "gold3",
    "sky_blue3",
    "salmon1",
    "turquoise2",
)
_INTRODUCTION = (
    "This is Parley: leads write on a chat channel, Parley puts what they write into a queue, asks a persona for the "
    "answer, one turn at a time for each lead and in order, and sends it back. You see real processes on this machine; "
    "only the two services they talk to, FluidTalk (the persona) and Captivate (the channel), are simulated."
)


class Screen:
    """Prints to ``file`` (standard output by default). ``started_at``: seconds since 1970 that count as 0."""

    def __init__(self, started_at: float, file: TextIO | None = None) -> None:
        file = file or sys.stdout
        self._terminal = file.isatty()
        width = min(WIDTH, Console(file=file).width) if self._terminal else WIDTH
        self.console = Console(
            file=file,
            width=width,
            color_system="auto" if self._terminal else None,
            force_terminal=self._terminal,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._started_at = started_at
        self._colors: dict[str, str] = {}
        self._live = Live(console=self.console, transient=True, auto_refresh=False) if self._terminal else None

    def introduction(self) -> None:
        """Say what is going on."""
        self.remark(_INTRODUCTION)
        self.console.print()

    def running(self, running: Sequence[Process]) -> None:
        """Say what runs."""
        table = Table.grid(padding=(0, 2))
        for process in running:
            table.add_row(Text(f"  {process.name}", "bold"), f"pid {process.pid}", Text(process.where, "dim"))
        self.table(table)
        self.console.print()

    def seconds(self) -> float:
        """Seconds since the start."""
        return time.time() - self._started_at

    def status(self, accounts: Sequence[Account]) -> None:
        """Renew the line at the bottom of a terminal; nothing on a pipe."""
        if self._live is None:
            return
        words = ("accepted", "answered", "joined", "waiting")
        counts = "   ".join(f"{word} {sum(getattr(account, word) for account in accounts)}" for word in words)
        self._live.start()
        self._live.update(Text(f"\n  {counts}   Ctrl-C ends the demo", "bold dim"), refresh=True)

    def line(self, line: Line) -> None:
        """Print one line of a conversation."""
        color, text = self._color(line.who), line.text
        start = Text.assemble((f"{line.at - self._started_at:6.1f}  ", "dim"), (f"{line.who:<9} ", f"bold {color}"))
        match line.voice:
            case "lead":
                mark, style = Text("» ", f"bold {color}"), "default"
            case "persona":
                mark, style = Text(f"  {line.speaker:>4} « ", f"bold {color}"), color
            case "worker":
                mark, style = Text("       · "), "dim"
            case "stage":
                mark, style, text = Text("       "), "dim italic", f"({line.text})"
        indent = start.cell_len + mark.cell_len
        rows = textwrap.wrap(text, self.console.width - indent, break_on_hyphens=False) or [""]
        for number, row in enumerate(rows):
            front = Text.assemble(start, mark) if number == 0 else Text(" " * indent)
            self.console.print(Text.assemble(front, (row, style)), no_wrap=True, overflow="ignore")

    def heading(self, text: str) -> None:
        """Start a part of the summary."""
        self.console.print()
        self.console.print(Text(text, "bold underline" if self._terminal else ""))

    def remark(self, text: str, style: str = "") -> None:
        """Print a sentence, broken to the width."""
        self._print(Text(text, style))

    def table(self, table: Table) -> None:
        """Print a table."""
        self._print(table)

    def end_of_story(self) -> None:
        """Take the line at the bottom away."""
        if self._live is not None:
            self._live.stop()

    def _print(self, shown: Text | Table) -> None:
        if self._terminal:
            self.console.print(shown)
            return
        # Blanks up to the right edge are of use on a terminal only.
        with self.console.capture() as captured:
            self.console.print(shown)
        self.console.print("\n".join(line.rstrip() for line in captured.get().splitlines()), soft_wrap=True)

    def _color(self, who: str) -> str:
        if who == CROWD:
            return "default"
        # One colour for a lead, whatever its round.
        name = who.partition("-")[0]
        return self._colors.setdefault(name, _COLORS[len(self._colors) % len(_COLORS)])
