"""What a short command costs, beside importing the libraries that it stands on: processor time of whole processes.

    python -m benchmarks.command_cost [--rounds 9]

All take turns, so what else the machine does falls on all alike. The ratio is the steadier figure. It needs no store:
commands that read one do so from a Redis of their own.
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

from simulation.servers.embedded_redis import EmbeddedRedis

GOAL_RATIO = 1.3

_LIBRARIES = "the libraries alone"
_BASE = "import typer, rich, redis; from pydantic import BaseModel"
_ROOT = Path(__file__).parents[1]


def measure(rounds: int) -> Mapping[str, float]:
    """Median processor time of each process, in seconds."""
    ours = [sys.executable, "-m", "worker.cli"]
    programs = {
        _LIBRARIES: [sys.executable, "-c", _BASE],
        "parley --help": [*ours, "--help"],
        "parley status": [*ours, "status"],
        "parley explain": [*ours, "explain", "ava", "@john_doe"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in programs}
    with EmbeddedRedis() as redis, tempfile.TemporaryDirectory() as bytecode:
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
    before = os.times()
    subprocess.run(program, env=environment, cwd=tempfile.gettempdir(), capture_output=True, check=False)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def main() -> int:
    """Print the figures. Returns 0 when all are within the goal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    found = measure(parser.parse_args().rounds)
    base = found[_LIBRARIES]
    for name, spent in found.items():
        print(f"{name:<20} {spent * 1000:5.0f} ms  {spent / base:.2f} times")
    return int(max(found.values()) > GOAL_RATIO * base)


if __name__ == "__main__":
    sys.exit(main())
