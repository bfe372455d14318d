"""``make bench``: every figure beside its goal, medians over rounds of one run; written to ``benchmarks/RESULTS.md``.

    make bench                                   all of it, about 100 minutes
    make bench ARGS='latency idle --rounds 1'    some of it; printed only
    python -m benchmarks.growth --help           one of it, with its own options

Everything runs on this machine: workers, Redis, the doubles of FluidTalk and Captivate, the producer. Rates are those
of the machine: compare the ratios.
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from redis import Redis

from benchmarks.report import Section, Table, goals_table
from simulation.servers.embedded_redis import EmbeddedRedis

SECTIONS = (
    "throughput",
    "pools",
    "latency",
    "waiting",
    "start",
    "features",
    "pythons",
    "idle",
    "growth",
    "acceptance",
    "ingress",
    "console",
    "recovery",
)
RESULTS = Path(__file__).parent / "RESULTS.md"

_PACKAGES = (
    "celery",
    "kombu",
    "redis",
    "hiredis",
    "httpx",
    "httptools",
    "pydantic",
    "starlette",
    "uvicorn",
    "procrastinate",
    "dramatiq",
    "taskiq",
)


def main() -> int:
    """Measure, print and, when all was measured, write. 1 when a goal was missed or a run was not clean."""
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=f"some of: {', '.join(SECTIONS)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=10.0, help="length of the run of slow calls that wait")
    options = parser.parse_args()
    unknown = [name for name in options.sections if name not in SECTIONS]
    if unknown:
        parser.error(f"no such section: {', '.join(unknown)}; there are: {', '.join(SECTIONS)}")
    started_at = time.monotonic()
    found: list[Section] = []
    for name in options.sections or SECTIONS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        more = {"minutes": options.minutes} if name == "waiting" else {}
        found.append(importlib.import_module(f"benchmarks.{name}").section(options.rounds, **more))
        print(found[-1].markdown(), flush=True)
    if not options.sections:
        minutes = (time.monotonic() - started_at) / 60
        RESULTS.write_text(page(found, options.rounds, minutes))
    print(goals_table([goal for section in found for goal in section.goals]).markdown())
    return int(not all(section.reached for section in found))


def page(sections: Sequence[Section], rounds: int, minutes: float) -> str:
    """The results: first the goals of the price of a turn, then all other goals, then each section.

    ``minutes``: how long the whole run took.
    """
    goals = [goal for section in sections for goal in section.goals]
    rows = [
        ("when", f"{datetime.now(UTC):%Y-%m-%d}, {minutes:.0f} minutes, medians of {rounds} rounds"),
        ("machine", f"{os.cpu_count()} cores ({_processor()}), {_memory_gib():.0f} GiB, {platform.system()}"),
        ("versions", f"Python {platform.python_version()}, {_redis_server()}, " + ", ".join(_versions())),
        ("command", f"`make bench ARGS='--rounds {rounds}'`"),
    ]
    parts = [
        "# Results",
        "What `make bench` found; it writes this page. Everything ran on one machine: workers, Redis, the doubles of "
        "FluidTalk and Captivate, and the producer. Rates are those of this machine; the ratios are what to compare.",
        Table(("", ""), rows).markdown(),
        "## Goals",
        "### The price of a turn",
        "From one run; what is compared took turns in each round.",
        goals_table([goal for goal in goals if goal.price]).markdown(),
        "### The other goals",
        goals_table([goal for goal in goals if not goal.price]).markdown(),
    ]
    return "\n\n".join([*parts, *(section.markdown().rstrip() for section in sections)]) + "\n"


def _versions() -> list[str]:
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    return found


def _redis_server() -> str:
    with EmbeddedRedis() as server, Redis(port=server.port, decode_responses=True) as redis:
        told: dict[str, str] = redis.info("server")
    kind = "valkey" if "valkey_version" in told else "redis"
    return f"{kind}-server {told[f'{kind}_version']}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory_gib() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


if __name__ == "__main__":
    sys.exit(main())
