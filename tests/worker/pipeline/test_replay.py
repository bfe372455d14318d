"""Letters of refused events that cannot go through the door again now."""

from __future__ import annotations

import base64

import pytest

from worker.domain.conversation import Conversation
from worker.pipeline.celery_intake import Intake
from worker.pipeline.producer import Producer
from worker.pipeline.replay import Replay

LEAD = Conversation("ava", "@lead")
NO_MESSAGE = {"kind": "inbound_chat", "persona": "ava", "target": "@lead"}


@pytest.fixture
def make_replay(make_store, make_settings):
    """A store with settings of one's own, the door, and the way back through it."""

    def make(**overrides):
        settings, store = make_settings(**overrides), make_store(**overrides)
        producer = Producer(settings, store=store)
        return store, Intake(producer, store, 1.0), Replay(settings, store, producer)

    return make


def test_a_letter_that_is_discarded_while_it_is_replayed_is_unknown(make_replay, monkeypatch):
    store, intake, replay = make_replay()
    intake.accept(NO_MESSAGE, "m1")
    monkeypatch.setattr(store.dead_letters, "open", lambda *_: None)
    assert replay.run(LEAD, "m1", "place").status == "unknown"


def test_a_letter_whose_key_is_missing_stays_one(make_replay):
    mine, others = ({"encryption": {"keys": [base64.b64encode(bytes([number]) * 32).decode()]}} for number in (1, 2))
    store, intake, _ = make_replay(**mine)
    intake.accept(NO_MESSAGE, "m1")
    _, _, replay = make_replay(**others)
    outcome = replay.run(LEAD, "m1", "place")
    assert (outcome.done, outcome.status) == (False, "undecryptable")
    assert len(store.dead_letters.newest()) == 1
