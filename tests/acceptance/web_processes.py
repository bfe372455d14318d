"""Web processes that a test kills and starts again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from simulation.servers.embedded_redis import free_port
from simulation.tied_process import tied_command
from simulation.until import until

PROJECT = Path(__file__).parents[2]


class WebProcesses:
    """Processes of ``worker.web`` for the persona ava, on ports of their own.

    ``settings(port)``: environment variables beside the common ones. ``health``: the path that answers 200 once a
    process serves.
    """

    def __init__(
        self, redis_url: str, number: int, settings: Callable[[int], Mapping[str, str]], health: str = "/health/ready"
    ) -> None:
        self._redis_url, self._settings, self._health = redis_url, settings, health
        self.ports = [free_port() for _ in range(number)]
        self._processes = {port: self._start(port) for port in self.ports}

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        variables = {
            "PARLEY_REDIS_URL": self._redis_url,
            "PARLEY_PERSONAS": "ava",
            "PARLEY_LIMITS__INBOX_EVENTS": "100000",
            "PARLEY_METRICS__PORT": "0",
            **self._settings(port),
        }
        return subprocess.Popen(
            tied_command([sys.executable, "-m", "worker.web"]),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=PROJECT,
            env={**os.environ, **variables},
        )

    def wait(self, port: int) -> None:
        """Wait until the process serves, at most 90 s. Raises ``TimeoutError``."""
        until(lambda: self._serves(port), "the web process serves", seconds=90, pause_seconds=0.1)

    def kill(self, port: int) -> None:
        """Send SIGKILL to the process, and start another one on its port."""
        self._processes[port].kill()
        self._processes[port].wait()
        self._processes[port] = self._start(port)

    def end(self) -> None:
        """End all processes."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()

    def _serves(self, port: int) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{port}{self._health}", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False
