"""What one tick of beat does: one look, and then only what there is work for."""

from __future__ import annotations

import pytest

from tasks import scheduled
from worker import bootstrap
from worker.domain.events import AiOpener, InboundChat


@pytest.fixture
def tick(make_settings, store, monkeypatch):
    """One tick, in a process with these settings. Returns the other jobs that it sent for."""
    built = []

    def run(**overrides):
        if not built:
            built.append(bootstrap.build(make_settings(**overrides)))
        sent = []
        with monkeypatch.context() as patch:
            patch.setattr(scheduled, "parts", lambda: built[0])
            for job in ("take_in", "plan_follow_ups", "pull_follow_ups"):
                patch.setattr(getattr(scheduled, job), "apply_async", lambda job=job: sent.append(job))
            scheduled.ring_due()
        return sent

    yield run
    for parts in built:
        parts.close()


def chat(channel, target="@lead"):
    return InboundChat(persona="ava", target=target, message="hi", channel=channel)


def lose_doorbells(store):
    """Everything is due, and nobody rang."""
    store.redis.delete("turns", "outreach")
    for shard in store.keys.shards:
        for name in store.redis.zrange(shard.agenda, 0, -1):
            store.redis.zadd(shard.agenda, {name: 1})


def test_a_quiet_store_needs_nothing(tick):
    assert tick() == []


def test_follow_ups_of_fluidtalk_are_looked_for_every_few_seconds(tick):
    personas = {"cleo": {"api_key": "ftc_live_cleo", "platform": "instagram"}}
    assert tick(personas=personas) == ["pull_follow_ups"]
    assert tick() == []


def test_the_task_says_how_many_it_has_accepted(make_settings, store, monkeypatch):
    parts = bootstrap.build(make_settings())
    monkeypatch.setattr(scheduled, "parts", lambda: parts)
    assert scheduled.pull_follow_ups() == "accepted 0"
    parts.close()


def test_what_is_due_is_rung_for(tick, store, channel, no_thread_left):
    store.inbox.accept(chat(channel))
    store.inbox.accept(AiOpener(persona="ava", target="@cold", channel=channel))
    lose_doorbells(store)
    assert tick() == []
    assert (store.redis.llen("turns"), store.redis.llen("outreach")) == (1, 1)


def test_who_falls_due_before_the_next_tick_is_rung_for_then(make_store, tick, channel, eventually, no_thread_left):
    parts = {"join": {"settle_seconds": 1.5, "settle_limit_seconds": 2}, "agenda": {"tick_seconds": 1.5}}
    store = make_store(**parts)
    store.inbox.accept(chat(channel))
    tick(**parts)
    assert store.redis.llen("turns") == 0
    eventually(lambda: store.redis.llen("turns") == 1, "the doorbell, before any other tick")


def test_it_sends_for_the_jobs_that_have_work(tick, store):
    store.redis.lpush("accept", "anything")
    assert tick() == ["take_in"]
    store.redis.delete("accept")
    store.redis.zadd(store.keys.shards[3].follow_ups, {"ava:@lead": 1})
    assert tick() == ["plan_follow_ups"]
