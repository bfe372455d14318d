"""What happened to one conversation, step by step, without content."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from redis import Redis

from worker.domain.conversation import Conversation
from worker.domain.moments import as_datetime
from worker.store.keys import Keys
from worker.store.redis.connection import clock_ms

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Moment:
    """One line of a timeline: when (store's clock), the word, and its details as the script wrote them."""

    at: datetime
    word: str
    details: tuple[Any, ...]


class Timeline:
    """Reads timelines; the scripts write them, and who reads content leaves a line."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    def conversations(self, limit: int) -> Iterator[Conversation]:
        """Conversations of which anything is kept, in no order, from so many keys of the store at most."""
        pattern = "parley:*:timeline:*"
        for key in islice(self._redis.scan_iter(match=pattern, count=_AT_ONCE), limit):
            yield Conversation.of_name(str(key).partition(":timeline:")[2])

    def of(self, conversation: Conversation) -> list[Moment]:
        """All kept moments, oldest first."""
        lines: list[str] = self._redis.lrange(self._keys.of(conversation).timeline(conversation), 0, -1)  # type: ignore[assignment]
        return [moment_of(line) for line in lines]

    def note_reader(self, conversation: Conversation, reader: str) -> None:
        """Write that ``reader`` has seen what was said in this conversation."""
        line = json.dumps([clock_ms(self._redis), "conversation read", reader])
        self._redis.rpushx(self._keys.of(conversation).timeline(conversation), line)


def moment_of(line: str) -> Moment:
    """One line of a timeline as the scripts write it."""
    at, word, *details = json.loads(line)
    return Moment(as_datetime(at), word, tuple(details))
