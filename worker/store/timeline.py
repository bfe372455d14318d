"""What happened to one conversation, step by step, without content."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from redis import Redis

from worker.conversation import Conversation
from worker.store.keys import Keys


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a timeline: when (store's clock), the word, and its details as the script wrote them."""

    at: datetime
    word: str
    details: tuple[Any, ...]


class Timeline:
    """Reads timelines; the scripts write them."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    def of(self, conversation: Conversation) -> list[Moment]:
        """All kept moments, oldest first."""
        lines: list[str] = self._redis.lrange(self._keys.of(conversation).timeline(conversation), 0, -1)  # type: ignore[assignment]
        moments = []
        for line in lines:
            at, word, *details = json.loads(line)
            moments.append(Moment(datetime.fromtimestamp(at / 1000, UTC), word, tuple(details)))
        return moments
