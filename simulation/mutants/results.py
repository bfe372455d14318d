"""What became of each mutant that was tried, kept line by line, so that a run which was ended goes on later."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from simulation.mutants.mutant import Mutant


class Outcome(StrEnum):
    """What a trial showed."""

    KILLED = "killed"  # a test failed
    TIMED_OUT = "timed out"  # the tests did not end, and without the change they do
    EXPLORED = "explored"  # the exploration found a broken promise
    SURVIVED = "survived"
    UNCLEAR = "unclear"  # the machine was too busy: it is tried again


@dataclass(frozen=True, slots=True)
class Result:
    """``by``: the test that failed, or what the exploration said. ``tests``: how many were asked."""

    mutant: Mutant
    outcome: Outcome
    by: str
    tests: int
    seconds: float

    @property
    def killed(self) -> bool:
        """Whether the change was noticed."""
        return self.outcome in (Outcome.KILLED, Outcome.TIMED_OUT, Outcome.EXPLORED)


class Results:
    """The results in ``path``, the newest of each mutant. A line that was cut off is not read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[str, Result] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            try:
                kept = json.loads(line)
            except ValueError:
                continue
            result = Result(**{**kept, "mutant": Mutant(**kept["mutant"]), "outcome": Outcome(kept["outcome"])})
            self._found[result.mutant.key] = result

    def of(self, mutant: Mutant) -> Result | None:
        """What became of it; None = it has to be tried."""
        found = self._found.get(mutant.key)
        return None if found is None or found.outcome is Outcome.UNCLEAR else found

    def add(self, result: Result) -> None:
        """Keep a result."""
        self._found[result.mutant.key] = result
        self._path.parent.mkdir(parents=True, exist_ok=True)
        whole = not self._path.exists() or self._path.read_bytes()[-1:] in (b"", b"\n")
        with self._path.open("a", encoding="utf-8") as file:
            file.write(("" if whole else "\n") + json.dumps(asdict(result)) + "\n")

    def killers(self, file: str) -> list[str]:
        """The tests that noticed changes of this file, the most frequent first."""
        noted = [
            result.by
            for result in self._found.values()
            if result.outcome is Outcome.KILLED and result.mutant.file == file
        ]
        return sorted(set(noted), key=lambda test: (-noted.count(test), test))
