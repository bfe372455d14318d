"""The queue into which producers that only speak Celery put events, read without ever taking one only into memory.

On a broker of the Redis family it is a list; elsewhere the broker keeps what was handed out until it is acknowledged.
"""

from __future__ import annotations

import base64
import json
import logging
import uuid
from contextlib import ExitStack, suppress
from typing import Any, Protocol

from redis import Redis
from redis.exceptions import NoPermissionError

from config.broker import ACCEPT
from worker.broker import Broker, BrokerAway
from worker.store.lines import as_read

QUEUE = ACCEPT
_READER = "parley:accept:reader"
_READER_MS = 30_000

_log = logging.getLogger("parley.intake")


class AcceptQueue(Protocol):
    """One process at a time reads, so that the order stays."""

    def become_reader(self) -> str | None:
        """The right to read. None when another one reads."""
        ...

    def stop_reading(self, token: str) -> None:
        """Let another process read. A reader that dies is followed by another after half a minute."""
        ...

    def oldest(self, limit: int) -> list[str]:
        """The oldest messages, oldest first, as kombu writes them into a Redis list; they stay in the queue."""
        ...

    def done(self, message: str) -> None:
        """The message has become an event or a dead letter."""
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


class AcceptList(_OneReader):
    """Kombu pushes at the left; the oldest message is at the right. A message leaves the list only when it is done."""

    def oldest(self, limit: int) -> list[str]:
        """The oldest messages, oldest first; they stay in the list."""
        found: list[str] = self._redis.lrange(QUEUE, -limit, -1)  # type: ignore[assignment]
        return found[::-1]

    def done(self, message: str) -> None:
        """The message has become an event or a dead letter."""
        self._redis.lrem(QUEUE, -1, as_read(message))


class BrokerQueue(_OneReader):
    """What was handed out and is not done goes back to its place when its reader stops, dies or loses its connection.

    ``redis``: the store, which says who reads. A reader that stands still for longer than half a minute without losing
    its connection keeps what it has; another one then goes on behind it.
    """

    def __init__(self, redis: Redis, broker: Broker) -> None:
        super().__init__(redis)
        self._broker = broker
        self._reading = ExitStack()
        self._queue: Any = None
        self._open: dict[str, list[Any]] = {}

    def oldest(self, limit: int) -> list[str]:
        """The oldest messages that are not handed out; none while the broker is away."""
        found: list[str] = []
        try:
            if self._queue is None:
                self._queue = self._reading.enter_context(self._broker.reading(QUEUE))
            while len(found) < limit and (message := self._queue.get(no_ack=False)) is not None:
                text = _as_in_a_list(message)
                self._open.setdefault(text, []).append(message)
                found.append(text)
        except self._broker.errors() as error:
            _log.warning("queue %s not read: broker away (%s)", QUEUE, type(error).__name__)
            self._forget()
            return []
        return found

    def done(self, message: str) -> None:
        """The message has become an event or a dead letter; one that cannot be acknowledged is recognised later."""
        handed_out = self._open.get(message)
        if not handed_out:
            return
        try:
            handed_out.pop(0).ack()
        except self._broker.errors():
            self._forget()

    def stop_reading(self, token: str) -> None:
        """Give back what is not done, and let another process read: at once, or else when all of it is surely back."""
        left = any(self._open.values())
        self._forget()
        if not left:
            super().stop_reading(token)

    def _forget(self) -> None:
        self._open.clear()
        self._queue = None
        # Without a connection the broker has noticed by itself.
        with suppress(BrokerAway):
            self._reading.close()


def _as_in_a_list(message: Any) -> str:
    body = message.body.encode() if isinstance(message.body, str) else bytes(message.body)
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "headers": message.headers or {},
            "properties": {"body_encoding": "base64"},
        },
        default=repr,
    )
