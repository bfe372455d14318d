"""The bounds of a key's calls, all processes together."""

from __future__ import annotations

import pytest

from worker.conversation import Conversation
from worker.store.connection import clock_ms


@pytest.fixture
def bounded(make_store):
    """A store whose persona ava is bounded as given."""

    def make(**bounds):
        return make_store(personas={"ava": {"api_key": "k", **bounds}, "bea": {"api_key": "k"}}).personas

    return make


def lead(number, persona="ava"):
    return Conversation(persona, f"@{number}")


def test_without_bounds_nothing_is_asked_of_the_store(bounded, store):
    personas = bounded(calls_at_once=1)
    assert [personas.admit(lead(n, "bea"), f"t{n}") for n in range(5)] == [0.0] * 5
    assert not store.redis.keys("parley:*")


def test_so_many_calls_at_once_and_no_more(bounded):
    personas = bounded(calls_at_once=2)
    assert [personas.admit(lead(n), f"t{n}") > 0 for n in range(4)] == [False, False, True, True]
    personas.release(lead(0), "t0")
    assert personas.admit(lead(3), "t3") == 0.0


def test_the_place_of_a_dead_process_comes_back(bounded, store):
    personas = bounded(calls_at_once=1)
    personas.admit(lead(0), "dead")
    key = store.keys.home("ava").admission("ava")[2]
    store.redis.zadd(key, {"dead": 1})
    assert personas.admit(lead(1), "alive") == 0.0


def test_moments_are_handed_out_in_order_and_kept(bounded):
    personas = bounded(calls_per_second=10)
    waits = [personas.admit(lead(n), f"t{n}") for n in range(4)]
    assert waits[0] == 0.0
    assert waits[1:] == sorted(waits[1:])
    assert 0.25 < waits[3] <= 0.3
    again = personas.admit(lead(3), "t3 again")
    assert 0 < again <= waits[3], "the same moment, not a later one"


def test_a_reserved_moment_that_has_come_is_used(bounded, store):
    personas = bounded(calls_per_second=1)
    personas.admit(lead(0), "t0")
    assert personas.admit(lead(1), "t1") > 0
    reserved = store.keys.home("ava").admission("ava")[1]
    store.redis.zadd(reserved, {lead(1).name: clock_ms(store.redis) - 1})
    assert personas.admit(lead(1), "t1") == 0.0
    assert store.redis.zcard(reserved) == 0


def test_the_same_call_twice_is_admitted_once(bounded):
    personas = bounded(calls_per_second=1, calls_at_once=1)
    assert [personas.admit(lead(0), "t0") for _ in range(2)] == [0.0, 0.0]


def test_all_of_it_expires(bounded, store):
    personas = bounded(calls_per_second=5, calls_at_once=5)
    for number in range(3):
        personas.admit(lead(number), f"t{number}")
    assert all(store.redis.ttl(key) > 0 for key in store.redis.keys("parley:*"))


def test_nothing_stays_of_who_never_came_back(bounded, store):
    """The keys of a busy persona never expire."""
    personas = bounded(calls_per_second=1)
    for number in range(3):
        personas.admit(lead(number), f"t{number}")
    _, reserved, running = store.keys.home("ava").admission("ava")
    assert (store.redis.zcard(reserved), store.redis.zcard(running)) == (2, 1)
    for key in (reserved, running):
        for member in store.redis.zrange(key, 0, -1):
            store.redis.zadd(key, {member: 1})
    personas.admit(lead(9), "t9")
    assert store.redis.zrange(reserved, 0, -1) == ["ava:@9"]
    assert store.redis.zrange(running, 0, -1) == []
