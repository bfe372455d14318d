"""The books: every accepted event has exactly one fate or waits. ``unexplained`` must be 0 at any moment."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from worker.domain.vocabulary import FATES
from worker.store.keys import Keys
from worker.store.redis.scripts import Scripts


@dataclass(frozen=True, slots=True)
class Account:
    """Counts of one persona's events. ``waiting`` is counted in the inboxes, not derived from the others."""

    persona: str
    accepted: int
    answered: int
    joined: int
    ignored: int
    sealed: int
    skipped: int
    dead: int
    waiting: int

    @property
    def unexplained(self) -> int:
        """Accepted events that neither have a fate nor wait."""
        ended = self.answered + self.joined + self.ignored + self.sealed + self.skipped + self.dead
        return self.accepted - ended - self.waiting


class Books:
    """Reads the counters and counts what waits."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._keys = keys
        self._books = scripts.books

    def accounts(self) -> list[Account]:
        """One account per persona that ever accepted an event, by name.

        Each shard is read in one step, so that its counts belong together; cost grows with what waits.
        """
        totals: dict[str, dict[str, int]] = {}
        for shard in self._keys.shards:
            counters, waiting = self._books.run(shard)
            for field, count in zip(counters[::2], counters[1::2], strict=True):
                persona, _, word = field.partition(":")
                _add(totals, persona, word, int(count))
            for persona, count in zip(waiting[::2], waiting[1::2], strict=True):
                _add(totals, persona, "waiting", int(count))
        return [
            Account(persona, **{word: total.get(word, 0) for word in ("accepted", *FATES, "waiting")})
            for persona, total in sorted(totals.items())
        ]

    def answered(self, persona: str) -> int:
        """How many events of a persona were answered so far. Costs one look at each shard, whatever waits."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.hget(shard.books, f"{persona}:answered")
            return sum(int(count or 0) for count in pipeline.execute())


def _add(totals: dict[str, dict[str, int]], persona: str, word: str, count: int) -> None:
    total = totals.setdefault(persona, {})
    total[word] = total.get(word, 0) + count
