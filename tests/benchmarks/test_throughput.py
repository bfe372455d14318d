"""The goals of the side by side, from trials that are given."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from benchmarks.peers.contenders import expert, parley
from benchmarks.peers.trial import Trial
from benchmarks.throughput import AT_ONCE, BURSTS, HOT, THINKING, Found, goals
from simulation.judge.checker import Verdict

CLEAN = Verdict(1000, 1000, 1000, 0, 0, 0, 0, 0, 0, 0, ())


def trial(rate: float, **wrong: Any) -> Trial:
    return Trial(dataclasses.replace(CLEAN, **wrong), 1000 / rate, True, {"workers": 1.0, "Redis": 1.0}, 1.0, 10.0)


def found(expert_rate: float = 150.0, wrong: dict[str, Any] | None = None) -> Found:
    """What reaches every goal, and no more than that, but for what is given."""
    return {
        AT_ONCE: {parley(2): [trial(660.0)]},
        THINKING: {parley(2): [trial(600.0)], expert(): [trial(expert_rate, overtaken=9)]},
        BURSTS: {parley(2): [trial(600.0)], expert(): [trial(150.0)]},
        HOT: {parley(2): [trial(200.0, **wrong or {})]},
    }


def missed(one: Found) -> list[str]:
    return [goal.figure for goal in goals(one) if not goal.reached]


def test_what_is_exactly_enough_reaches_every_goal_and_the_faults_of_peers_are_theirs():
    assert missed(found()) == []


@pytest.mark.parametrize(
    ("figures", "words"),
    [
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
