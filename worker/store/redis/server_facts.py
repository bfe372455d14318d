"""What the server behind the store says of itself, as far as it tells."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import BusyLoadingError, ResponseError

from worker.store.redis.cluster import LateCluster
from worker.store.redis.connection import clock_ms


@dataclass(frozen=True, slots=True)
class Facts:
    """What a server told. None: it did not tell; managed servers hide parts of themselves.

    ``product``: name and version, such as ``Valkey 9.1.0``. ``version``: that of Redis whose commands it speaks, also
    for Valkey. ``mode``: ``standalone``, ``sentinel`` or ``cluster``. ``sync``: its ``appendfsync``. ``idle_seconds``:
    after so long it closes an idle connection, 0 = never. ``clock_skew_seconds``: how far its clock is ahead of this
    machine's, give or take half a round trip. ``replicas``: how many follow it. ``replicas_needed``: with fewer than so
    many near enough it refuses to write (``min-replicas-to-write``).
    """

    product: str
    version: str | None
    mode: str | None
    append_only: bool | None
    append_only_writable: bool | None
    sync: str | None
    eviction: str | None
    idle_seconds: int | None
    clock_skew_seconds: float
    replicas: int | None = None
    replicas_needed: int | None = None


def servers(redis: Redis) -> dict[str, Redis]:
    """The masters of a cluster by their address; else the only server. Raises ``redis.RedisError``."""
    return redis.masters() if isinstance(redis, LateCluster) else {"": redis}


def facts(redis: Redis) -> Facts:
    """Ask the server.

    Raises ``redis.RedisError`` when it cannot be reached, does not let us in or still loads its data.
    """
    skew = _clock_skew_seconds(redis)
    info = _asked(redis.info)
    if info.get("loading"):
        # Until it has read its append-only file, it says that it has none.
        raise BusyLoadingError("LOADING the server still loads its data")
    enabled, write_status = info.get("aof_enabled"), info.get("aof_last_write_status")
    idle, valkey = _config(redis, "timeout"), info.get("valkey_version")
    needed = _config(redis, "min-replicas-to-write")
    return Facts(
        product=f"Valkey {valkey}" if valkey else f"Redis {info.get('redis_version')}",
        version=info.get("redis_version"),
        mode=info.get("redis_mode") or info.get("server_mode"),
        append_only=None if enabled is None else bool(int(enabled)),
        append_only_writable=None if write_status is None else write_status == "ok",
        sync=_config(redis, "appendfsync"),
        eviction=info.get("maxmemory_policy") or _config(redis, "maxmemory-policy"),
        idle_seconds=None if idle is None else int(idle),
        clock_skew_seconds=skew,
        replicas=info.get("connected_slaves"),
        replicas_needed=None if needed is None else int(needed),
    )


def _clock_skew_seconds(redis: Redis) -> float:
    # Connects. Not PING: a server that cannot write to its disk refuses it.
    clock_ms(redis)
    before = time.time()
    there = clock_ms(redis) / 1000
    return there - (before + time.time()) / 2


def _config(redis: Redis, name: str) -> str | None:
    value = _asked(lambda: redis.config_get(name)).get(name)
    return None if value is None else str(value)


def _asked(question: Any) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = question()
    except ResponseError:
        # Unknown or renamed command, or no permission: it may still be a good server.
        return {}
    return answer
