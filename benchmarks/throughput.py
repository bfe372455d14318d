"""Turns a second, processor time and order, side by side with what one would use instead of Parley.

    python -m benchmarks.throughput --rounds 5

``benchmarks/peers`` has the contenders. They share the cores with the producer, the store and the simulated services,
so what a turn costs all of these together decides the rate. About 5 minutes a round on two cores.
"""

from __future__ import annotations

import os
import statistics
import sys

from benchmarks.peers.comparison import cost_table, faults, median_ratio, rates, trials_table
from benchmarks.peers.contenders import Contender, afternoon, dramatiq, expert, parley, procrastinate, taskiq
from benchmarks.peers.trial import Case, Trial, attempt
from benchmarks.report import Goal, Section, run

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

GOAL_OF_EXPERT = 4.0

# Of each case the trials of each contender, one for each round.
Found = dict[Case, dict[Contender, list[Trial]]]


def program() -> dict[Case, list[Contender]]:
    """What runs in which case, in the order of a round. Peers other than Celery only where they can."""
    ours, ours_alone = parley(2), parley(1)
    more = [peer for peer in (procrastinate(), dramatiq(), taskiq()) if peer]
    return {
        # Without (a): beside its 128 busy threads publishing alone would take longer than a case has.
        AT_ONCE: [ours, expert(), *more],
        THINKING: [ours, ours_alone, expert(), afternoon(), *more],
        BURSTS: [ours, expert(), *more],
        HOT: [ours, expert(), afternoon(), *more],
    }


def measure(rounds: int) -> Found:
    """All of the programme in each round, so that what else the machine does falls on all alike."""
    plan = program()
    found: Found = {case: {one: [] for one in plan[case]} for case in plan}
    for number in range(rounds):
        for case, contenders in found.items():
            for contender, trials in contenders.items():
                print(f"round {number + 1}: {case.title}: {contender.name}", file=sys.stderr, flush=True)
                trials.append(attempt(case, contender))
    return found


def section(rounds: int) -> Section:
    """Measure and report."""
    found = measure(rounds)
    ours = parley(2)
    tables = [
        trials_table(case.title, {one.name: trials for one, trials in contenders.items()}, ours.name)
        for case, contenders in found.items()
    ]
    return Section(
        "Peers, side by side",
        _about(rounds),
        "python -m benchmarks.throughput",
        [*tables, cost_table(found[AT_ONCE][ours])],
        goals(found),
    )


def goals(found: Found) -> list[Goal]:
    """The goals, and what was found."""
    all_ours = [
        trial for contenders in found.values() for one, trials in contenders.items() if one.ours for trial in trials
    ]
    wrong = faults(all_ours)
    return [
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
    ours, theirs = found[case][parley(2)], found[case][expert()]
    ratio, overtaken = median_ratio(rates(ours), rates(theirs)), faults(ours).overtaken
    # One turn at a time in each conversation: more than this nobody can reach.
    bound = case.conversations / case.quickest_seconds / statistics.median(rates(theirs))
    return Goal(
        figure,
        f"≥ {GOAL_OF_EXPERT:g} x, 0 overtaken",
        f"{ratio:.2f} x of at most {bound:.1f} x, {overtaken} overtaken ({faults(theirs).overtaken} of (b))",
        ratio >= GOAL_OF_EXPERT and not overtaken,
    )


def _about(rounds: int) -> str:
    others = {"(c) Procrastinate or PostgreSQL": procrastinate, "(d) Dramatiq": dramatiq, "(e) Taskiq": taskiq}
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
        "(`benchmarks/peers/expert_celery.py`, 128 threads). (c), (d) and (e) make the same requests as (b): (c) with "
        "the lock of Procrastinate's jobs, (d) in 128 threads with Dramatiq's mutex and a retry when it is taken, (e) "
        "in an event loop with redis-py's lock."
        f"{left_out}"
    )


if __name__ == "__main__":
    sys.exit(run("throughput", __doc__, section))
