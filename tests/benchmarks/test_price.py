"""The goals of the price of a turn, from trials that are given."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from benchmarks.peers.ceiling import Ceiling
from benchmarks.peers.trial import Trial
from benchmarks.price import DEFAULT, ONE, ONE_HEARD, THREADS, TWO, TWO_HEARD, Found, goals
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
}


def trial(rate: float, cpu_ms: float, redis_ms: float = 1.0, **wrong: Any) -> Trial:
    cpu = {"workers": cpu_ms, "Redis": redis_ms}
    return Trial(dataclasses.replace(CLEAN, **wrong), 1000 / rate, True, cpu, 1.0, 10.0)


def found(**figures: Any) -> Found:
    given = {**ENOUGH, **figures}
    trials = {
        TWO: [trial(given["rate"], given["cpu_ms"], given["redis_ms"])],
        TWO_HEARD: [trial(500.0, given["heard_cpu_ms"])],
        ONE: [trial(500.0, given["alone_cpu_ms"], **figures.get("wrong", {}))],
        ONE_HEARD: [trial(400.0, given["alone_heard_cpu_ms"])],
    }
    return Found(trials, {DEFAULT: [Ceiling(given["ceiling"], 1.0, 0.1)], THREADS: [Ceiling(1.0, 0.8, 0.1)]})


def missed(one: Found) -> list[str]:
    return [goal.figure for goal in goals(one) if not goal.reached]


def test_what_is_exactly_enough_reaches_every_goal():
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
        ({"wrong": {"overtaken": 1}}, "overtaken"),
        ({"wrong": {"undelivered": 1}, "alone_cpu_ms": 0.7}, "unanswered"),
    ],
)
def test_each_figure_misses_its_own_goal(figures: dict[str, Any], words: str):
    (only,) = missed(found(**figures))
    assert words in only
