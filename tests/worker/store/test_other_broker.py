"""The broker is another server than the store: every doorbell is published there, and a lost one is rung again."""

from __future__ import annotations

import base64
import json

import pytest
from redis import Redis

from simulation.servers.embedded_redis import EmbeddedRedis
from worker.domain.conversation import Conversation
from worker.pipeline.due import Upkeep
from worker.store.redis.connection import clock_ms


@pytest.fixture
def broker(redis_server):
    """The broker as it is seen by those who take messages."""
    with Redis.from_url(f"{redis_server.url.removesuffix('/0')}/5", decode_responses=True) as client:
        yield client


@pytest.fixture
def overrides(broker, redis_server):
    """The settings of a store whose broker is another database."""
    return {"broker_url": f"{redis_server.url.removesuffix('/0')}/5"}


@pytest.fixture
def store(make_store, overrides):
    """A store whose broker is another database."""
    return make_store(**overrides)


@pytest.fixture
def rung(broker):
    """Take all doorbells off a queue: the targets of their conversations, oldest first."""

    def take(queue="turns"):
        found = []
        while message := broker.rpop(queue):
            arguments, *_ = json.loads(base64.b64decode(json.loads(message)["body"]))
            found.append(arguments[1])
        return found

    return take


@pytest.fixture
def let_all_fall_due(store):
    """As if the time at which each conversation is looked at next had come."""

    def run():
        for shard in store.keys.shards:
            for name in store.redis.zrange(shard.agenda, 0, -1):
                store.redis.zadd(shard.agenda, {name: 1})

    return run


@pytest.fixture
def upkeep(store, make_settings, overrides):
    """What beat runs."""
    return Upkeep(store, make_settings(**overrides))


def test_what_comes_in_is_rung_for_once(store, accept, rung):
    accept("a", "b")
    store.inbox.accept_many([])
    assert rung() == ["@lead"], "what waits behind another event needs no doorbell"
    assert store.redis.llen("turns") == 0


def test_what_comes_in_together_is_rung_for(store, chat, rung):
    store.inbox.accept_many([chat(target=f"@{number}") for number in range(3)])
    assert rung() == ["@0", "@1", "@2"]


def test_what_is_left_when_a_turn_settles_is_rung_for(store, event_of, begin, rung):
    for _ in range(2):
        store.inbox.accept(event_of("event_trigger"))
    rung()
    assert store.steps.settle(begin(), "answered").left == 1
    assert rung() == ["@lead"]
    assert store.steps.settle(begin(), "answered").left == 0
    assert rung() == []


def test_what_is_left_is_rung_for_again_when_that_doorbell_is_lost(store, event_of, begin, due):
    """After the pause for lost doorbells, not only after the lease of the turn that has ended."""
    for _ in range(2):
        store.inbox.accept(event_of("event_trigger"))
    store.steps.settle(begin(), "answered")
    assert 0 < due() - clock_ms(store.redis) <= 4000


def test_who_is_handed_back_is_rung_for(store, accept, conversation, claim, rung):
    accept("a")
    claim()
    rung()
    store.takeovers.hand_back(conversation, "joined")
    assert rung() == ["@lead"]


def test_a_lost_doorbell_is_rung_again_and_later_once_more(store, accept, rung, upkeep, let_all_fall_due):
    accept("a")
    rung()
    assert upkeep.ring_due() == 0, "not before its time"
    for _ in range(2):
        let_all_fall_due()
        assert upkeep.ring_due() == 1
        assert upkeep.ring_due() == 0, "once"
        assert rung() == ["@lead"]


def test_outreach_comes_with_the_tick_into_its_own_queue(store, event_of, rung, upkeep):
    store.inbox.accept(event_of("ai_opener"))
    assert rung("outreach") == rung() == []
    upkeep.ring_due()
    assert (rung("outreach"), rung()) == (["@lead"], [])


def test_outreach_that_lies_in_its_queue_leaves_less_room(make_store, make_settings, overrides, event_of, rung):
    store = make_store(**overrides, agenda={"outreach_limit": 3})
    for number in range(9):
        store.inbox.accept(event_of("ai_opener", target=f"@{number}"))
    upkeep = Upkeep(store, make_settings(**overrides))
    assert [upkeep.ring_due() for _ in range(2)] == [3, 0]
    assert len(rung("outreach")) == 3
    assert upkeep.ring_due() == 3


def test_who_falls_due_between_two_ticks_is_rung_for(
    make_store, make_settings, overrides, chat, rung, eventually, no_thread_left
):
    parts = {**overrides, "join": {"settle_seconds": 0.2, "settle_limit_seconds": 1}, "agenda": {"tick_seconds": 1.5}}
    store = make_store(**parts)
    store.inbox.accept(chat())
    assert rung() == []
    upkeep = Upkeep(store, make_settings(**parts))
    upkeep.ring_until_next_tick(upkeep.look())
    assert eventually(rung, "the doorbell", seconds=3) == ["@lead"]


def test_a_broker_that_was_away_is_rung_at_again(make_store, make_settings, chat, let_all_fall_due, eventually):
    """What came in meanwhile has its receipt and is rung for by the agenda."""
    with EmbeddedRedis() as server:
        overrides = {"broker_url": server.url}
        store = make_store(**overrides)
        upkeep = Upkeep(store, make_settings(**overrides))
        store.inbox.accept(chat())
        server.kill()
        assert store.inbox.accept(chat(target="@meanwhile")).status == "accepted"
        server.restart()
        with Redis.from_url(server.url) as broker:
            broker.delete("turns")

            def all_rung():
                let_all_fall_due()
                upkeep.ring_due()
                return broker.llen("turns") >= 2

            eventually(all_rung, "both doorbells", seconds=15)


def test_a_conversation_that_nobody_rang_for_is_found_by_the_agenda(make_store, chat, let_all_fall_due, store):
    """Its producer had no broker at all."""
    alone = make_store(broker_url="redis://127.0.0.1:1/0")
    assert alone.inbox.accept(chat()).status == "accepted"
    let_all_fall_due()
    assert store.agenda.claim_due() == [(Conversation("ava", "@lead"), "turns")]


def test_a_letter_that_is_given_back_is_rung_for(store, accept, begin, rung, conversation):
    accept("a")
    store.steps.settle(begin(), "dead", "bad_reply")
    rung()
    assert store.dead_letters.replay(conversation, "a", "place").status == "replayed"
    assert rung() == ["@lead"]


def test_doorbells_of_a_lead_are_found_there(store, accept, broker, conversation):
    accept("a")
    assert store.forgetting.traces(conversation).messages == 1


def test_what_a_person_says_is_rung_for(store, accept, rung):
    accept("a")
    lead = Conversation("ava", "@lead")
    store.takeovers.claim(lead, "kim", "")
    rung()
    assert store.operator_messages.say(lead, "kim", "I will look into it").status == "accepted"
    assert rung() == ["@lead"]
