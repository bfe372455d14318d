"""The bounds of a key's calls, all processes together."""

from __future__ import annotations

import pytest

from worker.domain.conversation import Conversation
from worker.domain.vocabulary import TURNS, Cause, stored
from worker.store.redis.connection import clock_ms


@pytest.fixture
def bounded(make_store):
    """The places of a store whose persona ava is bounded as given."""

    def make(**bounds):
        return make_store(personas={"ava": {"api_key": "k", **bounds}, "bea": {"api_key": "k"}})

    return make


def lead(number, persona="ava"):
    return Conversation(persona, f"@{number}")


def ask(store, number, token=None):
    """Seconds until lead ``number`` may be asked; None = it waits in line."""
    admission = store.places.admit(lead(number), token or f"t{number}", number)
    return None if admission.in_line else admission.wait_seconds


@pytest.fixture
def held(chat):
    """Leads that were told to wait in line, and are held."""

    def make(store, *numbers):
        for number in numbers:
            store.inbox.accept(chat(target=f"@{number}"))
            grant = store.steps.begin(lead(number), f"t{number}")
            assert ask(store, number) is None
            store.steps.hold(grant, 3600, stored(Cause.IN_LINE), unknown=False, asked=False)
        store.redis.delete(TURNS)

    return make


def test_without_bounds_nothing_is_asked_of_the_store(bounded, store):
    places = bounded(calls_at_once=1).places
    assert [places.admit(lead(n, "bea"), f"t{n}", n).wait_seconds for n in range(5)] == [0.0] * 5
    assert not store.redis.keys("parley:*")


def test_so_many_calls_at_once_and_no_more(bounded):
    store = bounded(calls_at_once=2)
    assert [ask(store, n) for n in range(4)] == [0.0, 0.0, None, None]


def test_a_place_that_is_free_is_kept_for_the_longest_waiting(bounded, held):
    store = bounded(calls_at_once=1)
    ask(store, 0)
    held(store, 3, 2)
    store.places.release(lead(0), "t0")
    assert store.redis.llen(TURNS) == 1, "one is woken, and nobody else"
    held(store, 1)
    assert ask(store, 2) == 0.0
    store.places.release(lead(2), "t2")
    assert ask(store, 3) is None, "@1 waits for longer"


def test_waiting_in_line_is_no_polling(bounded, held):
    store = bounded(calls_at_once=1)
    ask(store, 0)
    held(store, *range(1, 6))
    assert store.agenda.claim_due() == []


def test_the_place_of_a_dead_process_comes_back_with_its_lease(bounded, held):
    store = bounded(calls_at_once=1)
    ask(store, 0, "dead")
    held(store, 1)
    running = store.keys.persona("ava").running
    until = store.redis.zscore(running, "dead")
    assert until <= clock_ms(store.redis) + 15_000, "the lease's time, not that of the longest call"
    store.redis.zadd(running, {"dead": 1})
    store.redis.zadd(store.keys.home("ava").errands, {"places calls ava": 1})
    assert [errand.what for errand in store.errands.take()] == ["places"]
    store.places.look("ava")
    assert store.redis.llen(TURNS) == 1
    assert ask(store, 1) == 0.0


def test_a_process_looks_when_the_next_place_ends_as_long_as_a_lead_waits_in_line(bounded, held):
    """The process that has the place may crash: then nothing else wakes the lead."""
    store = bounded(calls_at_once=1)
    errands, running = store.keys.home("ava").errands, store.keys.persona("ava").running
    ask(store, 0)
    store.places.renew([("ava", "t0")])
    assert not store.redis.exists(errands), "no lead waits"
    held(store, 1)
    assert store.redis.zscore(errands, "places calls ava") == store.redis.zscore(running, "t0")
    # Now the place is kept for @1: should it not come, the next look is at the end of that time.
    store.places.release(lead(0), "t0")
    assert store.redis.zscore(errands, "places calls ava") == store.redis.zscore(running, f"for {lead(1).name}")
    assert ask(store, 1) == 0.0
    store.places.release(lead(1), "t1")
    assert not store.redis.exists(errands), "no lead waits any more"


