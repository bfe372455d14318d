"""Connections to the store, whatever kind of server it is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from redis import BlockingConnectionPool, Redis, exceptions
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool

from config.addresses import Address
from config.settings import Tls
from worker.store.redis.cluster import LateCluster

StoreError = exceptions.RedisError


class StoreFull(exceptions.OutOfMemoryError):
    """The store has no memory left (``maxmemory``). It takes nothing new, and what was asked for has changed nothing;
    the same again is taken when there is room. What is under way goes on to its end."""


_WAIT_SECONDS = 20


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Connections to the present master; a thread waits when all are in use."""


def connect(
    address: Address, tls: Tls, connections: int, client: type[Redis] = Redis, answer_seconds: float = 5.0
) -> Redis:
    """A client of the store that any number of threads share; a thread waits when all connections are in use.

    ``connections``: at most so many, in a cluster to each node. Nothing is opened before the first call. ``client``:
    its class, but for a cluster. ``answer_seconds``: a connection that is silent for longer is given up.

    A call that times out or loses its connection is sent again (three times within about two seconds), which is why
    every script may run twice. READONLY, LOADING and MASTERDOWN, which a
    fail-over or restart answers, count as lost connections.
    """
    options: dict[str, Any] = {
        "max_connections": connections,
        "timeout": _WAIT_SECONDS,
        "decode_responses": True,
        # What a foreign producer pushed need not be text; it must still be readable, refusable and removable.
        "encoding_errors": "surrogateescape",
        "socket_timeout": answer_seconds,
        "socket_connect_timeout": min(3.0, answer_seconds),
        "socket_keepalive": True,
    }
    secured = _secured(tls) if address.tls else {}
    if address.kind == "cluster":
        # Has the methods that the store uses; its calls go to the node that holds their slot.
        return cast(Redis, LateCluster(address, _retry(), {**options, **secured}))
    options |= {"health_check_interval": 15, "retry": _retry(), "retry_on_error": _RETRIED}
    if not address.hosts:
        # A socket of the file system has no such option, and the client refuses it.
        del options["socket_keepalive"]
    if address.kind == "sentinel":
        return _patient(client.from_pool(_sentinel_pool(address, {**options, "ssl": address.tls, **secured})))
    return _patient(client.from_pool(BlockingConnectionPool.from_url(address.url, **options, **secured)))


class _Patient:
    """A connection that takes any answer to its PING for a sign of health: a server that cannot write to its disk
    refuses it, and still tells what it holds. The server shows it under a name, if there is one."""

    shown_as: Callable[[], str] | None = None

    def _send_ping(self) -> None:
        with suppress(exceptions.ResponseError):
            super()._send_ping()  # type: ignore[misc]

    def on_connect_check_health(self, check_health: bool = True) -> None:
        connection = cast(Any, super())
        connection.on_connect_check_health(check_health=check_health)
        if self.shown_as is not None:
            connection.send_command("CLIENT", "SETNAME", self.shown_as(), check_health=check_health)
            # A user with few rights may not say so.
            with suppress(exceptions.ResponseError):
                connection.read_response()


def _patient(client: Redis) -> Redis:
    pool = client.connection_pool
    pool.connection_class = type("PatientConnection", (_Patient, pool.connection_class), {})
    return client


def name_connections(redis: Redis, name: Callable[[], str]) -> None:
    """Have the server show each connection that this client opens from now on as ``name()``, also one that replaces a
    broken one, and one that is open now. Nothing happens in a cluster, or when the server does not take it."""
    if isinstance(redis, LateCluster):
        return
    redis.connection_pool.connection_class.shown_as = staticmethod(name)
    with suppress(StoreError):
        redis.client_setname(name())


def clock_ms(redis: Redis) -> int:
    """Now, in milliseconds of the store's clock: the only clock that all machines share."""
    seconds, microseconds = redis.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


_RETRIED = [
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.BusyLoadingError,
    exceptions.MasterDownError,
    exceptions.ReadOnlyError,
]


def _retry() -> Retry:
    return Retry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), 3)


def _secured(tls: Tls) -> dict[str, Any]:
    files = {"ssl_ca_certs": tls.ca_path, "ssl_certfile": tls.certificate_path, "ssl_keyfile": tls.key_path}
    given = {name: str(path) for name, path in files.items() if path is not None}
    return {"ssl_cert_reqs": "required", "ssl_check_hostname": True, **given}


def _sentinel_pool(address: Address, options: dict[str, Any]) -> _SentinelPool:
    own = {name: value for name, value in options.items() if name.startswith(("ssl", "socket")) and value is not False}
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        address.hosts,
        sentinel_kwargs={
            **own,
            "username": address.sentinel_username,
            "password": address.sentinel_password,
            "socket_timeout": 3,
        },
    )
    return _SentinelPool(  # type: ignore[no-untyped-call]
        address.service,
        sentinel,
        db=address.database,
        username=address.username,
        password=address.password,
        **options,
    )
