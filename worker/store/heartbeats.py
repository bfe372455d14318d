"""Which workers and schedulers are alive: each says so every few seconds, for how long it may be taken to be.

Workers also say for which personas and to which channel they work, so that a scheduler can do without their settings.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from typing import Literal

from redis import Redis

from worker.store.redis.connection import clock_ms

Role = Literal["worker", "beat"]

KEY = "parley:alive"
# "persona NAME" and "channel NAME" to milliseconds until when it holds. Written by workers, read by schedulers.
SERVED = "parley:served"

# A process that misses two signs may be slow, one that misses three is gone.
_SIGNS = 3
# A third word of a sign: this process knows the names of replies (field reply_id); those of 0.1.0 have no third word.
_NAMES = "reply-names"
_LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Alive:
    """How many processes of each role gave a sign of life in time."""

    workers: int
    beats: int


@dataclass(frozen=True, slots=True)
class Served:
    """What the workers that are alive, or were last, have in their settings. ``channel``: '' = not known."""

    personas: tuple[str, ...] = ()
    channel: str = ""


class Processes:
    """Signs of life. A person looks at them, and workers of two releases side by side."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._names_at, self._names = 0.0, True
        self._signed_at = 0

    def sign(self, role: Role, every_seconds: float, serves: Served | None = None) -> None:
        """This process lives, and signs again after ``every_seconds``. ``serves``: for whom it works.

        Raises ``redis.RedisError``.
        """
        now = clock_ms(self._redis)
        member = f"{role} {socket.gethostname()}:{os.getpid()} {_NAMES}"
        until = now + int(every_seconds * 1000 * _SIGNS)
        signs = {KEY: [member]}
        if serves is not None:
            # What has expired goes only when another worker signs: the last ones are still known when none is alive.
            signs[SERVED] = [f"persona {name}" for name in serves.personas] + [f"channel {serves.channel}"]
        with self._redis.pipeline(transaction=False) as pipeline:
            for key, members in signs.items():
                pipeline.zadd(key, dict.fromkeys(members, until))
                pipeline.zremrangebyscore(key, "-inf", now)
                if now < self._signed_at:
                    # The clock has stepped back. What others signed before would hold for too long; who lives signs
                    # again.
                    pipeline.zremrangebyscore(key, f"({until}", "+inf")
            pipeline.execute()
        self._signed_at = now

    def served(self) -> Served:
        """For whom workers work. Raises ``redis.RedisError``."""
        named = [str(member).partition(" ") for member in self._redis.zrange(SERVED, 0, -1)]
        channels = [name for kind, _, name in named if kind == "channel"]
        return Served(tuple(name for kind, _, name in named if kind == "persona"), channels[-1] if channels else "")

    def alive(self) -> Alive:
        """Who is alive by the store's clock. Raises ``redis.RedisError``."""
        members = self._redis.zrangebyscore(KEY, clock_ms(self._redis), "+inf")
        roles = [str(member).partition(" ")[0] for member in members]
        return Alive(roles.count("worker"), roles.count("beat"))

    def all_know_names(self) -> bool:
        """Whether every worker that signs knows the names of replies. As of the last 5 s.

        Raises ``redis.RedisError``.
        """
        if not self._names_at or time.monotonic() > self._names_at + _LOOK_SECONDS:
            signs: list[tuple[str, float]] = self._redis.zrange(KEY, 0, -1, withscores=True)  # type: ignore[assignment]
            older = [until for sign, until in signs if sign.startswith("worker ") and sign.count(" ") == 1]
            self._names = not older or max(older) <= clock_ms(self._redis)
            self._names_at = time.monotonic()
        return self._names