def test_a_call_longer_than_its_lease_keeps_its_place_as_long_as_it_is_renewed(bounded):
    store = bounded(calls_at_once=1)
    ask(store, 0)
    running = store.keys.persona("ava").running
    store.redis.zadd(running, {"t0": clock_ms(store.redis) + 50})
    store.places.renew([("ava", "t0"), ("bea", "other")])
    assert store.redis.zscore(running, "t0") > clock_ms(store.redis) + 1000


def test_a_place_that_ended_is_not_renewed(bounded):
    store = bounded(calls_at_once=1)
    store.places.renew([("ava", "gone")])
    assert ask(store, 0) == 0.0


def test_a_place_is_not_kept_for_a_lead_who_waits_for_something_else(bounded, held):
    store = bounded(calls_at_once=1)
    ask(store, 0)
    held(store, 1, 2)
    store.redis.delete(store.keys.of(lead(1)).inbox(lead(1)))
    store.places.release(lead(0), "t0")
    assert ask(store, 2) == 0.0


def test_a_place_kept_before_the_hold_was_stored_is_not_forgotten(bounded, chat):
    store = bounded(calls_at_once=1)
    ask(store, 0)
    store.inbox.accept(chat(target="@1"))
    grant = store.steps.begin(lead(1), "t1")
    assert ask(store, 1) is None
    store.places.release(lead(0), "t0")
    store.steps.hold(grant, 3600, stored(Cause.IN_LINE), unknown=False, asked=False)
    store.redis.delete(TURNS)
    store.places.take_if_kept(lead(1))
    assert store.redis.llen(TURNS) == 1
    assert ask(store, 1) == 0.0


def test_moments_are_handed_out_in_order_and_kept(bounded):
    store = bounded(calls_per_second=10)
    waits = [ask(store, n) for n in range(4)]
    assert waits[0] == 0.0
    assert waits[1:] == sorted(waits[1:])
    assert 0.25 < waits[3] <= 0.3
    again = ask(store, 3, "t3 again")
    assert 0 < again <= waits[3], "the same moment, not a later one"


def test_a_reserved_moment_that_has_come_is_used(bounded):
    store = bounded(calls_per_second=1)
    ask(store, 0)
    assert ask(store, 1) > 0
    reserved = store.keys.persona("ava").reserved
    store.redis.zadd(reserved, {lead(1).name: clock_ms(store.redis) - 1})
    assert ask(store, 1) == 0.0
    assert store.redis.zcard(reserved) == 0


def test_who_waits_for_a_moment_keeps_its_place(bounded):
    store = bounded(calls_per_second=1, calls_at_once=2)
    assert ask(store, 0) == 0.0
    assert ask(store, 1) > 0
    assert ask(store, 2) is None


def test_the_same_call_twice_is_admitted_once(bounded):
    store = bounded(calls_per_second=1, calls_at_once=1)
    assert [ask(store, 0) for _ in range(2)] == [0.0, 0.0]


def test_all_of_it_expires(bounded):
    store = bounded(calls_per_second=5, calls_at_once=5)
    for number in range(3):
        ask(store, number)
    keys = [key for key in store.redis.keys("parley:*") if not key.endswith("errands")]
    assert all(store.redis.ttl(key) > 0 for key in keys)


def test_nothing_stays_of_who_never_came_back(bounded):
    """The keys of a busy persona never expire."""
    store = bounded(calls_per_second=1, calls_at_once=9)
    for number in range(3):
        ask(store, number)
    keys = store.keys.persona("ava")
    reserved, running = keys.reserved, keys.running
    assert (store.redis.zcard(reserved), store.redis.zcard(running)) == (2, 3)
    for key in (reserved, running):
        for member in store.redis.zrange(key, 0, -1):
            store.redis.zadd(key, {member: 1})
    ask(store, 9)
    assert store.redis.zrange(reserved, 0, -1) == ["ava:@9"]
    assert "t0" not in store.redis.zrange(running, 0, -1)
