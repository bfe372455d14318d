"""The goals of the side by side, from trials that are given."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from benchmarks.peers.ceiling import Ceiling
from benchmarks.peers.contenders import Contender, expert, parley
from benchmarks.peers.trial import Case, Trial
from benchmarks.throughput import AT_ONCE, BURSTS, HOT, THINKING, Found, goals
from simulation.judge.checker import Verdict

CLEAN = Verdict(1000, 1000, 1000, 0, 0, 0, 0, 0, 0, 0, ())

# What reaches every goal, and no more than that.
ENOUGH = {
    "rate": 660.0,
    "ceiling": 600.0,
    "cpu_ms": 1.6,
    "heard_cpu_ms": 2.2,
    "alone_cpu_ms": 0.8,
    "alone_heard_cpu_ms": 0.92,
    "redis_ms": 0.3,
    "expert_rate": 150.0,
}


def trial(rate: float, cpu_ms: float = 1.0, redis_ms: float = 1.0, **wrong: Any) -> Trial:
    cpu = {"workers": cpu_ms, "Redis": redis_ms}
    return Trial(dataclasses.replace(CLEAN, **wrong), 1000 / rate, True, cpu, 1.0, 10.0)


def found(**figures: Any) -> Found:
    given = {**ENOUGH, **figures}
    wrong = figures.get("wrong", {})
    quick = trial(given["rate"], given["cpu_ms"], given["redis_ms"])
    trials: dict[Case, dict[Contender, list[Trial]]] = {
        AT_ONCE: {
            parley(2): [quick],
            parley(2, task_events=True): [trial(500.0, given["heard_cpu_ms"])],
            parley(1): [trial(500.0, given["alone_cpu_ms"])],
            parley(1, task_events=True): [trial(400.0, given["alone_heard_cpu_ms"])],
        },
        THINKING: {parley(2): [trial(600.0)], expert(): [trial(given["expert_rate"], overtaken=9)]},
        BURSTS: {parley(2): [trial(600.0)], expert(): [trial(150.0)]},
        HOT: {parley(2): [trial(200.0, **wrong)]},
    }
    default, threads = [Ceiling(given["ceiling"], 1.0, 0.1)], [Ceiling(1.0, 0.8, 0.1)]
    return Found(trials, {"default settings: prefork, a process for each core": default, "threads, 64": threads})


def missed(one: Found) -> list[str]:
    return [goal.figure for goal in goals(one) if not goal.reached]


def test_what_is_exactly_enough_reaches_every_goal_and_the_faults_of_peers_are_theirs():
    assert missed(found()) == []


@pytest.mark.parametrize(
    ("figures", "words"),
    [
        ({"rate": 599.0, "ceiling": 500.0}, "turns/s, persona at once"),
        ({"ceiling": 601.0}, "empty tasks/s"),
        ({"cpu_ms": 1.61}, "two worker processes, task events off"),
        ({"heard_cpu_ms": 2.21}, "two worker processes, task events on"),
        ({"alone_cpu_ms": 0.81}, "one worker process, task events off"),
        ({"alone_heard_cpu_ms": 0.93}, "one worker process, task events on"),
        ({"redis_ms": 0.31}, "Redis' CPU"),
        ({"expert_rate": 151.0}, "one message of a conversation at a time"),
        ({"wrong": {"overtaken": 1}}, "all runs of ours"),
        ({"wrong": {"undelivered": 1}}, "all runs of ours"),
    ],
)
def test_each_figure_misses_its_own_goal(figures: dict[str, Any], words: str):
    (only,) = missed(found(**figures))
    assert words in only


def test_what_nobody_can_reach_is_told_beside_what_was_reached():
    figures = {goal.figure: goal.measured for goal in goals(found())}
    # 400 conversations, 0.5 s each turn: 800 turns a second at most.
    assert figures["the same, one message of a conversation at a time"].startswith("4.00 x of at most 5.3 x")
