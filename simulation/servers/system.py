"""The whole system on this machine for demo, tests and benchmarks: Redis, the simulated upstreams, workers, beats, web
processes.

Everything runs as the operator would run it, by the same commands, as processes of their own.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from simulation.processes import end, start
from simulation.servers.embedded_redis import EmbeddedRedis, free_port
from simulation.upstreams.control import SimulatedUpstreams

# Until a worker that is started takes messages, also where many other processes want the same cores.
_READY_SECONDS = 120.0
_SOURCE = Path(__file__).absolute().parents[2]
# As in the image.
_MEMORY = {"GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
_SHIFTED_CLOCK = Path(__file__).absolute().parent / "shifted_clock"
# What a process logs when it has begun its work.
_READY = {"worker": "worker ready", "web": "ingress on"}

INGRESS_TOKEN = "token-of-the-simulation-0123456789"


class SystemFailed(RuntimeError):
    """A process of the system did not come up."""


def wrong_clock(seconds: float) -> dict[str, str]:
    """Further variables for a process whose time of day is ahead by so much (behind, if negative)."""
    path = os.pathsep.join((str(_SHIFTED_CLOCK), str(_SOURCE)))
    return {"SHIFTED_CLOCK_SECONDS": str(seconds), "PYTHONPATH": path}


class RunningSystem:
    """Start with ``with``; ends with it.

    ``personas``: name to API key. ``webs``: web processes, whose ingress takes ``INGRESS_TOKEN``. ``settings``: further
    ``PARLEY_`` variables, prefix included. ``latency_seconds``: how long the simulated persona thinks, or the least and
    the most. ``worker_options``: further options of ``celery worker``. ``logs``: where each process writes its log
    (default: a temporary place). ``call_log``: file to which the upstreams append each call. ``app``: the Celery app
    that the workers run. ``appendfsync``: of the Redis; ``always`` when it is to be killed. ``python``: what runs
    workers and beats.
    """

    def __init__(
        self,
        *,
        personas: Mapping[str, str] | None = None,
        workers: int = 1,
        worker_options: Sequence[str] = (),
        beats: int = 1,
        webs: int = 0,
        latency_seconds: float | tuple[float, float] = 0.0,
        settings: Mapping[str, str] | None = None,
        logs: Path | None = None,
        call_log: Path | None = None,
        app: str = "worker",
        appendfsync: Literal["everysec", "always"] = "everysec",
        python: str = sys.executable,
    ) -> None:
        self._personas = dict(personas or {"ava": "ft_sk_ava"})
        self._worker_options = tuple(worker_options)
        self._worker_count, self._beat_count = workers, beats
        self._ports = [free_port() for _ in range(webs)]
        self._app = app
        self._python = python
        self._settings = dict(settings or {})
        self._temporary = None if logs else tempfile.TemporaryDirectory(prefix="parley-")
        self.logs = logs or Path(self._temporary.name if self._temporary else ".")
        self.redis = EmbeddedRedis(appendfsync=appendfsync)
        self.upstreams = SimulatedUpstreams(personas=self._personas, latency=latency_seconds, call_log=call_log)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.beats: list[subprocess.Popen[bytes]] = []
        self.webs: list[subprocess.Popen[bytes]] = []

    @property
    def ingresses(self) -> list[str]:
        """The address of the ingress of each web process."""
        return [f"http://127.0.0.1:{port}" for port in self._ports]

    @property
    def environment(self) -> dict[str, str]:
        """The settings of all processes as environment variables."""
        keys = {f"PARLEY_PERSONAS__{name.upper()}__API_KEY": key for name, key in self._personas.items()}
        return {
            **keys,
            "PARLEY_REDIS_URL": self.redis.url,
            "PARLEY_FLUIDTALK__BASE_URL": self.upstreams.fluidtalk_url,
            "PARLEY_CAPTIVATE__ENVIRONMENT": "dev",
            "PARLEY_CAPTIVATE__BASE_URL": self.upstreams.captivate_url,
            "PARLEY_IMAGES__ALLOW_PRIVATE_ADDRESSES": "true",
            **self._settings,
        }

    @property
    def web_environment(self) -> dict[str, str]:
        """The settings of web processes: no key and no address of an upstream."""
        return {
            "PARLEY_REDIS_URL": self.redis.url,
            "PARLEY_PERSONAS": ",".join(self._personas),
            "PARLEY_METRICS__PORT": "0",
            "PARLEY_INGRESS__SOURCES__SIMULATION__TOKEN": INGRESS_TOKEN,
            **self._settings,
        }

    def __enter__(self) -> Self:
        try:
            self.redis.start()
            self.upstreams.start()
            self.workers += [self._launch("worker", number) for number in range(self._worker_count)]
            self.beats += [self._launch("beat", number) for number in range(self._beat_count)]
            self.webs += [self._launch_web(number) for number in range(len(self._ports))]
            self._await("worker", self.workers)
            self._await("web", self.webs)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start_worker(
        self, settings: Mapping[str, str] | None = None, *, wait: bool = True, options: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        """One more worker, with more variables and options; returns when it takes messages, or at once."""
        process = self._launch("worker", len(self.workers), settings, options)
        self.workers.append(process)
        if wait:
            self._await("worker", self.workers)
        return process

    def start_beat(self, settings: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """One more beat, with further variables of its own; returns at once."""
        process = self._launch("beat", len(self.beats), settings)
        self.beats.append(process)
        return process

    def start_web(self, settings: Mapping[str, str], *, module: str = "worker.web") -> subprocess.Popen[bytes]:
        """One more web process, with further variables of its own; returns at once. ``module``: what it runs."""
        self._ports.append(free_port())
        process = self._launch_web(len(self.webs), settings, module)
        self.webs.append(process)
        return process

    def stop(self) -> None:
        """End everything, the processes that use Redis first."""
        end(*self.webs, *self.beats, *self.workers, seconds=15)
        self.upstreams.stop()
        self.redis.stop()
        if self._temporary:
            self._temporary.cleanup()

    def log_of(self, kind: str, number: int = 0) -> str:
        """What a worker, beat or web process has logged so far."""
        file = self.logs / f"{kind}-{number}.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def listens(self, number: int) -> bool:
        """Whether a web process, by its number, takes connections, whatever it logs."""
        try:
            socket.create_connection(("127.0.0.1", self._ports[number]), timeout=1).close()
        except OSError:
            return False
        return True

    def is_ready(self, number: int, kind: str = "worker") -> bool:
        """Whether a worker or web process, by its number, has begun to take what comes."""
        return _READY[kind] in self.log_of(kind, number)

    def _launch(
        self, kind: str, number: int, settings: Mapping[str, str] | None = None, options: Sequence[str] = ()
    ) -> subprocess.Popen[bytes]:
        command = [self._python, "-m", "celery", "-A", self._app, kind]
        if kind == "worker":
            command += ["--hostname", f"worker-{number}@parley", *self._worker_options, *options]
        return self._start(kind, number, command, {**self.environment, **(settings or {})})

    def _launch_web(
        self, number: int, settings: Mapping[str, str] | None = None, module: str = "worker.web"
    ) -> subprocess.Popen[bytes]:
        own = {**self.web_environment, "PARLEY_INGRESS__PORT": str(self._ports[number]), **(settings or {})}
        return self._start("web", number, [sys.executable, "-m", module], own)

    def _start(
        self, kind: str, number: int, command: Sequence[str], settings: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        outside = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
        # Away from the working directory, where an operator's .env could join them to a real broker.
        path = os.pathsep.join(filter(None, (str(_SOURCE), outside.get("PYTHONPATH"))))
        variables = {**_MEMORY, **outside, "PYTHONPATH": path, **settings}
        return start(command, cwd=self.logs, env=variables, log=self.logs / f"{kind}-{number}.log")

    def _await(self, kind: str, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        waiting = [number for number, process in enumerate(processes) if process.poll() is None]
        while waiting and time.monotonic() < deadline:
            if any(processes[number].poll() is not None for number in waiting):
                break
            waiting = [number for number in waiting if not self.is_ready(number, kind)]
            time.sleep(0.02)
        if waiting:
            logs = "\n".join(self.log_of(kind, number)[-2000:] for number in waiting)
            raise SystemFailed(f"{kind} {waiting} did not come up; their logs:\n{logs}")
