"""The door over a store with little room, and what is seen of it."""

from __future__ import annotations

import pytest

from tests.worker.pipeline.celery_intake.door import LEAD, SMALL
from worker.pipeline.celery_intake import Intake
from worker.pipeline.producer import Producer


@pytest.fixture
def store(make_store):
    """An empty store with room for two events in each inbox."""
    return make_store(limits=SMALL)


@pytest.fixture
def intake(make_settings, store):
    """The door over that store."""
    return Intake(Producer(make_settings(limits=SMALL), store=store), store, wait_seconds=1)


@pytest.fixture
def chat(channel):
    """What a producer sends: a message of the lead, other fields replaced, None takes one away."""

    def make(**fields):
        event = {
            "kind": "inbound_chat",
            "persona": "ava",
            "target": "@lead",
            "message": "SECRET words",
            "channel": channel,
            **fields,
        }
        return {name: value for name, value in event.items() if value is not None}

    return make


@pytest.fixture
def waiting(store):
    """The ids that wait in the lead's inbox."""
    return lambda: store.redis.lrange(store.keys.of(LEAD).inbox(LEAD), 0, -1)


@pytest.fixture
def journal(store):
    """What the store keeps of one event."""
    return lambda conversation, event_id: store.redis.hgetall(
        store.keys.of(conversation).journal(conversation, event_id)
    )
