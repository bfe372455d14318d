"""A Redis Cluster as a store: the same calls as a single server, each sent to the node that holds its slot."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import BlockingConnectionPool, Redis, RedisCluster
from redis.cluster import ClusterNode
from redis.exceptions import ClusterDownError, RedisClusterException
from redis.retry import Retry

from config.addresses import Address


class _Cluster(RedisCluster):
    def execute_command(self, *arguments: Any, **options: Any) -> Any:
        with _as_redis_error():
            return super().execute_command(*arguments, **options)  # type: ignore[no-untyped-call]


class LateCluster:
    """``RedisCluster`` asks its nodes for their slots when it is made; this one is made with the first call.

    Whatever goes wrong is a ``redis.RedisError``, as for a single server.
    """

    def __init__(self, address: Address, retry: Retry, options: dict[str, Any]) -> None:
        self._address = address
        self._retry = retry
        self._options = options
        self._lock = threading.Lock()
        self._made: RedisCluster | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cluster(), name)

    @contextmanager
    def pipeline(self, transaction: bool = True) -> Iterator[Any]:
        """Commands in one round trip to each node; with ``transaction`` all keys must be of one slot."""
        cluster: Any = self._cluster()
        with _as_redis_error(), cluster.pipeline(transaction=transaction) as pipeline:
            yield pipeline

    def masters(self) -> dict[str, Redis]:
        """A client for each master by its ``host:port``. Raises ``redis.RedisError``."""
        cluster: Any = self._cluster()
        with _as_redis_error():
            return {str(node.name): cluster.get_redis_connection(node) for node in cluster.get_primaries()}

    def close(self) -> None:
        """Close the connections to all nodes, if there are any."""
        if self._made is not None:
            self._made.close()

    def _cluster(self) -> RedisCluster:
        with self._lock:
            if self._made is None:
                with _as_redis_error():
                    self._made = self._make()
            return self._made

    def _make(self) -> RedisCluster:
        (host, port), *others = self._address.hosts
        scheme = "rediss" if self._address.tls else "redis"
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        # By URL, because only then the pools are of the class that makes threads wait for a connection.
        return _Cluster(
            url=f"{scheme}://{self._address.login()}{place}",
            startup_nodes=[ClusterNode(*other) for other in others],  # type: ignore[no-untyped-call]
            retry=self._retry,
            connection_pool_class=BlockingConnectionPool,
            **self._options,
        )


@contextmanager
def _as_redis_error() -> Iterator[None]:
    try:
        yield
    except RedisClusterException as error:
        # Not a RedisError, though it says what ClusterDownError says: no node, or nobody holds the slot.
        raise ClusterDownError(str(error)) from error
