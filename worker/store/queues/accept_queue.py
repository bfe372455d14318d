"""The queues into which producers that only speak Celery put events, read without ever taking one only into memory.

On a broker of the Redis family they are lists; elsewhere the broker keeps what was handed out until it is acknowledged.
"""

from __future__ import annotations

import logging
import uuid
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, Protocol

from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from config.celery import ACCEPT, NO_QUEUE
from worker.store.queues.broker import Broker, BrokerAway, Reading
from worker.store.queues.celery_messages import text_of
from worker.store.queues.queue_lists import EVENTS, SHARED
from worker.store.redis.lines import as_read

QUEUE = ACCEPT
_READER = "parley:accept:reader"
_READER_MS = 30_000

# Shared queues in which messages of others were found, or that are missing, are not looked into for a while.
PASSED_OVER = "parley:accept:passed_over"
OTHERS, MISSING = "others", "missing"
_OTHERS_MS = 5_000
# RabbitMQ logs each question about a queue that is not there, and counts how often a message is given back.
_MISSING_MS = 15_000
_GIVEN_BACK_MS = 600_000
# Of messages of others, in one reading.
_LEFT_AT_MOST = 1000

_log = logging.getLogger("parley.intake")


@dataclass(frozen=True, slots=True)
class Lying:
    """A message where it lies. ``text``: as kombu writes it into a Redis list. ``place``: the list or queue.
    ``shared``: not all that lies there is Parley's."""

    text: str
    place: str
    shared: bool = False


class AcceptQueue(Protocol):
    """One process at a time reads, so that the order stays."""

    def become_reader(self) -> str | None:
        """The right to read. None when another one reads."""
        ...

    def stop_reading(self, token: str) -> None:
        """Let another process read. A reader that dies is followed by another after half a minute."""
        ...

    def oldest(self, limit: int) -> list[Lying]:
        """The oldest messages of one queue after the other, oldest first; they stay in the queue."""
        ...

    def done(self, message: Lying) -> None:
        """The message has become an event or a dead letter."""
        ...

    def leave(self, message: Lying) -> None:
        """The message is somebody else's: it stays, and is not read again for a while."""
        ...


class _OneReader:
    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def become_reader(self) -> str | None:
        token = uuid.uuid4().hex
        if self._redis.set(_READER, token, nx=True, px=_READER_MS):
            return token
        # An older ACL does not allow the question; then the right ends when the clock has caught up.
        with suppress(NoPermissionError):
            if self._redis.pttl(_READER) > _READER_MS:
                # The server's clock has stepped back: the right must not last longer than it was given for.
                self._redis.pexpire(_READER, _READER_MS)
        return None

    def stop_reading(self, token: str) -> None:
        if self._redis.get(_READER) == token:
            self._redis.delete(_READER)

    def _pass_over(self, why: str, milliseconds: int) -> None:
        self._redis.set(PASSED_OVER, why, px=milliseconds)

    def _passes_over(self) -> bool:
        return self._redis.get(PASSED_OVER) is not None


class AcceptList(_OneReader):
    """Kombu pushes at the left; the oldest message is at the right. A message leaves its list only when it is done."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis)
        self._places = EVENTS
        self._left: dict[str, int] = {}

    def become_reader(self) -> str | None:
        """The right to read. None when another one reads."""
        token = super().become_reader()
        if token is not None:
            self._left = {}
            self._places = EVENTS if self._passes_over() else (*EVENTS, *SHARED)
        return token

    def stop_reading(self, token: str) -> None:
        """Let another process read."""
        if self._left:
            self._pass_over(OTHERS, _OTHERS_MS)
        super().stop_reading(token)

    def oldest(self, limit: int) -> list[Lying]:
        """The oldest messages, oldest first; they stay in their lists."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for place in self._places:
                pipeline.llen(place)
            lengths = pipeline.execute(raise_on_error=False)
        found: list[Lying] = []
        for place, length in zip(self._places, lengths, strict=True):
            left = self._left.get(place, 0)
            if _told(place, length) <= left or left >= _LEFT_AT_MOST or len(found) >= limit:
                continue
            texts: list[str] = self._redis.lrange(place, len(found) - left - limit, -left - 1)  # type: ignore[assignment]
            found += [Lying(text, place, place in SHARED) for text in texts[::-1]]
        return found

    def done(self, message: Lying) -> None:
        """The message has become an event or a dead letter."""
        self._redis.lrem(message.place, -1, as_read(message.text))

    def leave(self, message: Lying) -> None:
        """The message is somebody else's."""
        self._left[message.place] = self._left.get(message.place, 0) + 1


