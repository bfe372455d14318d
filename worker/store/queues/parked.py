"""Messages that could become neither an event nor a dead letter, kept as they came: they no longer block others."""

from __future__ import annotations

from redis import Redis

from worker.store.redis.lines import as_read

PARKED = "parley:accept:parked"

# Every server takes an argument of this size; the smallest limit that Redis lets one set is twice as much.
MESSAGE_BYTES = 512 * 1024
MESSAGES = 1000


class Parked:
    """Every method may raise ``redis.RedisError``."""

    def __init__(self, redis: Redis, retention_ms: int) -> None:
        self._redis = redis
        self._retention_ms = retention_ms

    def keep(self, message: str) -> bool:
        """Keep one message until it was quiet here for the retention of dead letters. False: there is no room.

        Twice for one message keeps it once. What is over ``MESSAGE_BYTES`` is cut.
        """
        stored = bytes(as_read(message))[:MESSAGE_BYTES]
        if self._redis.lpos(PARKED, stored) is not None:  # type: ignore[arg-type]
            return True
        if self.count() >= MESSAGES:
            return False
        with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.lpush(PARKED, stored)
            pipeline.pexpire(PARKED, self._retention_ms)
            pipeline.execute()
        return True

    def count(self) -> int:
        """How many messages are kept."""
        kept: int = self._redis.llen(PARKED)
        return kept
