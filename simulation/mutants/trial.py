"""Tries one mutant: the tests that reach its line, then the exploration."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from simulation.mutants.mutant import Mutant
from simulation.mutants.record import Record
from simulation.mutants.results import Outcome, Result
from simulation.mutants.runs import Ran, run
from simulation.mutants.tree import changed

# A test that failed, or a file that cannot be read, as pytest names it at the end.
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+::\S.*?|\S+\.py)(?: - .*)?$", re.MULTILINE)
_BROKEN = re.compile(r"BROKEN: (.*)")
_ALL_PASSED, _NONE_CHOSEN = 0, 5
# Of a file, the tests that noticed the most changes come first.
_FIRST = 6


@dataclass(frozen=True, slots=True)
class Limits:
    """``test_seconds``: for the tests of one mutant; those are asked that take ``share`` of it without the change.

    ``explore_seconds``: how long the exploration searches.
    """

    test_seconds: float = 30.0
    share: float = 0.25
    explore_seconds: float = 20.0


class Trials:
    """Trials in ``tree``, a copy of the project. ``record``: what the tests reach."""

    def __init__(self, tree: Path, record: Record, limits: Limits) -> None:
        self._tree = tree
        self._record = record
        self._limits = limits

    def of(self, mutant: Mutant, killers: Sequence[str] = ()) -> Result:
        """Try a mutant. ``killers``: tests that are asked first if they reach it."""
        text = (self._tree / mutant.file).read_text(encoding="utf-8")
        tests = self._chosen(self._record.reaching(mutant, text), killers)
        with changed(self._tree, mutant):
            ran = self._ask(tests)
            outcome, by, seconds = Outcome.SURVIVED, "", ran.seconds
            if ran.status is None:
                outcome = Outcome.TIMED_OUT
            elif ran.status not in (_ALL_PASSED, _NONE_CHOSEN):
                outcome, by = Outcome.KILLED, _first_failed(ran)
            elif self._limits.explore_seconds and is_explored(mutant):
                explored = self._explore()
                seconds += explored.seconds
                if explored.status != 0:
                    outcome, by = Outcome.EXPLORED, _broken(explored)
        if outcome is Outcome.TIMED_OUT and not self._ends(tests):
            outcome = Outcome.UNCLEAR
        return Result(mutant, outcome, by, len(tests), round(seconds, 2))

    def _chosen(self, tests: Sequence[str], killers: Sequence[str]) -> list[str]:
        first = [test for test in killers if test in set(tests)][:_FIRST]
        chosen, left = [], self._limits.test_seconds * self._limits.share
        for test in (*first, *(test for test in tests if test not in first)):
            seconds = self._record.tests[test].seconds
            if seconds <= left:
                chosen.append(test)
                left -= seconds
        return chosen

    def _ask(self, tests: Sequence[str]) -> Ran:
        names = self._tree / "chosen-tests"
        names.write_text("\n".join(tests), encoding="utf-8")
        if not tests:
            return Ran(_NONE_CHOSEN, "", 0.0)
        words = ["-m", "pytest", "-x", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider", "@chosen-tests"]
        return run(self._tree, words, self._limits.test_seconds, {"COLUMNS": "1000"})

    def _ends(self, tests: Sequence[str]) -> bool:
        ran = self._ask(tests)
        return ran.status == _ALL_PASSED and ran.seconds < self._limits.test_seconds * (1 + self._limits.share) / 2

    def _explore(self) -> Ran:
        seconds = self._limits.explore_seconds
        words = ["-m", "simulation.explore", "--seed", "1", "--processes", "1", "--seconds", str(seconds)]
        return run(self._tree, words, 4 * seconds + 60)


def is_explored(mutant: Mutant) -> bool:
    """Whether the exploration can notice it: it takes scripts and turns through their steps."""
    return mutant.file.startswith(("worker/store/lua/", "worker/pipeline/"))


def _first_failed(ran: Ran) -> str:
    found = _FAILED.search(ran.output)
    return found[1] if found else f"(status {ran.status})"


def _broken(ran: Ran) -> str:
    found = _BROKEN.search(ran.output)
    return found[1] if found else f"(the exploration ended with status {ran.status})"
