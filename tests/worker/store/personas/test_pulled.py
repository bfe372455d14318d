"""What the store knows of follow-ups that FluidTalk has written, from their acceptance to a day after their ack."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp, PulledFollowUp
from worker.store.redis.ahead import KEY

LEAD = Conversation("ava", "@lead")
HOUR = 3_600_000
DAY = 86_400_000


def pulled(store, ref):
    return store.inbox.accept(PulledFollowUp.of("ava", "@lead", ref, ["hi"]))


def key(store):
    return store.keys.of(LEAD).pulled("ava")


def known(store, *refs):
    return store.pulled.known([(LEAD, ref) for ref in refs])


def with_channel(store, channel):
    store.inbox.accept(FollowUp(persona="ava", target="@lead", channel=channel))


def test_one_has_its_name_until_a_day_after_its_ack(store, channel):
    with_channel(store, channel)
    assert pulled(store, "fu_1").status == "accepted"
    assert pulled(store, "fu_1").status == "duplicate"
    assert (known(store, "fu_1", "fu_2"), store.pulled.unacknowledged("ava")) == ([False, None], 1)
    store.redis.zadd(key(store), {"fu_1": 1})
    [owed] = store.pulled.take_owed("ava")
    assert store.pulled.take_owed("ava") == [], "it is taken"
    store.pulled.acknowledged("ava", owed)
    assert (known(store, "fu_1"), store.pulled.unacknowledged("ava")) == ([True], 0)
    store.redis.zadd(key(store), {"fu_1": -(store.follow_ups.now() - DAY - 1000)})
    assert (store.pulled.unacknowledged("ava"), known(store, "fu_1")) == (0, [None])


def test_pullers_at_the_same_moment_accept_each_once(store, channel):
    with_channel(store, channel)
    refs = [f"fu_{number}" for number in range(50)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda ref: pulled(store, ref).status, refs * 8))
    assert found.count("accepted") == 50
    assert store.inbox.waiting(LEAD) == 51


def test_what_was_pulled_but_ended_unsaid_is_to_be_acknowledged(store, channel):
    """A release that knows no acks ends it, or its conversation is erased."""
    with_channel(store, channel)
    pulled(store, "fu_1")
    store.redis.rpop(store.keys.conversation(LEAD).inbox)
    assert store.pulled.take_owed("ava") == []
    assert pulled(store, "fu_1").status == "duplicate"
    assert [owed.ref for owed in store.pulled.take_owed("ava")] == ["fu_1"]


def test_a_right_is_one_callers_until_its_pause_is_over(store):
    token = store.pulled.take_right("ava", "list:x", 60)
    assert token
    assert store.pulled.take_right("ava", "list:x", 60) is None
    assert store.pulled.take_right("ava", "list:y", 60)
    store.pulled.done("ava", "list:x", "of another", 0.001)
    assert store.pulled.take_right("ava", "list:x", 60) is None
    store.redis.pexpire(store.keys.persona("ava").pulling("list:x"), 3 * DAY)
    store.pulled.take_right("ava", "list:x", 60)
    assert store.redis.pttl(store.keys.persona("ava").pulling("list:x")) <= DAY


def test_a_clock_that_steps_back_moves_the_next_try_and_leaves_what_waits(make_store, channel):
    store = make_store(ahead=True)
    store.redis.set(KEY, HOUR)
    with_channel(store, channel)
    pulled(store, "fu_1")
    store.redis.zadd(key(store), {"fu_2": store.follow_ups.now() + 60_000})
    store.redis.set(KEY, 0)
    store.agenda.claim_due()
    assert known(store, "fu_1", "fu_2") == [False, True]
    assert store.redis.zscore(key(store), "fu_2") < store.follow_ups.now() + 61_000, "an hour and a minute before"


def test_what_can_become_no_event_is_owed_once(store):
    store.pulled.owe("ava", [])
    store.pulled.owe("ava", ["fu_1"])
    store.pulled.owe("ava", ["fu_1"])
    assert store.pulled.unacknowledged("ava") == 1
    [owed] = store.pulled.take_owed("ava")
    store.pulled.acknowledged("ava", owed)
    store.pulled.owe("ava", ["fu_1"])
    assert store.pulled.unacknowledged("ava") == 0, "it was acknowledged"
