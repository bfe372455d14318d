"""Events and turns in short, for the tests of the store."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, EventTrigger, FollowUp, InboundChat
from worker.store import Store
from worker.store.conversations.turn_steps import Grant, NotNow
from worker.store.operator.takeovers import Claimed


@pytest.fixture
def conversation() -> Conversation:
    """The conversation that most tests are about."""
    return Conversation("ava", "@lead")


@pytest.fixture
def chat(channel: dict[str, Any]) -> Callable[..., InboundChat]:
    """A message of the lead."""

    def make(message: str = "hi", **fields: Any) -> InboundChat:
        return InboundChat(**{"persona": "ava", "target": "@lead", "channel": channel, "message": message, **fields})

    return make


@pytest.fixture
def event_of(channel: dict[str, Any]) -> Callable[..., AiOpener | EventTrigger | FollowUp]:
    """An event of one of the other kinds."""

    def make(kind: str, **fields: Any) -> AiOpener | EventTrigger | FollowUp:
        common = {"persona": "ava", "target": "@lead", "channel": channel, **fields}
        if kind == "event_trigger":
            return EventTrigger(**{"event_type": "story_reaction", **common})
        return AiOpener(**common) if kind == "ai_opener" else FollowUp(**common)

    return make


@pytest.fixture
def begin(store: Store, conversation: Conversation) -> Callable[..., Grant]:
    """Begin a turn that must be granted."""

    def run(token: str | None = None, of: Store | None = None) -> Grant:
        answer = (of or store).steps.begin(conversation, token or uuid.uuid4().hex)
        assert isinstance(answer, Grant), answer
        return answer

    return run


@pytest.fixture
def refused(store: Store, conversation: Conversation) -> Callable[..., NotNow]:
    """Begin a turn that must not be granted."""

    def run(token: str | None = None, of: Store | None = None) -> NotNow:
        answer = (of or store).steps.begin(conversation, token or uuid.uuid4().hex)
        assert isinstance(answer, NotNow), answer
        return answer

    return run


@pytest.fixture
def let_lease_run_out(store: Store, conversation: Conversation) -> Callable[[], None]:
    """As if the holder had been silent for longer than its lease."""

    def run() -> None:
        store.redis.hset(store.keys.of(conversation).conversation(conversation), "lease_until", 1)

    return run


@pytest.fixture
def let_hold_run_out(store: Store, conversation: Conversation) -> Callable[[], None]:
    """As if the time of the hold had come."""

    def run() -> None:
        store.redis.hset(store.keys.of(conversation).conversation(conversation), "hold_until", 1)

    return run


@pytest.fixture
def state(store: Store, conversation: Conversation) -> Callable[[], dict[str, str]]:
    """The conversation's own fields."""
    return lambda: store.redis.hgetall(store.keys.of(conversation).conversation(conversation))


@pytest.fixture
def inbox(store: Store, conversation: Conversation) -> Callable[[], list[str]]:
    """The ids that wait."""
    return lambda: store.redis.lrange(store.keys.of(conversation).inbox(conversation), 0, -1)


@pytest.fixture
def journal(store: Store, conversation: Conversation) -> Callable[[str], dict[str, str]]:
    """One event's record."""
    return lambda event_id: store.redis.hgetall(store.keys.of(conversation).journal(conversation, event_id))


@pytest.fixture
def due(store: Store, conversation: Conversation) -> Callable[[], float | None]:
    """When the agenda looks at the conversation; None = never."""
    return lambda: store.redis.zscore(store.keys.of(conversation).agenda, conversation.name)


@pytest.fixture
def words(store: Store, conversation: Conversation) -> Callable[[], list[str]]:
    """The words of the timeline."""
    return lambda: [moment.word for moment in store.timeline.of(conversation)]


@pytest.fixture
def accept(store: Store, chat: Callable[..., InboundChat]) -> Callable[..., list[str]]:
    """Accept messages with these ids."""

    def run(*event_ids: str, **fields: Any) -> list[str]:
        return [store.inbox.accept(chat(event_id=event_id, **fields)).status for event_id in event_ids]

    return run


@pytest.fixture
def claim(store: Store, conversation: Conversation) -> Callable[[], Claimed]:
    """An operator claims the conversation."""
    return lambda: store.takeovers.claim(conversation, "kim", "refund")
