"""Which workers and schedulers are alive: each says so every few seconds, for how long it may be taken to be.

Workers also say for which personas and to which channel they work, so that a scheduler can do without their settings.
What is silent stays known for a day, so that a person is told which process it was.
"""

from __future__ import annotations

import os
import socket
import time
from dataclasses import dataclass
from typing import Any, Literal

from redis import Redis
from redis.exceptions import ResponseError

from worker.store.redis.cluster import LateCluster
from worker.store.redis.connection import StoreError, clock_ms, name_connections
from worker.store.redis.scripts import Scripts

Role = Literal["worker", "beat"]
State = Literal["frozen", "dead", "silent", "stopped"]

KEY = "parley:alive"
# "persona NAME" and "channel NAME" to milliseconds until when it holds. Written by workers, read by schedulers.
SERVED = "parley:served"

# A process that misses two signs may be slow, one that misses three is gone.
_SIGNS = 3
# A third word of a sign: this process knows the names of replies (field reply_id); those of 0.1.0 have no third word.
_NAMES = "reply-names"
_LOOK_SECONDS = 5.0
_KEPT_MS = 86_400_000
# Before the role of a process that was stopped in order.
_STOPPED = "stopped:"


@dataclass(frozen=True, slots=True)
class Gone:
    """A process that gives no sign of life. ``name``: host and process id. ``at``: milliseconds of the store's clock
    since when.

    ``state``: ``frozen`` holds its connection to the store, ``dead`` does not, of ``silent`` the server does not say
    which of the two it is; ``stopped`` said goodbye.
    """

    role: Role
    name: str
    at: int
    state: State


@dataclass(frozen=True, slots=True)
class Alive:
    """How many processes of each role gave a sign of life in time. ``gone``: the others of the last day, the last one
    first."""

    workers: int
    beats: int
    gone: tuple[Gone, ...] = ()

    def last(self, role: Role) -> Gone | None:
        """The one that was alive last of those that are gone."""
        return next((each for each in self.gone if each.role == role), None)


@dataclass(frozen=True, slots=True)
class Served:
    """What the workers that are alive, or were last, have in their settings. ``channel``: '' = not known."""

    personas: tuple[str, ...] = ()
    channel: str = ""


class Processes:
    """Signs of life. A person looks at them, and workers of two releases side by side."""

    def __init__(self, redis: Redis, scripts: Scripts) -> None:
        self._redis = redis
        self._sign = scripts.sign
        self._names_at, self._names = 0.0, True
        self._signed_at = 0

    def sign(self, role: Role, every_seconds: float, serves: Served | None = None) -> None:
        """This process lives, and signs again after ``every_seconds``; a full store takes it, too. ``serves``: for whom
        it works.

        Raises ``redis.RedisError``.
        """
        # A process that is frozen keeps its connections, one that died does not.
        try:
            self._write(role, every_seconds, serves)
        except ResponseError:
            # Trying again has closed them, and a server that takes no writes still tells who is connected.
            self._show(role)
            raise
        self._show(role)

    def leave(self, role: Role) -> None:
        """This process ends in order: it is no longer alive. Raises ``redis.RedisError``."""
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.zrem(KEY, f"{role} {_own_name()} {_NAMES}")
            pipeline.zadd(KEY, {f"{_STOPPED}{role} {_own_name()}": clock_ms(self._redis)})
            pipeline.execute()

    def served(self) -> Served:
        """For whom workers work. Raises ``redis.RedisError``."""
        named = [str(member).partition(" ") for member in self._redis.zrange(SERVED, 0, -1)]
        channels = [name for kind, _, name in named if kind == "channel"]
        return Served(tuple(name for kind, _, name in named if kind == "persona"), channels[-1] if channels else "")

    def alive(self) -> Alive:
        """Who is alive by the store's clock. Raises ``redis.RedisError``."""
        now = clock_ms(self._redis)
        signs: list[tuple[str, float]] = self._redis.zrevrange(KEY, 0, -1, withscores=True)  # type: ignore[assignment]
        roles = [sign.partition(" ")[0] for sign, until in signs if until >= now]
        silent = [(sign.split(" "), int(until)) for sign, until in signs if until < now or sign.startswith(_STOPPED)]
        connected = self._connected() if silent else None
        gone = tuple(_gone(words[0], words[1], until, connected) for words, until in silent if len(words) > 1)
        return Alive(roles.count("worker"), roles.count("beat"), gone)

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

    def _write(self, role: Role, every_seconds: float, serves: Served | None) -> None:
        now = clock_ms(self._redis)
        until = now + int(every_seconds * 1000 * _SIGNS)
        # The clock has stepped back: what others signed before would hold for too long, and who lives signs again.
        latest = str(until) if now < self._signed_at else ""
        own = [f"{role} {_own_name()} {_NAMES}"]
        self._sign.run(signs=KEY, ends_at=until, forgotten=now - _KEPT_MS, latest=latest, members=own)
        if serves is not None:
            # What has expired goes only when another worker signs: the last ones are still known when none is alive.
            names = [*(f"persona {name}" for name in serves.personas), f"channel {serves.channel}"]
            self._sign.run(signs=SERVED, ends_at=until, forgotten=now, latest=latest, members=names)
        self._signed_at = now

    def _show(self, role: Role) -> None:
        name_connections(self._redis, lambda: _connection_name(role, _own_name()))

    def _connected(self) -> set[str] | None:
        if isinstance(self._redis, LateCluster):
            return None
        try:
            clients: list[dict[str, Any]] = self._redis.client_list()
        except StoreError:
            return None
        return {str(client.get("name", "")) for client in clients}


def _own_name() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _connection_name(role: str, name: str) -> str:
    return f"parley-{role}:{name}"


def _gone(said: str, name: str, until: int, connected: set[str] | None) -> Gone:
    role: Role = "beat" if said.endswith("beat") else "worker"
    if said.startswith(_STOPPED):
        return Gone(role, name, until, "stopped")
    if connected is None:
        return Gone(role, name, until, "silent")
    return Gone(role, name, until, "frozen" if _connection_name(role, name) in connected else "dead")
