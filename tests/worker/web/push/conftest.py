"""A receiver on loopback that does what a test wants, senders over a real store, and what is noted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from config.settings import Settings
from tests.notice_receiver import SECRET, Receiver, receiving
from worker.domain.conversation import Conversation
from worker.store import Store
from worker.web.push.pusher import Pusher


@pytest.fixture
def make_receiver() -> Iterator[Callable[..., Receiver]]:
    """Receivers that live until the test ends."""
    with ExitStack() as servers:
        yield lambda says=lambda event: 204: servers.enter_context(receiving(says))


@pytest.fixture
def receiver(make_receiver: Callable[..., Receiver]) -> Receiver:
    """One that takes everything."""
    return make_receiver()


@pytest.fixture
def configured(make_settings: Callable[..., Settings]) -> Callable[..., Settings]:
    """Settings with endpoints: each a receiver, or a receiver with more settings."""

    def make(endpoints: dict[str, Any], **more: Any) -> Settings:
        notices = {"keep": True, "endpoints": {name: endpoint(each) for name, each in endpoints.items()}}
        return make_settings(notices={**notices, **more})

    return make


def endpoint(given: Receiver | tuple[Receiver, dict[str, Any]]) -> dict[str, Any]:
    """The section of an endpoint."""
    receiver, more = given if isinstance(given, tuple) else (given, {})
    return {"url": receiver.url, "secret": SECRET, "allow_private_addresses": True, "timeout_seconds": 5, **more}


@pytest.fixture
def store(make_store: Callable[..., Store]) -> Store:
    """A store that keeps notices, and whose clock can run ahead."""
    return make_store(ahead=True, notices={"keep": True})


@pytest.fixture
def push(store: Store) -> Iterator[Callable[[Settings], Pusher]]:
    """Begin to push; ends with the test."""
    running: list[Pusher] = []

    def begin(settings: Settings) -> Pusher:
        pusher = Pusher(settings, store)
        pusher.start()
        running.append(pusher)
        return pusher

    yield begin
    for pusher in running:
        pusher.stop(5)


@pytest.fixture
def note(store: Store) -> Callable[..., int]:
    """Have notices written about a lead, who opts out and in again. Returns how many there are of the lead."""
    told: dict[Conversation, int] = {}

    def write(number: int = 1, target: str = "@lead", persona: str = "ava") -> int:
        conversation = Conversation(persona, target)
        for _ in range(number):
            store.consents.write(conversation, "in" if told.get(conversation, 0) % 2 else "out", "zoe")
            told[conversation] = told.get(conversation, 0) + 1
        return told[conversation]

    return write


@pytest.fixture
def stored(store: Store) -> Callable[[], dict[str, list[int]]]:
    """The sequences of all notices in the store, by subject."""

    def read() -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for shard in range(store.notices.shards):
            for notice in store.notices.read_shard(shard, "", 100_000).notices:
                subject = f"{notice.persona}/{notice.target}" if notice.target else notice.persona
                found.setdefault(subject, []).append(notice.sequence)
        return found

    return read
