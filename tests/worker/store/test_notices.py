"""Each fate is told by exactly one notice, in order, within bounds, also when a call comes twice."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from worker.domain.conversation import Conversation
from worker.domain.notices import Notice, NoticeType
from worker.store import Store
from worker.store.conversations.turn_steps import Grant

OTHER = Conversation("ava", "@other")


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    """An empty store that keeps notices."""
    return make_store(notices={"keep": True})


@pytest.fixture
def all_of(store: Store) -> Callable[..., list[Notice]]:
    """All notices that are kept; of one conversation."""

    def read(conversation: Conversation | None = None) -> list[Notice]:
        found = store.notices.read(limit=100_000).notices
        return [each for each in found if conversation in (None, Conversation(each.persona, each.target))]

    return read


@pytest.fixture
def told(all_of: Callable[..., list[Notice]]) -> Callable[..., list[tuple[str, str]]]:
    """What they tell: type without its beginning, and event id or cause."""
    return lambda: [(each.type.removeprefix("parley."), each.event_id or each.cause) for each in all_of()]


def settle_next(store: Store, conversation: Conversation, fate: Any = "answered", reason: str = "", **more: Any) -> str:
    grant = store.leases.begin(conversation, uuid.uuid4().hex)
    assert isinstance(grant, Grant)
    store.leases.record(grant, "a reply")
    assert store.leases.settle(grant, fate, reason, **more).status == "settled"
    return grant.events[0].event_id


def test_an_answer_is_told_once_with_what_became_of_the_event_and_no_content(store, chat, begin, all_of):
    store.inbox.accept(chat("do not tell", event_id="e1"))
    grant = begin()
    store.leases.record(grant, "nor this")
    for _ in range(2):
        store.leases.settle(grant, "answered")
    (notice,) = all_of()
    assert notice.type == NoticeType.EVENT_ANSWERED
    assert (notice.persona, notice.target, notice.event_id, notice.kind) == ("ava", "@lead", "e1", "inbound_chat")
    assert (notice.fate, notice.cause, notice.asked, notice.sent, notice.joined) == ("answered", "", 1, 1, "")
    assert 0 < notice.accepted_at <= notice.ended_at == notice.at == notice.sequence
    assert "tell" not in str(store.redis.xrange(store.keys.of(grant.conversation).notices))


def test_events_that_were_asked_together_are_told_in_order_with_the_head_that_they_joined(store, chat, begin, all_of):
    for name in ("e1", "e2", "e3"):
        store.inbox.accept(chat(event_id=name))
    store.leases.settle(begin(), "answered")
    assert [(each.type, each.event_id, each.joined, each.asked) for each in all_of()] == [
        ("parley.event.answered", "e1", "", 1),
        ("parley.event.joined", "e2", "e1", 1),
        ("parley.event.joined", "e3", "e1", 1),
    ]
    first = all_of()[0].sequence
    assert [each.sequence for each in all_of()] == [first, first + 1, first + 2]
