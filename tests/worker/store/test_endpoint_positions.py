"""Where an endpoint begins in the streams of notices, and what is left of what it has read."""

from __future__ import annotations

import uuid

import pytest

from worker.domain.conversation import Conversation

LEAD = Conversation("ava", "@lead")


@pytest.fixture
def store(make_store):
    """It keeps notices."""
    return make_store(notices={"keep": True})


@pytest.fixture
def end(store, channel, chat):
    """Give a message its fate, and return the place of its notice."""

    def run(event_id):
        store.inbox.accept(chat(event_id=event_id))
        store.steps.settle(store.steps.begin(LEAD, uuid.uuid4().hex), "answered")
        [found] = [each for each in store.notices.read().notices if each.event_id == event_id]
        return store.notices.shard_of(found), found.id.partition("-")[2]

    return run


def test_a_new_endpoint_begins_before_the_oldest_notice_that_is_kept(store, end):
    assert set(store.endpoints.beginnings()) == {"0-0"}
    shard, _ = end("a")
    _, second = end("b")
    store.redis.xtrim(store.keys.shards[shard].notices, maxlen=1, approximate=False)
    page = store.notices.read_shard(shard, store.endpoints.beginnings()[shard])
    assert [each.id.partition("-")[2] for each in page.notices] == [second]
    store.redis.delete(store.keys.shards[shard].notices)
    assert store.endpoints.beginnings()[shard] == f"0-{second.partition('-')[2]}", "the next one has the next number"


def test_a_notice_that_was_read_may_be_gone(store, end):
    shard, place = end("a")
    assert store.endpoints.is_kept(shard, place)
    store.notices.erase(LEAD)
    assert not store.endpoints.is_kept(shard, place)


def test_a_process_that_keeps_notices_need_not_be_told_so(store, make_store):
    assert store.notices.kept()
    assert not make_store().notices.kept()
