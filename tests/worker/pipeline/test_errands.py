"""What is due for a gate or the places of a persona, done by whichever process takes it."""

from __future__ import annotations

import logging

import pytest

from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat
from worker.domain.vocabulary import Gate
from worker.pipeline.due import Upkeep
from worker.pipeline.errands import Errands
from worker.store.personas.errands import Errand
from worker.store.personas.gates import owner_of


@pytest.fixture
def someone_waits(store, channel):
    """A lead waits at the closed circuit of the persona."""

    def at(target="@lead"):
        store.personas.close_for_probing("ava", Gate.CIRCUIT, "no_answer")
        store.inbox.accept(InboundChat(persona="ava", target=target, message="hi", channel=channel))
        assert store.steps.begin(Conversation("ava", target), "token").status == "held"
        store.redis.delete("turns")

    return at


def due_now(store):
    """All errands are due."""
    for shard in store.keys.shards:
        for errand in store.redis.zrange(shard.errands, 0, -1):
            store.redis.zadd(shard.errands, {errand: 1})


def test_a_closed_gate_is_tried_by_one_who_waits(store, make_settings, someone_waits):
    someone_waits()
    due_now(store)
    Upkeep(store, make_settings()).look()
    assert store.redis.llen("turns") == 1
    assert Errands(store).run() == 0, "the next try is due after its interval"
    assert store.agenda.claim_due() == [], "the one that tries has time to answer its doorbell"


def test_nobody_tries_a_gate_that_nobody_waits_for(store):
    store.personas.close_for_probing("ava", Gate.CIRCUIT, "no_answer")
    due_now(store)
    assert Errands(store).run() == 1
    assert store.redis.llen("turns") == 0


def test_a_try_of_a_gate_that_is_open_by_now_is_dropped(store):
    errands = store.keys.home("ava").errands
    store.redis.zadd(errands, {"probe circuit ava": 1})
    assert Errands(store).run() == 0
    assert store.redis.exists(errands) == 0


@pytest.mark.parametrize(
    ("errand", "part", "step"),
    [
        (Errand("open", "circuit", "ava"), "gates", ("finish_opening", owner_of("circuit", "ava"), "circuit")),
        (Errand("places", "calls", "ava"), "places", ("look", "ava")),
    ],
)
def test_an_errand_that_a_process_left_is_finished(store, monkeypatch, errand, part, step):
    done = []
    monkeypatch.setattr(store.errands, "take", lambda shards: [errand])
    monkeypatch.setattr(getattr(store, part), step[0], lambda *arguments: done.append(arguments))
    assert Errands(store).run() == 1
    assert done == [step[1:]]


def test_an_errand_of_a_newer_release_is_left(store, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(store.errands, "take", lambda shards: [Errand("sweep", "circuit", "ava")])
    assert Errands(store).run() == 1
    assert "errand of an unknown kind left: sweep" in caplog.text
