"""Whether the store takes writes at this moment, and how much memory it has left. Changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from worker.store.keys import Shard
from worker.store.redis.cluster import LateCluster
from worker.store.redis.connection import StoreError
from worker.store.redis.server_facts import servers
from worker.store.redis.troubles import Trouble, trouble_of

# The same limit as that of the alert.
_FULLEST_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Memory:
    """Of the fullest server. ``limit_bytes``: its ``maxmemory``, 0 = none is set. ``eviction``: its policy, '' = not
    told."""

    used_bytes: int
    limit_bytes: int
    eviction: str

    @property
    def share(self) -> float:
        """The part of the limit that is used; 0 without a limit."""
        return self.used_bytes / self.limit_bytes if self.limit_bytes else 0.0

    @property
    def fills_up(self) -> bool:
        """Whether so much of the limit is used that a person has to act."""
        return self.share > _FULLEST_SHARE

    @property
    def evicts(self) -> bool:
        """Whether the server throws keys away when its memory is full."""
        return self.eviction not in ("", "noeviction")

    @property
    def told(self) -> str:
        """For people."""
        if not self.limit_bytes:
            return f"{_megabytes(self.used_bytes)} used, no limit is set"
        return f"{_megabytes(self.used_bytes)} of {_megabytes(self.limit_bytes)} ({self.share:.0%})"


def refusal(redis: Redis, shards: Sequence[Shard]) -> Trouble | None:
    """Why the store takes no writes: it is full, a replica, or misses replicas or a disk. None: it takes them.

    It is asked with a command that a full server refuses and that changes nothing (``LPUSHX`` on a key that never
    exists), in a cluster in each shard. Raises ``StoreError`` when it cannot be reached.
    """
    asked = shards if isinstance(redis, LateCluster) else shards[:1]
    try:
        with redis.pipeline(transaction=False) as pipeline:
            for shard in asked:
                pipeline.lpushx(shard.key("nothing"), "")
            answers = pipeline.execute(raise_on_error=False)
    except StoreError as error:
        answers = [error]
    troubles = [trouble_of(answer) for answer in answers if isinstance(answer, StoreError)]
    if answers and isinstance(answers[0], StoreError) and not troubles[0].answered:
        raise answers[0]
    return next(iter(troubles), None)


def memory(redis: Redis) -> Memory | None:
    """How much memory is used, in a cluster of its fullest master. None when the server does not tell.

    Raises ``StoreError`` when it cannot be reached.
    """
    found = [each for one in servers(redis).values() if (each := _memory_of(one)) is not None]
    return max(found, key=lambda each: (each.share, each.used_bytes), default=None)


def _memory_of(redis: Redis) -> Memory | None:
    try:
        info: dict[str, Any] = redis.info("memory")
    except StoreError as error:
        if trouble_of(error).answered:
            return None
        raise
    if "used_memory" not in info:
        return None
    policy = str(info.get("maxmemory_policy", ""))
    return Memory(int(info["used_memory"]), int(info.get("maxmemory", 0)), policy)


def _megabytes(number: int) -> str:
    return f"{number / 1_048_576:.1f} MB"
