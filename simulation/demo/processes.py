"""The processes of the demo: which run, where, and what they said before they died."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from config.settings import Settings
from simulation.servers.system import RunningSystem
from simulation.upstreams.control import SimulationFailed

_LAST_LINES = 15


@dataclass(frozen=True, slots=True)
class Process:
    """One process. ``where``: its ports and what it does; ``ended``: whether it is gone; ``log``: what it said."""

    name: str
    pid: int
    where: str
    ended: Callable[[], bool]
    log: Callable[[], str]

    def last_lines(self) -> str:
        """The end of its log."""
        return "\n".join(self.log().splitlines()[-_LAST_LINES:])


class ProcessDied(Exception):
    """A process of the demo is gone; the text has the end of its log."""

    def __init__(self, process: Process) -> None:
        super().__init__(f"{process.name} (pid {process.pid}) died. The end of its log:\n{process.last_lines()}")


def processes(system: RunningSystem, settings: Settings, connection: Redis) -> list[Process]:
    """All processes of a running system, in the order in which they were started. ``connection``: to its Redis."""
    redis, upstreams = system.redis, system.upstreams
    server = connection.info("server")
    valkey = server.get("valkey_version")
    version = f"Valkey {valkey}" if valkey else f"Redis {server['redis_version']}"
    append_only = connection.config_get("appendonly")["appendonly"] == "yes"
    ports = [url.rpartition(":")[2] for url in (upstreams.fluidtalk_url, upstreams.captivate_url)]
    durable = "append-only file on" if append_only else "append-only file OFF: nothing would survive a crash"
    found = [
        Process(
            "redis",
            redis.pid,
            f"port {redis.port}, {version}, {durable}",
            lambda: not redis.running,
            lambda: redis.log_file.read_text(errors="replace"),
        ),
        Process(
            "upstreams",
            upstreams.pid,
            f"ports {ports[0]} (simulated FluidTalk) and {ports[1]} (simulated Captivate)",
            lambda: not _answers(system),
            lambda: "it writes its errors to the terminal",
        ),
    ]
    roles = {
        "worker": (system.workers, f"celery -A worker worker, {settings.worker.concurrency} turns at once"),
        "beat": (system.beats, f"celery -A worker beat, every {settings.agenda.tick_seconds:g} s"),
        "web": (system.webs, f"python -m worker.web, the ingress: {' '.join(system.ingresses)}"),
    }
    for kind, (running, what) in roles.items():
        for number, process in enumerate(running):
            found.append(
                Process(
                    kind,
                    process.pid,
                    what,
                    lambda process=process: process.poll() is not None,  # type: ignore[misc]
                    lambda kind=kind, number=number: system.log_of(kind, number),  # type: ignore[misc]
                )
            )
    return found


def keep_logs(system: RunningSystem, folder: Path) -> None:
    """Put what would vanish with the system beside the logs of worker and beat: all calls, and Redis's own log."""
    try:
        calls = "".join(call.to_json() + "\n" for call in system.upstreams.calls())
        (folder / "calls.jsonl").write_text(calls)
        shutil.copy(system.redis.log_file, folder / "redis.log")
    except (SimulationFailed, RuntimeError, OSError) as error:
        (folder / "incomplete.txt").write_text(f"not all logs could be kept: {type(error).__name__}\n")


def _answers(system: RunningSystem) -> bool:
    try:
        system.upstreams.summary()
    except SimulationFailed:
        return False
    return True
