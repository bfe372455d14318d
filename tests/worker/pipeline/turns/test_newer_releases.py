"""What a newer release has stored waits for a worker of that release: it never vanishes, and never dies."""

from __future__ import annotations

import json

import pytest

from worker.domain.events import AiOpener


@pytest.fixture
def rewrite(store, lead):
    """Change what is stored of an event, as JSON, and put it back again."""

    def change(event_id, field, **values):
        key = store.keys.of(lead).journal(lead, event_id)
        before = store.redis.hget(key, field)
        store.redis.hset(key, field, json.dumps({**json.loads(before), **values}))
        return lambda: store.redis.hset(key, field, before)

    return change


@pytest.mark.parametrize("newer", [{"language": "SECRET"}, {"kind": "reaction"}])
def test_an_event_is_held_and_answered_once_it_can_be_read(shop, say, lead, store, rewrite, newer, caplog):
    shop.producer.enqueue(say("a", event_id="e1"))
    put_back = rewrite("e1", "payload", **newer)
    if "kind" in newer:
        store.redis.hset(store.keys.of(lead).journal(lead, "e1"), "kind", "reaction")
    phrases = shop.work(turns=8)
    assert all("written by a newer release: an event, " in phrase for phrase in phrases)
    assert (shop.asked(), shop.fates()) == ([], {"waiting": 1})
    assert "asks_vanished" not in store.redis.hgetall(store.keys.of(lead).journal(lead, "e1"))
    assert "SECRET" not in caplog.text + str(phrases)
    put_back()
    store.redis.hset(store.keys.of(lead).journal(lead, "e1"), "kind", "inbound_chat")
    assert shop.work() == ["answered"]


def test_a_stored_reply_is_held_and_delivered_once_it_can_be_read(shop, say, store, rewrite):
    shop.fail(status=503, nth=1, service="captivate")
    shop.producer.enqueue(say("a", event_id="e1"))
    shop.work(turns=1)
    put_back = rewrite("e1", "reply", voice="SECRET")
    assert "a stored reply, unknown field voice" in shop.work(turns=5)[-1]
    assert (shop.texts(), shop.fates()) == ([], {"waiting": 1})
    put_back()
    assert shop.work() == ["answered"]
    assert len(shop.asked()) == 1


def test_a_reply_that_a_newer_worker_stored_during_the_call_is_held(shop, say, lead, store, monkeypatch):
    shop.producer.enqueue(say("a", event_id="e1"))
    record = shop.parts.store.steps.record

    def late(grant, text, **fields):
        key = store.keys.of(lead).journal(lead, "e1")
        store.redis.hset(key, mapping={"reply": '{"bubbles":["b"],"voice":1}', "replied_at": 1})
        return record(grant, text, **fields)

    monkeypatch.setattr(shop.parts.store.steps, "record", late)
    assert all("a stored reply, unknown field voice" in phrase for phrase in shop.work(turns=3))
    assert (shop.texts(), shop.fates()) == ([], {"waiting": 1})


def test_a_channel_context_of_the_conversation_is_held(shop, say, lead, store):
    shop.producer.enqueue(say("a"))
    shop.work()
    key = store.keys.of(lead).conversation(lead)
    known = store.redis.hget(key, "channel")
    store.redis.hset(key, "channel", json.dumps({**json.loads(known), "thread": "SECRET"}))
    shop.producer.enqueue(say("b", channel=None))
    assert "a channel context, unknown field thread" in shop.work(turns=4)[-1]
    store.redis.hset(key, "channel", known)
    assert shop.work() == ["answered"]


def test_it_does_not_keep_the_lead_behind_an_opener_that_gives_way(shop, say, rewrite):
    shop.producer.enqueue(say(kind=AiOpener, event_id="e1"))
    rewrite("e1", "payload", language="de")
    shop.work(turns=2)
    shop.producer.enqueue(say("a"))
    assert shop.work()[-2:] == ["skipped: the lead wrote in the meantime", "answered"]


@pytest.mark.parametrize("damage", ["a missing kind", "a missing payload", "a number"])
def test_a_record_that_lacks_something_is_held_and_costs_no_attempt(shop, say, lead, store, damage):
    shop.producer.enqueue(say("a", event_id="e1"))
    key = store.keys.of(lead).journal(lead, "e1")
    field = {"a missing kind": "kind", "a missing payload": "payload", "a number": "send_unknowns"}[damage]
    known = store.redis.hget(key, field)
    store.redis.hset(key, field, "SECRET") if damage == "a number" else store.redis.hdel(key, field)
    phrases = shop.work(turns=6)
    assert all("written by a newer release or damaged: the record of an event, " in phrase for phrase in phrases)
    assert "SECRET" not in str(phrases)
    assert shop.fates() == {"waiting": 1}
    store.redis.hset(key, field, known) if known else store.redis.hdel(key, field)
    assert shop.work() == ["answered"]


def test_a_sealed_conversation_ends_it(shop, say, lead, store, rewrite):
    shop.producer.enqueue(say("a", event_id="e1"))
    rewrite("e1", "payload", language="de")
    store.seals.seal(lead, "kim")
    assert shop.work()[-1].startswith("sealed")
