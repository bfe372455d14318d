"""How many follow-ups go out: a day and an hour of one persona, a day of all."""

from __future__ import annotations

import pytest

from worker.domain.cadence import DAY_MS, TouchState
from worker.store.redis.ahead import advance

NOON_MS = DAY_MS // 2


@pytest.fixture
def make_capped(make_store):
    """A store with caps, at noon by its clock."""

    def make(**follow_ups):
        store = make_store(ahead=True, follow_ups=follow_ups)
        now = store.follow_ups.now()
        advance(store.redis, (DAY_MS - now % DAY_MS + NOON_MS) / 1000)
        return store

    return make


def touches(count, persona="ava", plan=1):
    return [TouchState(f"{persona}:@{number}", plan) for number in range(count)]


def held_back(store, states):
    return store.follow_up_caps.held_back(states, store.follow_ups.now())


def test_without_caps_nothing_is_held_back(make_capped):
    assert held_back(make_capped(), touches(100)) == {}


def test_what_is_over_the_cap_of_a_day_moves_to_the_next_day(make_capped):
    store = make_capped(per_day=3)
    moved = held_back(store, touches(10))
    assert len(moved) == 7
    tomorrow = (store.follow_ups.now() // DAY_MS + 1) * DAY_MS
    assert all(tomorrow <= move.at < tomorrow + 1_800_000 for move in moved.values())
    assert {move.rule for move in moved.values()} == {"cap_of_persona persona=ava limit=3"}
    advance(store.redis, DAY_MS / 1000)
    assert len(held_back(store, touches(10, plan=2))) == 7


def test_a_touch_is_counted_once_however_often_it_is_asked_for(make_capped):
    store = make_capped(per_day=3)
    for _ in range(5):
        assert held_back(store, touches(3)) == {}
    assert set(held_back(store, touches(4))) == {"ava:@3"}


def test_what_a_day_has_counted_expires(make_capped):
    store = make_capped(per_day=3, per_hour=60, per_day_in_all=5)
    before = set(store.redis.keys("parley:*"))
    held_back(store, touches(3))
    kept = {key for key in set(store.redis.keys("parley:*")) - before if not key.endswith(":clock")}
    assert len(kept) == 4, "the day of the persona and that of all, the moments of the persona and the next free one"
    assert all(store.redis.pttl(key) > 0 for key in kept)


def test_personas_have_caps_of_their_own_and_one_in_all(make_capped):
    store = make_capped(per_day=3, per_day_in_all=5)
    assert len(held_back(store, touches(3) + touches(3, "bea"))) == 1
    (move,) = held_back(store, touches(1, "bea", plan=9)).values()
    assert move.rule.startswith(("cap_of_persona persona=bea limit=3", "cap_of_all limit=5"))


def test_an_hourly_rate_hands_out_moments_in_the_order_of_asking(make_capped):
    store = make_capped(per_hour=60)
    now = store.follow_ups.now()
    moved = held_back(store, touches(10))
    moments = [moved[state.conversation].at for state in touches(10)[1:]]
    assert moments == [pytest.approx(now + 60_000 * number, abs=5_000) for number in range(1, 10)]
    again = held_back(store, touches(10))
    assert [again[state.conversation].at for state in touches(10)[1:]] == moments
    advance(store.redis, 61)
    assert "ava:@1" not in held_back(store, touches(10))


def test_moments_that_a_night_has_held_back_make_no_burst(make_capped):
    store = make_capped(per_hour=60)
    held_back(store, touches(10))
    advance(store.redis, 12 * 3600)
    waiting = touches(10)[1:]
    gone = 0
    for _ in range(10):
        gone += len(waiting) - len(held_back(store, waiting))
        waiting = [state for state in waiting if state.conversation in held_back(store, waiting)]
        assert gone <= 2
