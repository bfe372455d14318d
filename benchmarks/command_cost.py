"""What a short command costs, beside importing the libraries that it stands on: processor time of whole processes.

    python -m benchmarks.command_cost [--rounds 15]

The base is the import of typer, rich, pydantic and redis, and nothing else. All programs take turns, so that other
work of the machine slows all alike; the figures are medians of user and system time together. Compare the ratios.
``status`` and ``explain`` read a Redis of this benchmark's own, in which one lead waits for an answer.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.leads import message
from config.settings import load
from simulation.servers.embedded_redis import EmbeddedRedis
from worker import Producer

GOAL_RATIO = 1.3

_BASE = "import typer, rich, redis; from pydantic import BaseModel"
_LIBRARIES = "the libraries alone"
_ROOT = Path(__file__).parents[1]
_LEAD = "@john_doe"


def measure(rounds: int) -> Mapping[str, float]:
    """Median processor time of each process, in seconds. Raises ``CalledProcessError`` when a command fails."""
    ours = [sys.executable, "-m", "worker.cli"]
    programs = {
        _LIBRARIES: [sys.executable, "-c", _BASE],
        "parley --help": [*ours, "--help"],
        "parley status": [*ours, "status"],
        "parley explain": [*ours, "explain", "ava", _LEAD],
    }
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    with EmbeddedRedis() as redis, tempfile.TemporaryDirectory() as bytecode:
        with Producer(load(None, role="producer", redis_url=redis.url, personas={"ava": {}})) as producer:
            producer.enqueue(message(_LEAD))
        environment = {
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "PARLEY_REDIS_URL": redis.url,
            "PARLEY_PERSONAS": "ava",
            # As installed: with bytecode, whatever the environment says.
            "PYTHONPYCACHEPREFIX": bytecode,
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for each in range(rounds + 1):
            for name, program in programs.items():
                spent = _cpu_seconds(program, environment)
                if each:  # the first one makes the bytecode
                    seconds[name].append(spent)
    return {name: statistics.median(spent) for name, spent in seconds.items()}


def _cpu_seconds(program: Sequence[str], environment: Mapping[str, str]) -> float:
    with subprocess.Popen(
        program, env=environment, cwd=tempfile.gettempdir(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        # Of this process alone, in microseconds; ``os.times`` counts in hundredths of a second.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, program)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Print the figures. Returns 0 when all are within the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    found = measure(parser.parse_args().rounds)
    base = found[_LIBRARIES]
    for name, spent in found.items():
        print(f"{name:<20} {spent * 1000:5.0f} ms  {spent / base:.2f} times")
    return int(max(found.values()) > GOAL_RATIO * base)


if __name__ == "__main__":
    sys.exit(main())
