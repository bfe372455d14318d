"""Whole systems: real Redis, real Celery worker and beat processes, real HTTP on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest

from config.settings import Settings, load
from simulation.servers.embedded_rabbitmq import EmbeddedRabbitMQ, NoRabbitMQ, find_rabbitmq
from simulation.servers.embedded_redis import free_port
from simulation.servers.system import RunningSystem
from simulation.tied_process import tied_command

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., tuple[RunningSystem, Settings]]]:
    """Start a system; returns it and the settings that all its processes have."""
    with ExitStack() as running:

        def run(**options: Any) -> tuple[RunningSystem, Settings]:
            system = running.enter_context(RunningSystem(**options))
            for name, value in system.environment.items():
                monkeypatch.setenv(name, value)
            return system, load(env_file=None)

        yield run


@pytest.fixture(scope="session")
def rabbitmq(need: Callable[[str], NoReturn]) -> Iterator[EmbeddedRabbitMQ]:
    """One RabbitMQ for the session."""
    try:
        find_rabbitmq()
    except NoRabbitMQ as missing:
        need(str(missing))
    with EmbeddedRabbitMQ() as server:
        yield server


@dataclass
class Dashboard:
    """A running ``make flower``, its address and its log."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path

    def answers(self) -> bool:
        """Whether it is up."""
        with suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/healthcheck", trust_env=False).status_code == 200
        return False

    def end(self) -> None:
        """Stop it as a supervisor does."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()


@pytest.fixture
def open_dashboard(tmp_path: Path, eventually: Callable[..., Any]) -> Iterator[Callable[..., Dashboard]]:
    """Start Flower as ``make flower`` does; the database is in ``tmp_path``, unless ``more`` settings say another."""
    with ExitStack() as running:

        def start(environment: dict[str, str], password: str, **more: str) -> Dashboard:
            port = free_port()
            log = tmp_path / f"flower-{port}.log"
            own = {
                "PARLEY_FLOWER__PASSWORD": password,
                "PARLEY_FLOWER__PORT": str(port),
                "PARLEY_FLOWER__DATABASE": str(tmp_path / "flower.db"),
                **more,
            }
            with log.open("wb") as output:
                process = subprocess.Popen(
                    tied_command([sys.executable, "-m", "worker.processes.flower"]),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "PYTHONPATH": str(PROJECT), **environment, **own},
                    cwd=tmp_path,
                )
            found = Dashboard(process, f"http://127.0.0.1:{port}", log)
            running.callback(found.end)
            eventually(found.answers, f"Flower; its log: {log.read_text(errors='replace')}")
            return found

        yield start
