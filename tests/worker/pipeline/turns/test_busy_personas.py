"""Whole ticks of a worker: a persona that is busy or was removed does not keep the others waiting."""

from __future__ import annotations

import base64
import json
import logging
import threading
from contextlib import suppress

import pytest

from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, InboundChat
from worker.domain.vocabulary import OUTREACH
from worker.pipeline.turns import DeadLetter

UNCONFIGURED = "persona is not configured"


class Worker:
    """Threads that take doorbells off the queues as Celery does, and one that does what each tick does."""

    def __init__(self, shop, store, threads=8):
        self._turns, self._upkeep, self._redis = shop.parts.turns, shop.parts.upkeep, store.redis
        self._ends = threading.Event()
        self.doorbells = []
        jobs = [self._tick, *threads * [self._take]]
        self._threads = [threading.Thread(target=job, daemon=True) for job in jobs]
        for thread in self._threads:
            thread.start()

    def stop(self):
        self._ends.set()
        for thread in self._threads:
            thread.join(20)

    def _take(self):
        while not self._ends.is_set():
            for lane in ("turns", "outreach"):
                message = self._redis.rpop(lane)
                if message:
                    self._run(Conversation(*json.loads(base64.b64decode(json.loads(message)["body"]))[0]), lane)
                    break
            else:
                self._ends.wait(0.02)

    def _run(self, conversation, lane):
        self.doorbells.append(conversation)
        with suppress(DeadLetter):
            self._turns.run(*conversation, lane)

    def _tick(self):
        while not self._ends.wait(0.1):
            due = self._upkeep.look()
            self._upkeep.ring_due(due.shards)


@pytest.fixture
def work(store):
    """Start a worker for a shop; it ends with the test."""
    running = []

    def start(shop, **options):
        running.append(Worker(shop, store, **options))
        return running[-1]

    yield start
    for worker in running:
        worker.stop()


def openers(channel, persona, count):
    return [
        AiOpener(
            persona=persona, target=f"@{persona}-{number}", channel={**channel, "session_id": f"{persona}-{number}"}
        )
        for number in range(count)
    ]


BOUND = {"api_key": "ft_sk_ava", "calls_at_once": 1}
OTHER = {"api_key": "ft_sk_bea"}


def test_an_idle_persona_has_its_openers_asked_beside_a_long_campaign_that_can_hardly_go(
    make_shop, store, channel, upstreams, work, eventually
):
    shop = make_shop(personas={"ava": BOUND, "bea": OTHER})
    upstreams.set_latency(1.0, service="fluidtalk", persona="ava")
    shop.producer.enqueue_many(openers(channel, "ava", 300))
    shop.producer.enqueue_many(openers(channel, "bea", 5))
    work(shop)

    def asked(persona):
        return [call for call in shop.asked() if (call.target or "").startswith(f"@{persona}")]

    eventually(lambda: len(asked("bea")) == 5, "bea's openers", seconds=15)
    assert len(asked("ava")) < 30, "hers are still far from their end"


def test_a_persona_that_was_removed_costs_no_doorbells_and_one_line(
    make_shop, make_store, store, channel, work, eventually, caplog
):
    before = make_shop(personas={"ava": {"api_key": "ft_sk_ava"}, "bea": OTHER})
    before.producer.enqueue_many(openers(channel, "ava", 200))
    before.producer.enqueue_many(
        InboundChat(persona="ava", target=f"@lead-{number}", message="hi", channel=channel) for number in range(20)
    )
    before.producer.enqueue_many(openers(channel, "bea", 3))
    shop = make_shop(personas={"bea": OTHER})
    later = make_store(personas={"bea": OTHER})
    with caplog.at_level(logging.WARNING):
        worker = work(shop)
        eventually(lambda: len(shop.asked()) == 3, "bea's openers", seconds=15)
        for shard in store.keys.shards:
            for name in store.redis.zrange(shard.agenda, 0, -1):
                store.redis.zadd(shard.agenda, {name: 1})
        eventually(lambda: later.agenda.look().shards == (), "nothing is due any more")
        worker.stop()
    rung = [conversation for conversation in worker.doorbells if conversation.persona == "ava"]
    assert len(rung) == 20, "those that the producer rang"
    assert len([record for record in caplog.records if UNCONFIGURED in record.message]) == 1
    assert later.measures.take().unconfigured["ava"].events == 220


@pytest.mark.parametrize("retry_after", [None, 2])
def test_a_lead_who_alone_is_throttled_does_not_keep_the_others_waiting(
    make_shop, channel, work, eventually, retry_after
):
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava"}}, retry={"pause_seconds": 0.5})
    shop.fail(status=429, target="@throttled", service="fluidtalk", retry_after_seconds=retry_after)

    def chat(target):
        return InboundChat(persona="ava", target=target, message="hi", channel={**channel, "session_id": target})

    def throttled():
        return len([call for call in shop.asked() if call.target == "@throttled"])

    shop.producer.enqueue(chat("@throttled"))
    work(shop)
    eventually(lambda: throttled() >= 3, "the throttled lead is tried again and again", seconds=20)
    others = [f"@lead-{number}" for number in range(20)]
    shop.producer.enqueue_many(map(chat, others))
    before = throttled()
    eventually(lambda: all(map(shop.delivered, others)), "the others are answered", seconds=20)
    assert throttled() - before <= 2, "they waited for the key once, and not behind the throttled lead"


def test_outreach_that_finds_no_room_in_a_process_is_rung_for_again_at_the_next_tick(
    make_shop, store, channel, upstreams, eventually
):
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava"}}, worker={"concurrency": 4, "outreach_share": 0.5})
    upstreams.set_latency(1.5, service="fluidtalk", persona="ava")
    shop.producer.enqueue_many(openers(channel, "ava", 5))
    rung = [conversation for conversation, _ in store.agenda.claim_due()]
    busy = [threading.Thread(target=shop.parts.turns.run, args=(*conversation, OUTREACH)) for conversation in rung[:2]]
    for thread in busy:
        thread.start()
    eventually(lambda: len(shop.asked()) + upstreams.summary()["fluidtalk"].in_flight == 2, "both slots are taken")
    said = {shop.parts.turns.run(*conversation, OUTREACH) for conversation in rung[2:]}
    assert said == {"waits: the persona has its share of the slots"}
    assert [conversation for conversation, _ in store.agenda.claim_due()] == rung[4:], "two wait in the process"
    for thread in busy:
        thread.join(30)
    assert shop.fates() == {"answered": 4, "waiting": 1}
