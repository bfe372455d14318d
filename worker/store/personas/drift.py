"""What the API of personas had beyond its contract: counts by name, of the last days, for ``parley status``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from redis import Redis

from worker.store.redis.connection import clock_ms

_KEY = "parley:drift:"
_DAY_MS = 86_400_000
_DAYS = 7
# Of one day, whatever processes count; each of them bounds its own names.
_MOST_NAMES = 100
_FURTHER = "field unnamed"


class DriftNotes:
    """Methods raise ``redis.RedisError``."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def add(self, counts: Mapping[str, int]) -> None:
        """Count more of these names today."""
        key = f"{_KEY}{clock_ms(self._redis) // _DAY_MS}"
        known = set(map(str, self._redis.hkeys(key)))
        with self._redis.pipeline(transaction=False) as pipeline:
            for name, count in counts.items():
                if name not in known and len(known) >= _MOST_NAMES:
                    name = _FURTHER
                known.add(name)
                pipeline.hincrby(key, name, count)
            pipeline.pexpire(key, (_DAYS + 1) * _DAY_MS)
            pipeline.execute()

    def recent(self) -> dict[str, int]:
        """The names of the last seven days with their counts, the most frequent first."""
        today = clock_ms(self._redis) // _DAY_MS
        counted: Counter[str] = Counter()
        with self._redis.pipeline(transaction=False) as pipeline:
            for day in range(today - _DAYS + 1, today + 1):
                pipeline.hgetall(f"{_KEY}{day}")
            for found in pipeline.execute():
                counted.update({str(name): int(count) for name, count in found.items()})
        return dict(counted.most_common())