def _told(place: str, length: Any) -> int:
    if isinstance(length, ResponseError) and place in SHARED:
        # A user of an older release may not look there, or it is no queue.
        return 0
    if isinstance(length, Exception):
        raise length
    return int(length)


class BrokerQueue(_OneReader):
    """What was handed out and is not done goes back to its place when its reader stops, dies or loses its connection.

    ``redis``: the store, which says who reads. A reader that stands still for longer than half a minute without losing
    its connection keeps what it has; another one then goes on behind it.
    """

    def __init__(self, redis: Redis, broker: Broker) -> None:
        super().__init__(redis)
        self._broker = broker
        self._reading = ExitStack()
        self._queues: dict[str, Reading] | None = None
        self._open: dict[Lying, list[Any]] = {}
        self._left: list[Any] = []
        self._comes_back_later = False

    def oldest(self, limit: int) -> list[Lying]:
        """The oldest messages that are not handed out; none while the broker is unreachable."""
        found: list[Lying] = []
        try:
            for name, queue in self._opened().items():
                shared = name != QUEUE
                if shared and self._left:
                    # What was left comes back to its place only with the end of this reading.
                    continue
                for message in queue.oldest(limit - len(found)):
                    lying = Lying(text_of(message), name, shared)
                    self._open.setdefault(lying, []).append(message)
                    found.append(lying)
        except self._broker.errors() as error:
            _log.warning("queue %s not read: broker unreachable (%s)", QUEUE, type(error).__name__)
            self._forget(is_broken=True)
            return []
        return found

    def done(self, message: Lying) -> None:
        """The message has become an event or a dead letter; one that cannot be acknowledged is recognised later."""
        handed_out = self._open.get(message)
        if not handed_out:
            return
        try:
            handed_out.pop(0).ack()
        except self._broker.errors():
            self._forget(is_broken=True)

    def leave(self, message: Lying) -> None:
        """The message is somebody else's: it goes back to its place at the end of this reading."""
        if handed_out := self._open.get(message):
            self._left.append(handed_out.pop(0))

    def stop_reading(self, token: str) -> None:
        """Give back what is not done, and let another process read: at once, or else when all of it is surely back."""
        if self._left:
            self._pass_over(OTHERS, _GIVEN_BACK_MS)
            with suppress(*self._broker.errors()):
                for message in self._left:
                    message.reject(requeue=True)
            self._left.clear()
        self._forget()
        if not self._comes_back_later:
            super().stop_reading(token)
        self._comes_back_later = False

    def _opened(self) -> dict[str, Reading]:
        if self._queues is None:
            self._queues = {QUEUE: self._reading.enter_context(self._broker.reading(QUEUE))}
            if self._holds_unread(NO_QUEUE):
                self._queues[NO_QUEUE] = self._reading.enter_context(self._broker.reading(NO_QUEUE, declare=False))
        return self._queues

    def _holds_unread(self, queue: str) -> bool:
        if self._passes_over():
            return False
        depth = self._broker.depth(queue)
        if depth is None:
            self._pass_over(MISSING, _MISSING_MS)
        # What another consumer reads is left to it.
        return depth is not None and depth.messages > 0 and not depth.consumers

    def _forget(self, *, is_broken: bool = False) -> None:
        # Once a connection is broken, it is not known what was on its way.
        handed_out = any(self._open.values()) or (is_broken and self._queues is not None)
        self._comes_back_later = self._comes_back_later or handed_out
        self._open.clear()
        self._left.clear()
        self._queues = None
        # Without a connection the broker has noticed by itself.
        with suppress(BrokerAway):
            self._reading.close()
