"""What beat runs: leads who wait are rung for at once, outreach is spread over the tick."""

from __future__ import annotations

import threading

import pytest

from worker.domain.events import AiOpener, InboundChat
from worker.pipeline.due import Upkeep
from worker.store import StoreError
from worker.store.conversations.agenda import Due


class Pauses(list):
    """The pauses that were made, each with how many doorbells had been rung before it: leads, outreach."""

    def __init__(self, redis):
        super().__init__()
        self.redis = redis

    def make(self, seconds):
        self.append((seconds, self.redis.llen("turns"), self.redis.llen("outreach")))


@pytest.fixture
def pauses(store):
    """Makes no pause, and notes it."""
    return Pauses(store.redis)


def due(store, channel, leads, openers):
    for number in range(leads):
        store.inbox.accept(InboundChat(persona="ava", target=f"@{number}", message="hi", channel=channel))
    for number in range(openers):
        store.inbox.accept(AiOpener(persona="ava", target=f"@cold-{number}", channel=channel))
    store.redis.delete("turns")
    for shard in store.keys.shards:
        for name in store.redis.zrange(shard.agenda, 0, -1):
            store.redis.zadd(shard.agenda, {name: 1})


def test_leads_are_rung_for_before_the_first_pause_and_outreach_one_by_one(make_settings, store, channel, pauses):
    due(store, channel, leads=30, openers=5)
    assert Upkeep(store, make_settings(agenda={"outreach_limit": 100}), pauses.make).ring_due() <= 35
    assert [leads for _, leads, _ in pauses] == [30] * len(pauses)
    assert [outreach for _, _, outreach in pauses] == list(range(1, len(pauses) + 1))
    assert sum(seconds for seconds, _, _ in pauses) < 0.5


def test_much_outreach_is_rung_for_in_groups(make_settings, make_store, channel, pauses):
    store = make_store(agenda={"outreach_limit": 1000})
    due(store, channel, leads=0, openers=200)
    assert Upkeep(store, make_settings(), pauses.make).ring_due() == 200
    assert store.redis.llen("outreach") == 200
    assert 0 < len(pauses) <= 50
    assert sum(seconds for seconds, _, _ in pauses) < 0.5


def test_without_outreach_there_is_no_pause(make_settings, store, channel, pauses):
    due(store, channel, leads=10, openers=0)
    assert Upkeep(store, make_settings(), pauses.make).ring_due() == 10
    assert pauses == []


@pytest.fixture
def long_tick(make_store, make_settings, no_thread_left):
    """A store where messages settle for a moment, and its upkeep, between two ticks that are far apart."""
    parts = {"join": {"settle_seconds": 1, "settle_limit_seconds": 2}, "agenda": {"tick_seconds": 1.5}}
    store = make_store(**parts)
    return store, Upkeep(store, make_settings(**parts))


