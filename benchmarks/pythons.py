"""A turn, a start and the memory of a worker with Python 3.11, 3.12 and 3.13, side by side.

    python -m benchmarks.pythons --rounds 5

Only the worker runs with the other Python; the first use of each installs the requirements of the image. A worker of
the image's Python and one of another version take turns in doing the same work, a pair of systems at a time. What is
not on this machine is left out, and the section says so.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from benchmarks.leads import ONE_BY_ONE
from benchmarks.other_pythons import VERSIONS, environment, python_of_the_image
from benchmarks.report import Goal, Section, Table, run
from benchmarks.start import COMPILED, first_answer
from benchmarks.usage import resident_mb
from benchmarks.work import Work, in_turn, work
from simulation.servers.system import RunningSystem

# What is nearer than this to the best one is as good: two runs of the same version differ by it.
GOAL_OF_BEST = 1.02

_SETTINGS = {**ONE_BY_ONE, **COMPILED}
_MESSAGES, _WARM_UP = 2000, 300
_PAIRS_A_ROUND = 3


@dataclass(frozen=True, slots=True)
class Found:
    """What one version gave. ``pairs``: work of the image's version, and of this one."""

    pairs: list[tuple[Work, Work]] = field(default_factory=list)
    resident_mb: list[float] = field(default_factory=list)
    start_seconds: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """CPU of a turn to that of the image's version; 1 for the image's own."""
        return statistics.median([other.worker_ms / own.worker_ms for own, other in self.pairs] or [1.0])


def section(rounds: int) -> Section:
    """Measure ``rounds`` times."""
    image = python_of_the_image()
    pythons = {version: environment(version) for version in sorted({*VERSIONS, image})}
    there = {version: path for version, path in pythons.items() if path}
    missing = [version for version, path in pythons.items() if not path]
    found = _measure(there, image, rounds) if image in there else {}
    left_out = f" Not on this machine, so left out: {', '.join(missing)}." if missing else ""
    return Section(
        title="Versions of Python",
        about=f"One worker each with the requirements of the image, persona at once. A worker of Python {image} (the "
        f"image's) and one of another version take turns with {_MESSAGES} messages: medians of "
        f"{rounds * _PAIRS_A_ROUND} pairs in {rounds} round(s). Start: as in the section on it.{left_out}",
        command=f"python -m benchmarks.pythons --rounds {rounds}",
        tables=[_table(found, image)] if found else [],
        goals=[image_goal({version: of.ratio for version, of in found.items()}, image)],
    )


def image_goal(ratios: Mapping[str, float], image: str) -> Goal:
    """Whether the image has the best version. ``ratios``: CPU of a turn to that of the image's version."""
    to_best = 1 / min(ratios.values(), default=1.0)
    told = ", ".join(f"{version}: {ratio:.2f} x" for version, ratio in ratios.items())
    return Goal(
        f"CPU of a turn, the image's Python ({image}) to the best one",
        f"≤ {GOAL_OF_BEST:g} x",
        f"{to_best:.2f} x ({told})" if ratios else "the image's version is not on this machine",
        bool(ratios) and to_best <= GOAL_OF_BEST,
        price=True,
    )


def _measure(pythons: Mapping[str, str], image: str, rounds: int) -> dict[str, Found]:
    found = {version: Found() for version in pythons}
    for number in range(rounds):
        for version, path in pythons.items():
            found[version].start_seconds.append(_start(path, number))
            if version != image:
                _compare(pythons[image], path, found[image], found[version])
    return found


def _start(python: str, number: int) -> float:
    with RunningSystem(workers=0, beats=0, settings=_SETTINGS, python=python) as system:
        if not number:
            # This one writes compiled code.
            first_answer(system, "compiles")
        return first_answer(system, "counted")


def _compare(own: str, other: str, of_own: Found, of_other: Found) -> None:
    with (
        RunningSystem(settings=_SETTINGS, python=own) as first,
        RunningSystem(settings=_SETTINGS, python=other) as second,
    ):
        for system in (first, second):
            work(system, _WARM_UP)
        pairs = in_turn(partial(work, first, _MESSAGES), partial(work, second, _MESSAGES), _PAIRS_A_ROUND)
        of_other.pairs.extend(pairs)
        for system, found in ((first, of_own), (second, of_other)):
            found.resident_mb.append(resident_mb([system.workers[0].pid]))


def _table(found: Mapping[str, Found], image: str) -> Table:
    own = [first for of in found.values() for first, _ in of.pairs]
    rows = [
        _row(version, of, own if version == image else [second for _, second in of.pairs])
        for version, of in found.items()
    ]
    columns = ("Python", "worker CPU ms/turn", "to the image's, paired", "turns/s", "resident MB", "first answer s")
    return Table(columns, rows)


def _row(version: str, found: Found, done: Sequence[Work]) -> Sequence[str]:
    figures = (
        ("{:.3f}", [one.worker_ms for one in done]),
        ("{:.2f}", [found.ratio]),
        ("{:.0f}", [one.turns_per_second for one in done]),
        ("{:.0f}", found.resident_mb),
        ("{:.2f}", found.start_seconds),
    )
    return (version, *(words.format(statistics.median(of)) if of else "" for words, of in figures))


if __name__ == "__main__":
    sys.exit(run("pythons", __doc__, section))
