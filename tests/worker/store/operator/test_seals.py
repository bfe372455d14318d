"""An operator seals a conversation and opens it again."""

from __future__ import annotations

import pytest

from worker.domain.cadence import Planned, Touch
from worker.domain.conversation import Conversation

PLANNED = Planned(step=0, quiet_from=1, then=Touch(1, "a test"))


@pytest.fixture
def known(store, chat, begin, conversation):
    """A conversation that was answered, with a follow-up planned."""
    store.inbox.accept(chat(event_id="a"))
    store.steps.settle(begin(), "answered", mark="started", follow_up=PLANNED)
    return conversation


def test_a_sealed_conversation_is_known_as_such_and_has_no_follow_up(store, known, chat, begin):
    assert store.seals.seal(known, "kim", "asked us to stop") == "done"
    assert store.redis.zcard(store.keys.of(known).follow_ups) == 0
    assert store.redis.pttl(store.keys.of(known).conversation(known)) == -1
    store.inbox.accept(chat(event_id="b"))
    assert begin().sealed
    (seal,) = store.seals.all()
    assert (seal.conversation, seal.by) == (known, "kim: asked us to stop")


def test_unsealed_it_is_as_before(store, known, chat, begin):
    store.seals.seal(known, "kim")
    assert store.seals.unseal(known, "kim") == "done"
    assert store.seals.all() == []
    assert store.redis.pttl(store.keys.of(known).conversation(known)) > 0
    store.inbox.accept(chat(event_id="b"))
    assert not begin().sealed
    assert [moment.word for moment in store.timeline.of(known)][-4:-2] == ["sealed by", "unsealed by"]


def test_the_seal_of_a_persona_is_listed_and_can_be_opened(store, chat, begin, conversation):
    store.inbox.accept(chat())
    store.steps.settle(begin(), "sealed", mark="sealed")
    (seal,) = store.seals.all("ava")
    assert (seal.conversation, seal.by) == (conversation, "")
    assert store.seals.all("bea") == []
    assert store.seals.unseal(conversation, "kim") == "done"


def test_what_is_so_already_or_unknown_is_not_changed(store, known):
    assert store.seals.unseal(known, "kim") == "nothing"
    store.seals.seal(known, "kim")
    assert store.seals.seal(known, "lou") == "nothing"
    assert store.seals.all()[0].by == "kim"
    assert store.seals.seal(Conversation("ava", "@nobody"), "kim") == "unknown"
    assert store.seals.unseal(Conversation("ava", "@nobody"), "kim") == "unknown"


def test_the_same_call_twice_is_one(store, known, monkeypatch):
    monkeypatch.setattr("worker.store.operator.seals.uuid.uuid4", lambda: type("Same", (), {"hex": "call-1"}))
    assert [store.seals.seal(known, "kim") for _ in range(2)] == ["done", "done"]
    monkeypatch.setattr("worker.store.operator.seals.uuid.uuid4", lambda: type("Same", (), {"hex": "call-2"}))
    assert [store.seals.unseal(known, "kim") for _ in range(2)] == ["done", "done"]
    assert [moment.word for moment in store.timeline.of(known)][-2:] == ["sealed by", "unsealed by"]
