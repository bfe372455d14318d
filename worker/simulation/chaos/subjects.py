"""Whom a chaos run tries: Parley, or another worker that does the same job."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from redis import Redis
from redis.exceptions import RedisError

from config.settings import Settings
from worker.conversation import Conversation
from worker.events import ChannelContext, InboundChat
from worker.producer import Producer
from worker.simulation.chaos.feed import Message, NoReceipt
from worker.store import Store, StoreError

_METADATA = {"internal": {"channelMetadata": {"channelMetadata": {"channel": "custom-channel"}}}}
_NUMBER = re.compile(r"e(\d+)")
_DEAD_LETTERS = 1_000_000


class Subject(Protocol):
    """What the chaos has to know of the system that it tries.

    ``doorbells_are_hints``: its Celery messages may be taken away. ``settle_seconds``: when nothing waits and no call
    was made for so long, it is done.
    """

    redis: Redis
    doorbells_are_hints: bool
    settle_seconds: float

    def send(self, batch: Sequence[Message]) -> None:
        """Accept a batch. Raises ``NoReceipt``."""
        ...

    def waiting(self) -> int | None:
        """Accepted messages that have no fate yet; None while that cannot be known."""
        ...

    def given_up(self) -> Mapping[int, str]:
        """Numbers of the messages that were given up, each with the cause that the system names."""
        ...

    def words(self, persona: str, target: str) -> Sequence[str]:
        """What the system itself says that it did in a conversation, step by step."""
        ...

    def unexplained(self) -> int:
        """Accepted messages that neither have a fate nor wait, by the system's own books."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class ParleySubject:
    """Parley, fed by its producer."""

    doorbells_are_hints = True
    settle_seconds = 0.0

    def __init__(self, settings: Settings) -> None:
        self._store = Store(settings, connections=8)
        self._producer = Producer(settings, store=self._store)
        self.redis: Redis = self._store.redis

    def send(self, batch: Sequence[Message]) -> None:
        """Enqueue in order; the event's id is the message's number, so a batch that comes again makes nothing twice."""
        chats = [
            InboundChat(
                event_id=f"e{message.number}",
                persona=message.persona,
                target=message.target,
                message=message.text,
                channel=ChannelContext.model_validate(
                    {"session_id": message.session_id, "metadata": _METADATA, "hasLivechat": False}
                ),
            )
            for message in batch
        ]
        try:
            results = self._producer.enqueue_many(chats)
        except StoreError as error:
            raise NoReceipt from error
        refusals = [result for result in results if isinstance(result, Exception)]
        if refusals:
            raise refusals[0]

    def waiting(self) -> int | None:
        """From the books; None while the store is away."""
        try:
            return sum(account.waiting for account in self._store.books.accounts())
        except StoreError:
            return None

    def given_up(self) -> Mapping[int, str]:
        """The dead letters."""
        found = {}
        for letter in self._store.dead_letters.newest(_DEAD_LETTERS):
            match = _NUMBER.fullmatch(letter.event_id)
            if match and letter.cause != "unknown":
                found[int(match[1])] = letter.cause
        return found

    def words(self, persona: str, target: str) -> Sequence[str]:
        """The timeline."""
        return [moment.word for moment in self._store.timeline.of(Conversation(persona, target))]

    def unexplained(self) -> int:
        """From the books."""
        return sum(abs(account.unexplained) for account in self._store.books.accounts())

    def close(self) -> None:
        """Close the store."""
        self._producer.close()
        self._store.close()


class OtherSubject:
    """A Celery app without a store: its module has ``send(messages)`` and ``waiting()``, and it keeps no books."""

    doorbells_are_hints = False
    # A message between the broker and a worker's memory can be invisible for a moment.
    settle_seconds = 5.0

    def __init__(self, app: str, redis_url: str) -> None:
        module = importlib.import_module(app)
        self._send, self._waiting = module.send, module.waiting
        self.redis = Redis.from_url(redis_url)

    def send(self, batch: Sequence[Message]) -> None:
        """Publish one task for each message."""
        try:
            self._send(
                [(message.persona, message.target, message.session_id, _METADATA, message.text) for message in batch]
            )
        except (OSError, RedisError) as error:
            raise NoReceipt from error

    def waiting(self) -> int | None:
        """Messages in the broker, in a queue or in somebody's hands."""
        try:
            return int(self._waiting())
        except RedisError:
            return None

    def given_up(self) -> Mapping[int, str]:
        """Nothing is given up: it retries for ever."""
        return {}

    def words(self, persona: str, target: str) -> Sequence[str]:
        """It says nothing."""
        return []

    def unexplained(self) -> int:
        """There are no books to disagree with."""
        return 0

    def close(self) -> None:
        """Close the connection."""
        self.redis.close()
