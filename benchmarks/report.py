"""What a benchmark found: tables to read, and figures that stand beside their goals."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure, what it should be and what it was, in words with units. ``reached``: whether it is as it should be.

    ``price``: whether it belongs to the price of a turn, which stands first on the page.
    """

    figure: str
    wanted: str
    measured: str
    reached: bool
    price: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells under a heading."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    def markdown(self) -> str:
        """The table in Markdown, without a line end."""
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark's report. ``about``: how it was measured; ``command``: what measures it again, alone."""

    title: str
    about: str
    command: str
    tables: Sequence[Table]
    goals: Sequence[Goal] = field(default_factory=tuple)

    @property
    def reached(self) -> bool:
        """Whether all goals were reached."""
        return all(goal.reached for goal in self.goals)

    def markdown(self) -> str:
        """The section in Markdown."""
        parts = [f"## {self.title}", f"{self.about}\n\n`{self.command}`"]
        parts += [table.markdown() for table in self.tables]
        if self.goals:
            parts.append(goals_table(self.goals).markdown())
        return "\n\n".join(parts) + "\n"


def goals_table(goals: Sequence[Goal]) -> Table:
    """Goals as a table: figure, goal, measured, whether reached."""
    rows = [(goal.figure, goal.wanted, goal.measured, "yes" if goal.reached else "**no**") for goal in goals]
    return Table(("figure", "goal", "measured", "reached"), rows)


def run(module: str, about: str | None, section: Callable[..., Section], **options: dict[str, Any]) -> int:
    """Be the command of one benchmark: read its options, measure, print. 1 when a goal was missed.

    ``section`` takes ``rounds`` and whatever else has an option of its name.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{module}",
        description=about,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, option in {"rounds": {"default": 5, "type": int}, **options}.items():
        parser.add_argument(f"--{name}", **option)
    found = section(**vars(parser.parse_args()))
    print(found.markdown())
    return int(not found.reached)
