"""Who is compared: which processes each contender is made of, and how they are started."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.leads import ONE_BY_ONE
from benchmarks.peers.embedded_postgresql import EmbeddedPostgresql, find_binaries
from simulation.processes import end, start
from simulation.servers.embedded_redis import EmbeddedRedis
from simulation.servers.system import RunningSystem, SystemFailed
from simulation.upstreams.control import SimulatedUpstreams

Latency = float | tuple[float, float]

_SOURCE = Path(__file__).absolute().parents[2]
_KEYS = {"ava": "ft_sk_ava"}
_READY_SECONDS = 30.0
_STOP_SECONDS = 5.0
_NEIGHBOURLESS = ("--without-gossip", "--without-mingle", "--without-heartbeat")


@dataclass(frozen=True, slots=True)
class Contender:
    """A worker under trial. ``module``: what feeds it. ``app``: the Celery app of its workers; empty: not Celery.
    ``on_postgresql``: where its tasks are, if not in Redis.
    """

    name: str
    module: str
    app: str = ""
    on_postgresql: bool = False
    workers: int = 2
    options: tuple[str, ...] = ()
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Running:
    """A contender that runs. ``parties``: the ids of its processes by what they are; ``workers`` is one of them."""

    upstreams: SimulatedUpstreams
    environment: Mapping[str, str]
    parties: Mapping[str, Sequence[int]]


def parley(workers: int, *, task_events: bool = False) -> Contender:
    """Ours, default pool."""
    name = f"**Parley**, {workers} process{'es' if workers > 1 else ''}{', task events' if task_events else ''}"
    options = ("-E",) if task_events else ()
    return Contender(name, "benchmarks.peers.parley", "worker", workers=workers, options=options, ours=True)


def afternoon() -> Contender:
    """(a) The official clients, a lock and a retry."""
    module = "benchmarks.plain_celery"
    return Contender("(a) Celery, official clients, lock", module, module)


def expert() -> Contender:
    """(b) The same design by an expert."""
    module = "benchmarks.peers.expert_celery"
    return Contender("(b) Celery by an expert, lock", module, module, options=_NEIGHBOURLESS)


def procrastinate() -> Contender | None:
    """(c) Procrastinate with its lock; None where it or PostgreSQL is not installed."""
    if not (importlib.util.find_spec("procrastinate") and find_binaries()):
        return None
    module = "benchmarks.peers.procrastinate_worker"
    return Contender("(c) Procrastinate, lock, PostgreSQL", module, on_postgresql=True)


def dramatiq() -> Contender | None:
    """(d) Dramatiq with its mutex; None where it is not installed."""
    if not importlib.util.find_spec("dramatiq"):
        return None
    return Contender("(d) Dramatiq, mutex", "benchmarks.peers.dramatiq_worker")


def taskiq() -> Contender | None:
    """(e) Taskiq with redis-py's lock; None where it is not installed."""
    if not importlib.util.find_spec("taskiq_redis"):
        return None
    return Contender("(e) Taskiq, lock", "benchmarks.peers.taskiq_worker")


@contextmanager
def running(contender: Contender, latency: Latency) -> Iterator[Running]:
    """The contender with simulated services of its own. Raises ``SystemFailed`` when a process does not come up."""
    made = _with_postgresql if contender.on_postgresql else _with_redis
    with (_with_celery if contender.app else made)(contender, latency) as system:
        yield system


@contextmanager
def _with_celery(contender: Contender, latency: Latency) -> Iterator[Running]:
    with RunningSystem(
        app=contender.app,
        workers=contender.workers,
        worker_options=contender.options,
        beats=int(contender.ours),
        latency_seconds=latency,
        settings=ONE_BY_ONE,
    ) as system:
        parties = {
            "workers": [worker.pid for worker in system.workers],
            "Redis": [system.redis.pid],
            "beat": [beat.pid for beat in system.beats],
            "simulated services": [system.upstreams.pid],
        }
        yield Running(system.upstreams, system.environment, parties)


@contextmanager
def _with_postgresql(contender: Contender, latency: Latency) -> Iterator[Running]:
    with EmbeddedPostgresql() as server, SimulatedUpstreams(personas=_KEYS, latency=latency) as upstreams:
        environment = {"PEER_POSTGRESQL": server.conninfo, **_environment(upstreams)}
        make_tables = f"import {contender.module} as peer; peer.make_tables()"
        subprocess.run([sys.executable, "-c", make_tables], env={**os.environ, **environment}, check=True)
        with _processes(contender, environment) as workers:
            parties = {"workers": workers, "PostgreSQL": [server.pid], "simulated services": [upstreams.pid]}
            yield Running(upstreams, environment, parties)


@contextmanager
def _with_redis(contender: Contender, latency: Latency) -> Iterator[Running]:
    with EmbeddedRedis() as server, SimulatedUpstreams(personas=_KEYS, latency=latency) as upstreams:
        environment = {"PARLEY_REDIS_URL": server.url, **_environment(upstreams)}
        with _processes(contender, environment) as workers:
            parties = {"workers": workers, "Redis": [server.pid], "simulated services": [upstreams.pid]}
            yield Running(upstreams, environment, parties)


def _environment(upstreams: SimulatedUpstreams) -> dict[str, str]:
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, (str(_SOURCE), os.environ.get("PYTHONPATH")))),
        "PARLEY_FLUIDTALK__BASE_URL": upstreams.fluidtalk_url,
        "PARLEY_CAPTIVATE__BASE_URL": upstreams.captivate_url,
        "PARLEY_PERSONAS__AVA__API_KEY": _KEYS["ava"],
    }


@contextmanager
def _processes(contender: Contender, environment: Mapping[str, str]) -> Iterator[list[int]]:
    command, variables = [sys.executable, "-m", contender.module], {**os.environ, **environment}
    with tempfile.TemporaryDirectory(prefix="peer-") as directory:
        logs = [Path(directory) / f"worker-{number}.log" for number in range(contender.workers)]
        processes: list[subprocess.Popen[bytes]] = []
        try:
            processes += [start(command, cwd=Path(directory), env=variables, log=log) for log in logs]
            _await(processes, logs)
            yield [process.pid for process in processes]
        finally:
            end(*processes, seconds=_STOP_SECONDS)


def _await(processes: Sequence[subprocess.Popen[bytes]], logs: Sequence[Path]) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while not all("worker ready" in log.read_text(errors="replace") for log in logs):
        if any(process.poll() is not None for process in processes) or time.monotonic() > deadline:
            ends = "\n".join(log.read_text(errors="replace")[-2000:] for log in logs)
            raise SystemFailed(f"a worker did not come up; their logs:\n{ends}")
        time.sleep(0.05)