def test_a_lead_who_falls_due_between_two_ticks_is_rung_for_then(long_tick, channel, eventually):
    store, upkeep = long_tick
    store.inbox.accept(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
    upkeep.ring_until_next_tick(upkeep.look())
    assert store.redis.llen("turns") == 0, "not before its time"
    eventually(lambda: store.redis.llen("turns") == 1, "the doorbell")


def test_who_falls_due_meanwhile_is_rung_for_too_and_outreach_waits_for_the_tick(long_tick, channel, eventually):
    store, upkeep = long_tick
    store.inbox.accept(AiOpener(persona="ava", target="@cold", channel=channel))
    upkeep.ring_until_next_tick(upkeep.look())
    store.inbox.accept(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
    eventually(lambda: store.redis.llen("turns") == 1, "the doorbell")
    assert store.redis.llen("outreach") == 0


def test_nobody_waits_between_ticks_for_what_falls_due_after_the_next_one(store, make_settings, channel):
    store.inbox.accept(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
    before = set(threading.enumerate())
    upkeep = Upkeep(store, make_settings())
    upkeep.ring_until_next_tick(upkeep.look())
    assert set(threading.enumerate()) <= before, "those of other tests may end meanwhile"


def test_a_store_where_something_always_falls_due_is_looked_at_ten_times_a_second_at_most(
    make_settings, store, eventually, monkeypatch
):
    looks, soon = [], Due((), follow_ups=False, accept=False, next_seconds=0.0)
    monkeypatch.setattr(store.agenda, "look", lambda: looks.append("look") or soon)
    before = set(threading.enumerate())
    Upkeep(store, make_settings(agenda={"tick_seconds": 0.5})).ring_until_next_tick(soon)
    eventually(lambda: set(threading.enumerate()) <= before, "the end of the tick")
    assert 0 < len(looks) <= 5


def test_an_unexpected_error_between_two_ticks_costs_no_later_tick(long_tick, channel, eventually, monkeypatch, caplog):
    store, upkeep = long_tick
    look = store.agenda.look
    faults = [KeyError("PLANTED")]
    monkeypatch.setattr(store.agenda, "look", lambda: look() if not faults else fail(faults.pop()))
    store.inbox.accept(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
    upkeep.ring_until_next_tick(look())
    eventually(lambda: not faults, "the fault")

    def rung():
        upkeep.ring_until_next_tick(look())
        return store.redis.llen("turns")

    eventually(rung, "the doorbell, by a later tick", seconds=3)
    said = [record.getMessage() for record in caplog.records if "unexpected" in record.getMessage()]
    assert len(said) == 1
    assert "PLANTED" not in caplog.text


def fail(error):
    raise error


def test_a_system_without_room_for_a_thread_costs_no_later_tick(long_tick, channel, eventually, monkeypatch, caplog):
    store, upkeep = long_tick
    store.inbox.accept(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", lambda thread: fail(RuntimeError("can't start new thread")))
        upkeep.ring_until_next_tick(upkeep.look())
    assert "unexpected error in the look between two ticks: RuntimeError" in caplog.text
    upkeep.ring_until_next_tick(upkeep.look())
    eventually(lambda: store.redis.llen("turns") == 1, "the doorbell", seconds=3)


def test_a_store_that_is_away_between_two_ticks_leaves_it_to_the_next_one(
    long_tick, channel, eventually, monkeypatch, caplog
):
    store, upkeep = long_tick
    store.inbox.accept(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
    due = upkeep.look()
    monkeypatch.setattr(store.agenda, "look", lambda: fail(StoreError("PLANTED")))
    upkeep.ring_until_next_tick(due)
    line = "store unreachable (RedisError): the next tick sends doorbells for what is due"
    eventually(lambda: line in caplog.text, "the line")
    assert "PLANTED" not in caplog.text


def test_with_nothing_to_come_nobody_waits(store, make_settings):
    before = set(threading.enumerate())
    upkeep = Upkeep(store, make_settings())
    upkeep.ring_until_next_tick(upkeep.look())
    assert set(threading.enumerate()) <= before


def test_follow_ups_are_planned_once_at_a_time(store, make_settings, monkeypatch):
    upkeep, counts = Upkeep(store, make_settings()), []

    def due(limit):
        counts.append(upkeep.plan_follow_ups())
        return iter([])

    monkeypatch.setattr(store.follow_ups, "due", due)
    assert upkeep.plan_follow_ups() == 0
    assert counts == [0], "while one runs, another one does nothing"


def test_letters_are_removed_when_their_record_has_expired(store, make_settings):
    store.inbox.refuse("ava", "@lead", "m1", "{}", "invalid_event")
    upkeep = Upkeep(store, make_settings())
    assert upkeep.trim() == 0
    for shard in store.keys.shards:
        for letter in store.redis.zrange(shard.dead, 0, -1):
            store.redis.zadd(shard.dead, {letter: 1})
    assert upkeep.trim() == 1
