"""What the store refuses for one message alone ends, and what it refuses for all waits in the queue."""

from __future__ import annotations

import json

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from simulation.servers.embedded_redis import EmbeddedRedis
from tests.worker.pipeline.celery_intake.door import LEAD, push
from worker.domain.conversation import Conversation
from worker.pipeline.celery_intake import Intake
from worker.pipeline.producer import Producer
from worker.store import Store, StoreError


@pytest.fixture
def spoil(store):
    """Put a value of the wrong type where the store keeps something of a conversation: scripts fail for it, always."""

    def run(noun, conversation=LEAD):
        shard = store.keys.of(conversation)
        for key in (shard.key(noun), shard.key(f"{noun}:{conversation.name}")):
            store.redis.set(key, "of the wrong type")

    return run


@pytest.mark.parametrize("noun", ["inbox", "conversation", "timeline"])
def test_a_message_that_the_store_refuses_becomes_a_letter_and_the_next_is_accepted(
    intake, store, chat, journal, spoil, caplog, noun
):
    spoil(noun)
    push(store, chat(), "m1")
    push(store, chat(target="@behind"), "m2")
    assert intake.take_in() == 2
    assert store.redis.llen("accept") == 0
    assert store.inbox.waiting(Conversation("ava", "@behind")) == 1
    (letter,) = store.dead_letters.newest()
    assert letter.cause == "store_refuses code=WRONGTYPE"
    assert json.loads(journal(letter.conversation, letter.event_id)["payload"])["message"] == "SECRET words"
    assert "SECRET" not in caplog.text
    assert store.parked.count() == 0


def test_a_refusal_that_the_store_refuses_becomes_a_letter_elsewhere(intake, store, chat, spoil):
    spoil("timeline")
    push(store, chat(kind="shout"), "m1")
    assert intake.take_in() == 1
    (letter,) = store.dead_letters.newest()
    assert letter.conversation == Conversation("-", "-")


@pytest.fixture
def no_letters(store):
    """No shard takes any letter."""
    for shard in store.keys.shards:
        store.redis.set(shard.dead, "of the wrong type")


def test_what_not_even_a_letter_takes_is_parked_and_the_next_is_accepted(
    intake, store, chat, spoil, no_letters, caplog
):
    spoil("inbox")
    for task_id in ("m1", "m2"):
        push(store, chat(), task_id)
    push(store, chat(target="@behind"), "m3")
    first = store.redis.lindex("accept", -1)
    assert intake.take_in() == 3
    assert store.inbox.waiting(Conversation("ava", "@behind")) == 1
    assert store.parked.count() == 2
    assert store.redis.lindex("parley:accept:parked", -1) == first, "as it came"
    assert store.redis.ttl("parley:accept:parked") > 0
    assert "event parked: the store refuses it, and a letter for it (WRONGTYPE)" in caplog.text
    assert "SECRET" not in caplog.text


def test_a_parked_message_is_forgotten_with_its_lead(intake, store, chat, spoil, no_letters):
    spoil("inbox")
    push(store, chat(), "m1")
    intake.take_in()
    store.redis.delete(*(shard.dead for shard in store.keys.shards), store.keys.of(LEAD).inbox(LEAD))
    traces = store.forgetting.traces(LEAD)
    assert traces.messages == 1
    store.forgetting.forget(LEAD, traces)
    assert store.parked.count() == 0


def test_when_nothing_more_can_be_parked_the_queue_waits(intake, store, chat, spoil, no_letters, monkeypatch):
    monkeypatch.setattr("worker.store.queues.parked.MESSAGES", 1)
    spoil("inbox")
    for task_id in ("m1", "m2"):
        push(store, chat(), task_id)
    with pytest.raises(StoreError):
        intake.take_in()
    assert (store.parked.count(), store.redis.llen("accept")) == (1, 1)


@pytest.mark.parametrize(("setting", "value"), [("maxmemory", "1"), ("min-replicas-to-write", "1")])
def test_a_store_that_refuses_all_writes_leaves_the_message_in_the_queue(make_settings, chat, setting, value):
    with EmbeddedRedis() as server:
        settings = make_settings(redis_url=server.url)
        store = Store(settings, connections=2)
        intake = Intake(Producer(settings, store=store), store, wait_seconds=1)
        for event in (chat(), chat(kind="shout")):
            push(store, event, "m1")
        # A reader that was there before the store was full.
        store.accept_queue.become_reader = lambda: "token"
        store.redis.config_set(setting, value)
        with pytest.raises(StoreError):
            intake.take_in()
        store.redis.config_set(setting, "0")
        assert store.redis.llen("accept") == 2
        assert store.parked.count() == 0
        assert intake.take_in() == 2
        store.close()


def test_an_event_that_breaks_the_connection_whenever_it_is_sent_becomes_a_letter(make_settings, chat):
    """A server that takes no argument of this size closes the connection; to a client it looks like one that ended."""
    with EmbeddedRedis(options={"proto-max-bulk-len": "1mb"}) as server:
        settings = make_settings(redis_url=server.url, limits={"message_characters": 10_000_000})
        store = Store(settings, connections=2)
        intake = Intake(Producer(settings, store=store), store, wait_seconds=60)
        assert intake.accept(chat(message="x" * 8_000_000), "m1").startswith("refused: the store refuses it")
        (letter,) = store.dead_letters.newest()
        assert store.dead_letters.open(letter.conversation, letter.event_id).whole_bytes > 8_000_000
        store.close()


def test_an_event_that_breaks_every_connection_waits_while_the_store_does_not_answer(
    make_settings, chat, store, monkeypatch
):
    """Only a store that answers meanwhile shows that it is the event's own fault."""

    def breaks(*_, **__):
        raise RedisConnectionError("Connection closed by server.")

    monkeypatch.setattr(store.inbox, "accept", breaks)
    monkeypatch.setattr(store, "ping", breaks)
    settings = make_settings(limits={"message_characters": 10_000_000})
    intake = Intake(Producer(settings, store=store), store, wait_seconds=5)
    with pytest.raises(StoreError):
        intake.accept(chat(message="x" * 2_000_000), "m1")


def test_a_large_event_that_broke_two_connections_is_sent_a_third_time(make_settings, chat, store, monkeypatch):
    """The store may have restarted twice meanwhile."""
    accept, sent = store.inbox.accept, []

    def breaks_twice(event, *arguments, **options):
        sent.append(event)
        if len(sent) < 3:
            raise RedisConnectionError("Connection closed by server.")
        return accept(event, *arguments, **options)

    monkeypatch.setattr(store.inbox, "accept", breaks_twice)
    settings = make_settings(limits={"message_characters": 10_000_000})
    intake = Intake(Producer(settings, store=store), store, wait_seconds=60)
    assert intake.accept(chat(message="x" * 2_000_000), "m1").startswith("accepted")
    assert len(sent) == 3
