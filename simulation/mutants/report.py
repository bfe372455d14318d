"""The figures of a run: what was killed, what survived, and what no test can kill."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from simulation.mutants.equivalent import Equivalent, reason_of
from simulation.mutants.mutant import Mutant
from simulation.mutants.results import Outcome, Result, Results


@dataclass(frozen=True, slots=True)
class Report:
    """``left``: how many of the chosen mutants were not tried. An equivalent mutant is neither killed nor survived."""

    results: tuple[Result, ...]
    equivalent: tuple[tuple[Result, str], ...]
    left: int

    @property
    def survivors(self) -> list[Result]:
        """Those that a test should have noticed, by file and line."""
        found = (result for result in self.results if not result.killed)
        return sorted(found, key=lambda result: (result.mutant.file, result.mutant.line))

    @property
    def killed_percent(self) -> float:
        """Of those that can be killed; 100 when there are none."""
        return 100.0 * sum(result.killed for result in self.results) / len(self.results) if self.results else 100.0

    def lines(self) -> Iterator[str]:
        """What is said at the end."""
        for result, reason in self.equivalent:
            yield f"equivalent  {result.mutant}  ({reason})"
        for result in self.survivors:
            yield f"survived    {result.mutant}  [{result.mutant.kind}, {result.tests} tests]"
        if self.left:
            yield f"{self.left} mutants are not tried yet: run it again, and it goes on"
        for name, ending in (("Lua", ".lua"), ("Python", ".py")):
            yield f"{name}: {self._figures([one for one in self.results if one.mutant.file.endswith(ending)], ending)}"
        seconds = [result.seconds for result in self.results] or [0.0]
        times = f"{sum(seconds) / 60:.0f} min, median {median(seconds):.1f} s"
        yield f"in all: {self.killed_percent:.1f} % killed, {times}"

    def _figures(self, results: Sequence[Result], ending: str) -> str:
        count = Counter(result.outcome for result in results)
        same = sum(result.mutant.file.endswith(ending) for result, _ in self.equivalent)
        return (
            f"{len(results) + same} tried, {sum(result.killed for result in results)} killed "
            f"({count[Outcome.KILLED]} by tests, {count[Outcome.TIMED_OUT]} by time, "
            f"{count[Outcome.EXPLORED]} by the exploration), {count[Outcome.SURVIVED]} survived, {same} equivalent"
        )


def report(mutants: Sequence[Mutant], results: Results, entries: Sequence[Equivalent]) -> Report:
    """What is known of these mutants."""
    tried = [result for mutant in mutants if (result := results.of(mutant))]
    said = [(result, "" if result.killed else reason_of(result.mutant, entries)) for result in tried]
    return Report(
        tuple(result for result, reason in said if not reason),
        tuple((result, reason) for result, reason in said if reason),
        len(mutants) - len(tried),
    )
