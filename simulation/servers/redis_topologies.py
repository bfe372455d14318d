"""Redis as bigger installations run it, on loopback: a cluster of masters, a master with a replica under Sentinels."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from simulation.processes import start
from simulation.servers.embedded_redis import EmbeddedRedis, free_port
from simulation.servers.redis_binary import find_redis_binary
from simulation.until import until

_SLOTS = 16_384


class _Servers:
    """Servers that start and end together."""

    def __init__(self) -> None:
        self._running = ExitStack()

    def __enter__(self) -> Self:
        with self._running:
            self._start()
            self._running = self._running.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.close()

    def _start(self) -> None:
        raise NotImplementedError


class EmbeddedCluster(_Servers):
    """A Redis Cluster of three masters. ``nodes``: its servers."""

    def __init__(self) -> None:
        super().__init__()
        self._buses = [free_port() for _ in range(3)]
        self.nodes = [
            EmbeddedRedis(options={"cluster-enabled": "yes", "cluster-node-timeout": "2000", "cluster-port": str(bus)})
            for bus in self._buses
        ]

    @property
    def url(self) -> str:
        """As ``PARLEY_REDIS_URL`` wants it."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def _start(self) -> None:
        for node in self.nodes:
            self._running.enter_context(node)
        clients = [self._running.enter_context(client_of(node)) for node in self.nodes]
        share = _SLOTS // len(clients)
        for number, client in enumerate(clients):
            last = _SLOTS if number == len(clients) - 1 else (number + 1) * share
            client.execute_command("CLUSTER", "ADDSLOTS", *range(number * share, last))
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node, bus in zip(self.nodes[1:], self._buses[1:], strict=True):
            clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        until(lambda: all(_is_whole(client, len(clients)) for client in clients), "the cluster is whole")


class EmbeddedSentinels(_Servers):
    """A master with a replica, and three Sentinels that promote the replica when two of them miss the master.

    ``master``, ``replica``: what they are at first, to be killed. ``options``: of both servers.
    """

    SERVICE = "parley"

    def __init__(self, options: dict[str, str] | None = None) -> None:
        super().__init__()
        self.master = EmbeddedRedis(port=free_port(), appendfsync="always", options=options)
        follows = {"replicaof": f"127.0.0.1 {self.master.port}"}
        self.replica = EmbeddedRedis(appendfsync="always", options={**(options or {}), **follows})
        self._sentinel_ports = [free_port() for _ in range(3)]

    @property
    def url(self) -> str:
        """As ``PARLEY_REDIS_URL`` wants it."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._sentinel_ports)
        return f"redis+sentinel://{hosts}/0?service={self.SERVICE}"

    def master_port(self) -> int:
        """The port of the master that the first Sentinel knows."""
        with Redis(host="127.0.0.1", port=self._sentinel_ports[0], decode_responses=True) as sentinel:
            return int(sentinel.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.SERVICE)[1])

    def fail_over(self) -> None:
        """Ask the first Sentinel to promote the replica, as an operator does; the old master becomes its replica."""
        with Redis(host="127.0.0.1", port=self._sentinel_ports[0], decode_responses=True) as sentinel:
            sentinel.execute_command("SENTINEL", "FAILOVER", self.SERVICE)

    def _start(self) -> None:
        self._running.enter_context(self.master)
        self._running.enter_context(self.replica)
        client = self._running.enter_context(client_of(self.replica))
        until(lambda: client.info("replication")["master_link_status"] == "up", "the replica follows its master")
        for port in self._sentinel_ports:
            self._start_sentinel(port)
        for port in self._sentinel_ports:
            sentinel = self._running.enter_context(Redis(host="127.0.0.1", port=port, decode_responses=True))
            until(partial(_knows_all, sentinel, self.SERVICE), "the Sentinels know each other")

    def _start_sentinel(self, port: int) -> None:
        directory = Path(self._running.enter_context(tempfile.TemporaryDirectory(prefix="embedded-sentinel-")))
        # Sentinel writes into its configuration, so each has a file of its own.
        config = directory / "sentinel.conf"
        name = self.SERVICE
        config.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {directory}\nlogfile {directory / 'log'}\n"
            f"sentinel monitor {name} 127.0.0.1 {self.master.port} 2\n"
            f"sentinel down-after-milliseconds {name} 1000\n"
            f"sentinel failover-timeout {name} 10000\n"
        )
        process = start([str(find_redis_binary()), str(config), "--sentinel"])
        self._running.callback(process.wait)
        self._running.callback(process.kill)


def client_of(server: EmbeddedRedis) -> Redis:
    """A client for one server, whatever it is part of."""
    return Redis(host="127.0.0.1", port=server.port, decode_responses=True)


def _is_whole(node: Any, size: int) -> bool:
    info: dict[str, Any] = node.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == size


def _knows_all(sentinel: Any, service: str) -> bool:
    try:
        sentinel.execute_command("SENTINEL", "CKQUORUM", service)
        state: Any = sentinel.sentinel_master(service)
    except RedisError:
        return False
    return int(state["num-other-sentinels"]) == 2 and int(state["num-slaves"]) == 1
