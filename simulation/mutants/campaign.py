"""Tries mutants one after the other. It can be ended at any time, and goes on with those that were not tried."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from simulation.mutants.equivalent import Equivalent, reason_of
from simulation.mutants.mutant import Mutant
from simulation.mutants.results import Results
from simulation.mutants.trial import Trials


def left_of(
    mutants: Sequence[Mutant], results: Results, entries: Sequence[Equivalent], *, again: bool = False
) -> list[Mutant]:
    """Those that were not tried. ``again``: and those that survived, without the equivalent ones."""

    def is_left(mutant: Mutant) -> bool:
        result = results.of(mutant)
        return result is None or (again and not result.killed and not reason_of(mutant, entries))

    return [mutant for mutant in mutants if is_left(mutant)]


def try_all(
    mutants: Sequence[Mutant], trials: Trials, results: Results, seconds: float, say: Callable[[str], None]
) -> None:
    """Try these and keep each result. ``seconds``: after that no other one is begun."""
    until = time.monotonic() + seconds
    for number, mutant in enumerate(mutants, 1):
        if time.monotonic() > until:
            return
        result = trials.of(mutant, results.killers(mutant.file))
        results.add(result)
        say(f"{number}/{len(mutants)} {result.outcome} after {result.seconds:.1f} s: {mutant}")
