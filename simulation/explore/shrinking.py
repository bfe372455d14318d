"""Makes the steps of a failure few: takes away what it does not need, as long as the same promise is still broken."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence

from simulation.explore.machine import Machine
from simulation.explore.random_runs import Failure, again
from simulation.explore.world import Choice, Scenario

# A failure that takes longer than this is shown as it is by then.
_SECONDS = 20.0


def shrink(machine: Machine, scenario: Scenario, failure: Failure, seconds: float = _SECONDS) -> Failure:
    """The failure with fewer steps, and what they break. The end of the run is among them if it takes that long."""
    kept, until = list(failure.steps), time.monotonic() + seconds
    said = failure.said
    size = max(1, len(kept) // 2)
    while time.monotonic() < until:
        place, smaller = 0, False
        while place < len(kept) and time.monotonic() < until:
            fewer = kept[:place] + kept[place + size :]
            found, _ = again(machine, scenario, tuple(fewer))
            if _alike(found, said):
                kept, said, smaller = fewer, found, True
            else:
                place += size
        if size == 1 and not smaller:
            break
        size = max(1, size // 2)
    found, taken = again(machine, scenario, tuple(kept))
    return Failure(failure.seed, found or said, taken if found else tuple(kept))


def numbers(steps: Sequence[Choice], kept: Sequence[Choice]) -> list[int]:
    """At which places of ``steps`` the steps ``kept`` stand, as far as they do."""
    found, place = [], 0
    for choice in kept:
        try:
            place = steps.index(choice, place) + 1
        except ValueError:
            break
        found.append(place - 1)
    return found


def _alike(found: str, said: str) -> bool:
    return bool(found) and _without_names(found) == _without_names(said)


def _without_names(said: str) -> str:
    return re.sub(r"\be\d+\b|\b[A-H]\b|#\d+|\d+|\w+:@\w+", "*", said)
