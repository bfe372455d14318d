"""What Flower shows while something is wrong, compared with docs/what-you-see.md."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from simulation.servers.embedded_redis import free_port
from simulation.servers.system import RunningSystem
from simulation.tied_process import tied_command

PROJECT = Path(__file__).parents[2]


def plain(text: str) -> str:
    """Without marks, process ids and times."""
    text = re.sub(r"\[([^]]*)]\([^)]*\)", r"\1", text).replace("`", "")
    text = re.sub(r"\b[\w.-]+:\d+ is (frozen|dead)", r"HOST:PID is \1", text)
    return re.sub(r"kill -9 \d+", "kill -9 PID", re.sub(r"\b\d+ (s|min|h|days)\b", "N", text))


class Flower:
    """The dashboard over the running system, as an operator's browser asks it."""

    def __init__(self, system: RunningSystem, directory: Path) -> None:
        port = free_port()
        own = {
            "PARLEY_FLOWER__PASSWORD": "a password",
            "PARLEY_FLOWER__PORT": str(port),
            "PARLEY_FLOWER__DATABASE": str(directory / "flower.db"),
        }
        self._process = subprocess.Popen(
            tied_command([sys.executable, "-m", "worker.processes.flower"]),
            env={**os.environ, "PYTHONPATH": str(PROJECT), **system.environment, **own},
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._browser = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", auth=("operator", "a password"), trust_env=False
        )

    def shows(self, entry: str, target: str, see: str) -> bool:
        """Whether it shows what the column of the page says, about this lead where it is about a turn. ``see``: the
        sentence of the row, which no other turn has in its result where the column says "nothing"."""
        if entry.startswith("nothing: "):
            trouble, *_ = see.removeprefix("the ").split(" (")
            told = {(row["state"], plain(row["result"] or "")) for row in self.turns(target)}
            return all(f"{state}: {result}" in entry for state, result in told if trouble in result)
        if entry == "Workers: Offline":
            return not any(worker["status"] for worker in self.workers())
        state, _, phrase = entry.partition(": ")
        return any(row["state"] == state and phrase in plain(row["result"] or "") for row in self.turns(target))

    def answers(self) -> bool:
        """Whether it is up."""
        try:
            return self._browser.get("/healthcheck").status_code == 200
        except httpx.TransportError:
            return False

    def workers(self) -> list[dict[str, Any]]:
        """The rows of its page Workers."""
        return list(self._browser.get("/workers", params={"json": 1}).json()["data"])

    def turns(self, target: str) -> list[dict[str, Any]]:
        """The rows of its page Tasks about this lead."""
        asked = {"draw": 1, "start": 0, "length": 100, "search[value]": f"args:{target}"}
        order = {"order[0][column]": 0, "order[0][dir]": "desc", "columns[0][data]": "received"}
        return list(self._browser.get("/tasks/datatable", params={**asked, **order}).json()["data"])

    def close(self) -> None:
        """End it."""
        self._browser.close()
        self._process.kill()
        self._process.wait()
