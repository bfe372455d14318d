"""Counts by name, of the last seven days: what the API of personas had beyond its contract, which platform events
personas were told of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from redis import Redis

from worker.store.redis.connection import clock_ms

DRIFT = "parley:drift:"
TRIGGER_TYPES = "parley:triggers:"

_DAY_MS = 86_400_000
_DAYS = 7
# Of one day, whatever processes count; each of them bounds its own names.
_MOST_NAMES = 100


class DailyCounts:
    """Kept under ``prefix``, a key for each day. ``further``: the name that stands for all after the first hundred of a
    day; '' = they are not counted. Methods raise ``redis.RedisError``."""

    def __init__(self, redis: Redis, prefix: str, further: str = "") -> None:
        self._redis = redis
        self._prefix = prefix
        self._further = further

    def add(self, counts: Mapping[str, int]) -> None:
        """Count more of these names today."""
        key = f"{self._prefix}{clock_ms(self._redis) // _DAY_MS}"
        known = set(map(str, self._redis.hkeys(key)))
        with self._redis.pipeline(transaction=False) as pipeline:
            for name, count in counts.items():
                if name not in known and len(known) >= _MOST_NAMES:
                    name = self._further
                known.add(name)
                if name:
                    pipeline.hincrby(key, name, count)
            pipeline.pexpire(key, (_DAYS + 1) * _DAY_MS)
            pipeline.execute()

    def recent(self) -> dict[str, int]:
        """The names of the last seven days with their counts, the most frequent first."""
        today = clock_ms(self._redis) // _DAY_MS
        counted: Counter[str] = Counter()
        with self._redis.pipeline(transaction=False) as pipeline:
            for day in range(today - _DAYS + 1, today + 1):
                pipeline.hgetall(f"{self._prefix}{day}")
            for found in pipeline.execute():
                counted.update({str(name): int(count) for name, count in found.items()})
        return dict(counted.most_common())
