"""What a feature costs, from pairs of work that are given."""

from __future__ import annotations

import pytest

from benchmarks.features import feature_goal, features
from benchmarks.work import Work, in_turn

WITHOUT = Work(700.0, 1.0, 0.25)


def pair(worker_ms: float, redis_ms: float) -> tuple[Work, Work]:
    return WITHOUT, Work(600.0, worker_ms, redis_ms)


@pytest.mark.parametrize(
    ("name", "redis_ms", "reached"),
    [("notices", 0.3125, True), ("notices", 0.32, False), ("all of them", 0.4375, True), ("all of them", 0.44, False)],
)
def test_worker_and_redis_count_together_and_all_features_may_cost_more_than_one(
    name: str, redis_ms: float, reached: bool
):
    assert feature_goal(name, [pair(1.0, redis_ms)]).reached is reached


def test_the_middle_pair_decides():
    pairs = [pair(1.0, 0.25), pair(9.0, 9.0), pair(1.0, 0.25)]
    assert feature_goal("consent", pairs).measured == "1.00 x"


def test_all_together_have_the_settings_of_each():
    each = features()
    together = each["all of them"]
    assert len(each) == 5
    assert all(settings.items() <= together.items() for settings in each.values())


def test_the_two_of_a_pair_change_places():
    order: list[str] = []

    def side(name: str) -> Work:
        order.append(name)
        return Work(len(order), 1.0, 1.0)

    found = in_turn(lambda: side("a"), lambda: side("b"), 2)
    assert order == ["a", "b", "b", "a"]
    assert [(one.turns_per_second, other.turns_per_second) for one, other in found] == [(1, 2), (4, 3)]
