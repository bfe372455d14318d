"""A bounded room is shared between the personas first, then by age."""

from __future__ import annotations

import random

import pytest

from worker.store.conversations.fair_room import Wish, in_turn, share


def ready(*places, waiting=0, shards=1):
    wish = Wish(waiting)
    for number, place in enumerate(places):
        wish.places.setdefault(number % shards, []).append(float(place))
    return wish


def taken(rooms):
    found = {}
    for room in rooms.values():
        for persona, number in room.items():
            found[persona] = found.get(persona, 0) + number
    return found


def campaign(first=0, count=100, **fields):
    return ready(*range(first, first + count), **fields)


@pytest.mark.parametrize(
    ("wishes", "in_queue", "expected"),
    [
        pytest.param({"ava": campaign()}, 0, {"ava": 20}, id="one has it all"),
        pytest.param({"ava": campaign()}, 15, {"ava": 5}, id="less what is in the queue"),
        pytest.param({"ava": campaign(waiting=20)}, 20, {}, id="one fills it"),
        pytest.param({"ava": campaign()}, 20, {}, id="one fills it with doorbells that are not its own"),
        pytest.param({"ava": campaign(), "bea": campaign(5000)}, 0, {"ava": 10, "bea": 10}, id="two share"),
        pytest.param(
            {"ava": campaign(), "bea": ready(5000, 5001)}, 0, {"ava": 18, "bea": 2}, id="the rest is given on"
        ),
        pytest.param({"ava": campaign(waiting=20), "bea": campaign()}, 20, {"bea": 10}, id="others fill the queue"),
        pytest.param(
            {"ava": campaign(waiting=20), "bea": campaign(waiting=10)}, 30, {}, id="each has its part in the queue"
        ),
        pytest.param({"ava": campaign(waiting=12), "bea": campaign()}, 12, {"bea": 10}, id="who has less goes first"),
        pytest.param({"ava": campaign(waiting=400), "bea": campaign()}, 0, {"ava": 10, "bea": 10}, id="all were taken"),
        pytest.param({"ava": Wish(20), "bea": campaign()}, 20, {"bea": 10}, id="nothing else of it is ready"),
        pytest.param({}, 0, {}, id="nothing is ready"),
    ],
)
def test_who_gets_how_much(wishes, in_queue, expected):
    assert taken(share(20, in_queue, wishes)) == expected


def test_with_more_personas_than_room_each_has_one_place():
    wishes = {f"persona-{number}": campaign(number) for number in range(50)}
    assert set(taken(share(20, 0, wishes)).values()) == {1}
    assert len(taken(share(20, 0, wishes))) == 50


def test_the_oldest_go_first_wherever_they_are():
    wishes = {"ava": Wish(0, {0: [10.0, 40.0], 3: [20.0, 30.0], 5: [50.0]})}
    assert share(3, 0, wishes) == {0: {"ava": 1}, 3: {"ava": 2}}


@pytest.mark.parametrize("seed", range(20))
def test_never_more_than_twice_the_limit_and_nothing_is_left_unused(seed):
    dice = random.Random(seed)
    limit, names = dice.randint(1, 40), [f"persona-{number}" for number in range(dice.randint(1, 8))]
    in_queue = 0
    waiting = dict.fromkeys(names, 0)
    for _ in range(30):
        wishes = {name: campaign(count=dice.randint(0, 60), waiting=waiting[name], shards=16) for name in names}
        wishes = {name: wish for name, wish in wishes.items() if wish.places or wish.waiting}
        got = taken(share(limit, in_queue, wishes))
        wished = sum(len(places) for wish in wishes.values() for places in wish.places.values())
        assert sum(got.values()) >= min(limit - in_queue, wished)
        for name, number in got.items():
            waiting[name] += number
        in_queue = sum(waiting.values())
        assert in_queue <= max(2 * limit, limit + len(names))
        for name in names:
            waiting[name] -= dice.randint(0, waiting[name])
        in_queue = sum(waiting.values())


def test_the_personas_are_in_turn_and_each_ones_oldest_first():
    items = [("ava", 3, "a3"), ("ava", 1, "a1"), ("bea", 9, "b9"), ("ava", 2, "a2"), ("bea", 8, "b8")]
    assert in_turn(items) == ["a1", "b8", "a2", "b9", "a3"]
