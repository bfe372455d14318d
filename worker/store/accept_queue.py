"""The list into which producers that only speak Celery put events, read without ever taking one only into memory."""

from __future__ import annotations

import uuid

from redis import Redis

QUEUE = "accept"
_READER = "parley:accept:reader"
_READER_MS = 30_000


class AcceptQueue:
    """Kombu pushes at the left; the oldest message is at the right. A message leaves the list only when it is done."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def become_reader(self) -> str | None:
        """The right to read: one process at a time, so that the order stays. None when another one reads."""
        token = uuid.uuid4().hex
        return token if self._redis.set(_READER, token, nx=True, px=_READER_MS) else None

    def stop_reading(self, token: str) -> None:
        """Let another process read. A reader that dies is followed by another after half a minute."""
        if self._redis.get(_READER) == token:
            self._redis.delete(_READER)

    def oldest(self, limit: int) -> list[str]:
        """The oldest messages, oldest first; they stay in the list."""
        found: list[str] = self._redis.lrange(QUEUE, -limit, -1)  # type: ignore[assignment]
        return found[::-1]

    def done(self, message: str) -> None:
        """The message has become an event or a dead letter."""
        self._redis.lrem(QUEUE, -1, message)
