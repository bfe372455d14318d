"""Connections to the store."""

from __future__ import annotations

from redis import BlockingConnectionPool, Redis, exceptions
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

StoreError = exceptions.RedisError


def connect(url: str, connections: int) -> Redis:
    """A client for ``url`` that any number of threads share; a thread waits when all connections are in use.

    A call that times out or loses its connection is sent again (three times within about two seconds), which is why
    every script may run twice. READONLY, LOADING and MASTERDOWN, which a
    fail-over or restart answers, count as lost connections.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=20,
        decode_responses=True,
        # What a foreign producer pushed need not be text; it must still be readable, refusable and removable.
        encoding_errors="surrogateescape",
        socket_timeout=5,
        socket_connect_timeout=3,
        socket_keepalive=True,
        health_check_interval=15,
        retry=Retry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), 3),
        retry_on_error=[
            exceptions.ConnectionError,
            exceptions.TimeoutError,
            exceptions.BusyLoadingError,
            exceptions.MasterDownError,
            exceptions.ReadOnlyError,
        ],
    )
    return Redis(connection_pool=pool)


def clock_ms(redis: Redis) -> int:
    """Now, in milliseconds of the store's clock: the only clock that all machines share."""
    seconds, microseconds = redis.time()
    return int(seconds) * 1000 + int(microseconds) // 1000
