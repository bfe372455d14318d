"""Mutants that no test can kill, each with its reason (``equivalent.toml``)."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simulation.mutants.mutant import Mutant

TABLE = Path(__file__).with_name("equivalent.toml")


@dataclass(frozen=True, slots=True)
class Equivalent:
    """In ``file`` the line ``before`` may be ``after``. ``reason``: why nothing can tell the two apart."""

    file: str
    before: str
    after: str
    reason: str

    def is_about(self, mutant: Mutant) -> bool:
        """Whether it is this mutant, wherever its line stands now."""
        return (self.file, self.before, self.after) == (mutant.file, mutant.before.strip(), mutant.after.strip())


def table(path: Path = TABLE) -> list[Equivalent]:
    """All of them. Raises ``ValueError`` for an entry that lacks a part."""
    entries = tomllib.loads(path.read_text(encoding="utf-8")).get("equivalent", [])
    try:
        return [Equivalent(**entry) for entry in entries]
    except TypeError as error:
        raise ValueError(f"{path.name}: an entry has file, before, after and reason: {error}") from error


def reason_of(mutant: Mutant, entries: Sequence[Equivalent]) -> str:
    """Why no test can kill it; '' = one can."""
    return next((entry.reason for entry in entries if entry.is_about(mutant)), "")
