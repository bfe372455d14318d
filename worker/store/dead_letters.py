"""Events that ended without an answer and wait for a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from redis import Redis

from worker.conversation import Conversation
from worker.store.connection import clock_ms
from worker.store.keys import Keys


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead event without its content. ``died_at``: store's clock. ``cause``: why, as one line."""

    conversation: Conversation
    event_id: str
    kind: str
    died_at: datetime
    cause: str


class DeadLetters:
    """Lists dead letters; settle and refuse write them."""

    def __init__(self, redis: Redis, keys: Keys, retention_seconds: float) -> None:
        self._redis = redis
        self._keys = keys
        self._retention_ms = int(retention_seconds * 1000)

    def newest(self, limit: int = 100) -> list[DeadLetter]:
        """The newest dead letters of all personas, newest first."""
        found: list[tuple[float, str]] = []
        for shard in self._keys.shards:
            rows: list[tuple[str, float]] = self._redis.zrange(shard.dead, 0, limit - 1, desc=True, withscores=True)  # type: ignore[assignment]
            found += [(at, member) for member, at in rows]
        found.sort(reverse=True)
        return [self._read(at, member) for at, member in found[:limit]]

    def trim(self) -> int:
        """Forget those whose record has expired. Returns how many."""
        oldest_kept = clock_ms(self._redis) - self._retention_ms
        return sum(int(self._redis.zremrangebyscore(shard.dead, "-inf", oldest_kept)) for shard in self._keys.shards)

    def _read(self, at: float, member: str) -> DeadLetter:
        event_id, _, name = member.partition(" ")
        conversation = Conversation.of_name(name)
        key = self._keys.of(conversation).journal(conversation, event_id)
        kind, cause = (str(field or "unknown") for field in self._redis.hmget(key, "kind", "reason"))
        return DeadLetter(conversation, event_id, kind, datetime.fromtimestamp(at / 1000, UTC), cause)
