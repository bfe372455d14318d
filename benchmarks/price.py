"""What a turn costs, in empty tasks of Celery.

    python -m benchmarks.price --rounds 5

A turn is two HTTP calls, four steps in the store and a task; an empty task is a task alone. Both run in turn in each
round, on the same machine, and the figures are ratios of one round. About 75 seconds a round on two cores.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers.ceiling import TASKS, Ceiling, reach
from benchmarks.peers.comparison import cost_table, faults, median, median_ratio, rates, trials_table
from benchmarks.peers.contenders import Contender, parley
from benchmarks.peers.trial import Trial, attempt
from benchmarks.report import Goal, Section, Table, run
from benchmarks.throughput import AT_ONCE

GOAL_TURNS_PER_SECOND = 600.0
GOAL_OF_CEILING = 1.1
# In empty tasks of 64 threads, each of the same round: so they hold on a machine of any speed.
GOAL_CPU = 1.0
GOAL_CPU_WITH_EVENTS = 1.15
GOAL_CPU_OF_TWO = 2.0
GOAL_CPU_OF_TWO_WITH_EVENTS = 2.75
GOAL_REDIS_MS = 0.30

DEFAULT, THREADS = "default settings: prefork, a process for each core", "threads, 64"
_CEILINGS: dict[str, tuple[str, ...]] = {DEFAULT: (), THREADS: ("-P", "threads", "-c", "64")}
TWO, TWO_HEARD = parley(2), parley(2, task_events=True)
ONE, ONE_HEARD = parley(1), parley(1, task_events=True)


@dataclass(frozen=True, slots=True)
class Found:
    """Our trials with each number of processes, and the empty tasks of each pool: a value for each round."""

    trials: dict[Contender, list[Trial]]
    ceilings: dict[str, list[Ceiling]]


def measure(rounds: int) -> Found:
    """All of them in each round, so that what else the machine does falls on all alike."""
    found = Found({one: [] for one in (TWO, TWO_HEARD, ONE, ONE_HEARD)}, {name: [] for name in _CEILINGS})
    for number in range(rounds):
        for name, options in _CEILINGS.items():
            _say(f"round {number + 1}: empty tasks, {name}")
            found.ceilings[name].append(reach(*options))
        for contender, trials in found.trials.items():
            _say(f"round {number + 1}: {contender.name}")
            trials.append(attempt(AT_ONCE, contender))
    return found


def section(rounds: int) -> Section:
    """Measure and report."""
    found = measure(rounds)
    return Section(
        "The price of a turn",
        f"Medians of {rounds} round(s); ratios are medians of the rounds' own ratios. {os.cpu_count()} cores for "
        "everything: workers, store, producer, simulated services. The persona answers at once, all messages are sent "
        "as fast as they are taken, and joining is off, so each is a turn. Of the empty tasks "
        f"{TASKS} wait in the queue before the worker begins, so that nothing is published meanwhile. In the goals for "
        "CPU an empty task is one of 64 threads.",
        f"python -m benchmarks.price --rounds {rounds}",
        [
            trials_table(AT_ONCE.title, {one.name: trials for one, trials in found.trials.items()}, TWO.name),
            _ceiling_table(found),
            cost_table(found.trials[TWO]),
        ],
        goals(found),
    )


def goals(found: Found) -> list[Goal]:
    """The goals, and what was found."""
    ours = found.trials[TWO]
    rate = median(ours, lambda trial: trial.turns_per_second)
    of_ceiling = median_ratio(rates(ours), [one.tasks_per_second for one in found.ceilings[DEFAULT]])
    wrong = faults([trial for trials in found.trials.values() for trial in trials])
    return [
        Goal(
            "turns/s, persona at once, two worker processes",
            f"≥ {GOAL_TURNS_PER_SECOND:.0f}",
            f"{rate:.0f}",
            rate >= GOAL_TURNS_PER_SECOND,
        ),
        Goal(
            "turns/s of two worker processes, to empty tasks/s of Celery with its default settings",
            f"≥ {GOAL_OF_CEILING:g} x",
            f"{of_ceiling:.2f} x",
            of_ceiling >= GOAL_OF_CEILING,
            price=True,
        ),
        _cpu_goal("one worker process, task events off", GOAL_CPU, found.trials[ONE], found),
        _cpu_goal("one worker process, task events on", GOAL_CPU_WITH_EVENTS, found.trials[ONE_HEARD], found),
        _redis_goal(ours, found),
        _cpu_goal("two worker processes, task events off", GOAL_CPU_OF_TWO, ours, found, price=False),
        _cpu_goal(
            "two worker processes, task events on",
            GOAL_CPU_OF_TWO_WITH_EVENTS,
            found.trials[TWO_HEARD],
            found,
            price=False,
        ),
        Goal("overtaken / asked twice / sent twice / unanswered", "0 / 0 / 0 / 0", str(wrong), wrong.none),
    ]


def _cpu_goal(where: str, most: float, trials: Sequence[Trial], found: Found, *, price: bool = True) -> Goal:
    used = [trial.cpu_ms_per_turn("workers") for trial in trials]
    ratio = median_ratio(used, [one.cpu_ms_per_task for one in found.ceilings[THREADS]])
    measured = f"{ratio:.2f} empty tasks ({statistics.median(used):.2f} ms)"
    return Goal(f"CPU of a turn, {where}", f"≤ {most:g} empty tasks", measured, ratio <= most, price=price)


def _redis_goal(trials: Sequence[Trial], found: Found) -> Goal:
    used = [trial.cpu_ms_per_turn("Redis") for trial in trials]
    ratio = median_ratio(used, [one.redis_ms_per_task for one in found.ceilings[THREADS]])
    cost = statistics.median(used)
    return Goal(
        "Redis' CPU of a turn, acceptance included",
        f"≤ {GOAL_REDIS_MS:.2f} ms",
        f"{cost:.2f} ms ({ratio:.1f} empty tasks, each without its publication)",
        cost <= GOAL_REDIS_MS,
        price=True,
    )


def _ceiling_table(found: Found) -> Table:
    ours = rates(found.trials[TWO])
    rows = []
    for name, ceilings in found.ceilings.items():
        tasks = [one.tasks_per_second for one in ceilings]
        cpu = statistics.median([one.cpu_ms_per_task for one in ceilings])
        redis = statistics.median([one.redis_ms_per_task for one in ceilings])
        ratio = median_ratio(ours, tasks)
        rows.append((name, f"{statistics.median(tasks):.0f}", f"{cpu:.2f}", f"{redis:.2f}", f"{ratio:.2f}"))
    columns = ("Celery, empty tasks", "tasks/s", "worker CPU ms/task", "Redis CPU ms/task", "our turns/s to it")
    return Table(columns, rows)


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(run("price", __doc__, section))
