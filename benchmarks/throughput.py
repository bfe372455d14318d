"""Turns a second, processor time and order, side by side with what one would use instead of Parley.

    python -m benchmarks.throughput --rounds 5

``benchmarks/peers`` has the contenders. They share the cores with the producer, the store and the simulated services,
so what a turn costs all of these together decides the rate. About 6 minutes a round on two cores.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers.ceiling import TASKS, Ceiling, reach
from benchmarks.peers.comparison import cost_table, faults, median, median_ratio, rates, trials_table
from benchmarks.peers.contenders import Contender, afternoon, dramatiq, expert, parley, procrastinate, taskiq
from benchmarks.peers.trial import Case, Trial, attempt
from benchmarks.report import Goal, Section, Table, run

AT_ONCE = Case("Persona at once, 3000 messages, 400 conversations", 0.0, 3000, 400, seconds=30)
THINKING = Case("Persona at 0.5 s, 2000 messages, 400 conversations", 0.5, 2000, 400, seconds=30)
BURSTS = Case("The same, five of a conversation in a row", 0.5, 2000, 400, burst=5, seconds=30)
HOT = Case(
    "Persona at 0.05 to 0.1 s, 1000 messages, 20 conversations, also five in a row",
    (0.05, 0.1),
    1000,
    20,
    burst=5,
    seconds=30,
)

GOAL_TURNS_PER_SECOND = 600.0
GOAL_OF_CEILING = 1.1
# In empty tasks of 64 threads, each of the same round: so they hold on a machine of any speed.
GOAL_CPU = 1.0
GOAL_CPU_WITH_EVENTS = 1.15
GOAL_CPU_OF_TWO = 2.0
GOAL_CPU_OF_TWO_WITH_EVENTS = 2.75
GOAL_REDIS_MS = 0.30
GOAL_OF_EXPERT = 4.0

_DEFAULT, _THREADS = "default settings: prefork, a process for each core", "threads, 64"
_CEILINGS: dict[str, tuple[str, ...]] = {_DEFAULT: (), _THREADS: ("-P", "threads", "-c", "64")}


@dataclass(frozen=True, slots=True)
class Found:
    """The trials of each case and contender, and the ceilings: a value for each round."""

    trials: dict[Case, dict[Contender, list[Trial]]]
    ceilings: dict[str, list[Ceiling]]

    def of(self, case: Case, contender: Contender) -> list[Trial]:
        """The trials of one contender in one case."""
        return self.trials[case][contender]


def program() -> dict[Case, list[Contender]]:
    """What runs in which case, in the order of a round. Peers other than Celery only where they can."""
    ours, ours_alone, heard = parley(2), parley(1), parley(2, task_events=True)
    more = [peer for peer in (procrastinate(), dramatiq(), taskiq()) if peer]
    return {
        # Without (a): beside its 128 busy threads publishing alone would take longer than a case has.
        AT_ONCE: [ours, heard, ours_alone, parley(1, task_events=True), expert(), *more],
        THINKING: [ours, ours_alone, expert(), afternoon(), *more],
        BURSTS: [ours, expert(), *more],
        HOT: [ours, expert(), afternoon(), *more],
    }


def measure(rounds: int) -> Found:
    """All of the programme in each round, so that what else the machine does falls on all alike."""
    plan = program()
    found = Found({case: {one: [] for one in plan[case]} for case in plan}, {name: [] for name in _CEILINGS})
    for number in range(rounds):
        for name, options in _CEILINGS.items():
            _say(f"round {number + 1}: empty tasks, {name}")
            found.ceilings[name].append(reach(*options))
        for case, contenders in found.trials.items():
            for contender, trials in contenders.items():
                _say(f"round {number + 1}: {case.title}: {contender.name}")
                trials.append(attempt(case, contender))
    return found


def section(rounds: int) -> Section:
    """Measure and report."""
    found = measure(rounds)
    ours = parley(2)
    tables = [
        trials_table(case.title, {one.name: trials for one, trials in contenders.items()}, ours.name)
        for case, contenders in found.trials.items()
    ]
    return Section(
        "Peers, side by side",
        _about(rounds),
        "python -m benchmarks.throughput",
        [*tables, _ceiling_table(found), cost_table(found.of(AT_ONCE, ours))],
        goals(found),
    )


def goals(found: Found) -> list[Goal]:
    """The goals, and what was found."""
    ours = found.of(AT_ONCE, parley(2))
    heard = found.of(AT_ONCE, parley(2, task_events=True))
    alone, alone_heard = found.of(AT_ONCE, parley(1)), found.of(AT_ONCE, parley(1, task_events=True))
    rate = median(ours, lambda trial: trial.turns_per_second)
    of_ceiling = median_ratio(rates(ours), [one.tasks_per_second for one in found.ceilings[_DEFAULT]])
    all_ours = [
        trial
        for contenders in found.trials.values()
        for one, trials in contenders.items()
        if one.ours
        for trial in trials
    ]
    wrong = faults(all_ours)
    return [
        Goal(
            "turns/s, persona at once, two worker processes",
            f"≥ {GOAL_TURNS_PER_SECOND:.0f}",
            f"{rate:.0f}",
            rate >= GOAL_TURNS_PER_SECOND,
        ),
        Goal(
            "the same, to empty tasks/s of Celery with its default settings",
            f"≥ {GOAL_OF_CEILING:g} x",
            f"{of_ceiling:.2f} x",
            of_ceiling >= GOAL_OF_CEILING,
            price=True,
        ),
        _cpu_goal("one worker process, task events off", GOAL_CPU, alone, found),
        _cpu_goal("one worker process, task events on", GOAL_CPU_WITH_EVENTS, alone_heard, found),
        _redis_goal(ours, found),
        _cpu_goal("two worker processes, task events off", GOAL_CPU_OF_TWO, ours, found, price=False),
        _cpu_goal("two worker processes, task events on", GOAL_CPU_OF_TWO_WITH_EVENTS, heard, found, price=False),
        _expert_goal("turns/s to those of (b), persona at 0.5 s, 400 conversations, five in a row", found, BURSTS),
        _expert_goal("the same, one message of a conversation at a time", found, THINKING),
        Goal(
            "overtaken / asked twice / sent twice / unanswered, all runs of ours",
            "0 / 0 / 0 / 0",
            str(wrong),
            wrong.none,
        ),
    ]


def _expert_goal(figure: str, found: Found, case: Case) -> Goal:
    ours, theirs = found.of(case, parley(2)), found.of(case, expert())
    ratio, overtaken = median_ratio(rates(ours), rates(theirs)), faults(ours).overtaken
    # One turn at a time in each conversation: more than this nobody can reach.
    bound = case.conversations / case.quickest_seconds / statistics.median(rates(theirs))
    return Goal(
        figure,
        f"≥ {GOAL_OF_EXPERT:g} x, 0 overtaken",
        f"{ratio:.2f} x of at most {bound:.1f} x, {overtaken} overtaken ({faults(theirs).overtaken} of (b))",
        ratio >= GOAL_OF_EXPERT and not overtaken,
    )


def _cpu_goal(where: str, most: float, trials: Sequence[Trial], found: Found, *, price: bool = True) -> Goal:
    used = [trial.cpu_ms_per_turn("workers") for trial in trials]
    ratio = median_ratio(used, [one.cpu_ms_per_task for one in found.ceilings[_THREADS]])
    measured = f"{ratio:.2f} empty tasks ({statistics.median(used):.2f} ms)"
    return Goal(f"CPU of a turn, {where}", f"≤ {most:g} empty tasks", measured, ratio <= most, price=price)


def _redis_goal(trials: Sequence[Trial], found: Found) -> Goal:
    used = [trial.cpu_ms_per_turn("Redis") for trial in trials]
    ratio = median_ratio(used, [one.redis_ms_per_task for one in found.ceilings[_THREADS]])
    cost = statistics.median(used)
    return Goal(
        "Redis' CPU of a turn, acceptance included",
        f"≤ {GOAL_REDIS_MS:.2f} ms",
        f"{cost:.2f} ms ({ratio:.1f} empty tasks, each without its publication)",
        cost <= GOAL_REDIS_MS,
        price=True,
    )


def _ceiling_table(found: Found) -> Table:
    ours = rates(found.of(AT_ONCE, parley(2)))
    rows = []
    for name, ceilings in found.ceilings.items():
        tasks = [one.tasks_per_second for one in ceilings]
        cpu = statistics.median([one.cpu_ms_per_task for one in ceilings])
        redis = statistics.median([one.redis_ms_per_task for one in ceilings])
        ratio = median_ratio(ours, tasks)
        rows.append((name, f"{statistics.median(tasks):.0f}", f"{cpu:.2f}", f"{redis:.2f}", f"{ratio:.2f}"))
    columns = ("(c) Celery, empty tasks", "tasks/s", "worker CPU ms/task", "Redis CPU ms/task", "our turns/s to it")
    return Table(columns, rows)


def _about(rounds: int) -> str:
    others = {"(d) Procrastinate or PostgreSQL": procrastinate, "(e) Dramatiq": dramatiq, "(f) Taskiq": taskiq}
    left_out = "".join(f" {name} is not installed, so left out." for name, found in others.items() if not found())
    return (
        f"Medians of {rounds} round(s), in each of which all systems take turns; ratios are medians of the rounds' own "
        f"ratios; faults are those of all rounds together. {os.cpu_count()} cores for everything: two worker processes "
        "(Parley: as it says), store, producer, simulated services. All messages are sent as fast as they are taken; "
        "joining is off, so each is a turn. Time runs from the "
        f"first message sent to the last answer delivered, at most {THINKING.seconds:g} s; what "
        "is unanswered then still waits. (a) is what an afternoon gives "
        "(`benchmarks/plain_celery`; too slow for the cases without it), (b) the same with a connection for each "
        "thread and requests of its own "
        f"(`benchmarks/peers/expert_celery.py`, 128 threads). (c): {TASKS} tasks wait in the queue before the worker "
        f"begins, so that nothing is published meanwhile. In the goals for CPU an empty task is one of 64 threads, of "
        "the same round. (d), (e) and (f) make the same requests as (b): (d) with the lock of Procrastinate's jobs, "
        "(e) in 128 threads with Dramatiq's mutex and a retry when it is taken, (f) in an event loop with redis-py's "
        "lock."
        f"{left_out}"
    )


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(run("throughput", __doc__, section))
