"""What was measured last of each benchmark, and the page made of it.

A whole ``make bench`` takes hours, so each section is kept as soon as it was measured, with when and on what. The page
is made of all that are kept.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from redis import Redis

from benchmarks.report import Goal, Section, Table, goals_table
from simulation.servers.embedded_redis import EmbeddedRedis

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


@dataclass(frozen=True, slots=True)
class Measured:
    """One benchmark's report. ``when``: the day, how long it took, how many rounds. ``machine``, ``versions``: on
    what."""

    section: Section
    when: str
    machine: str
    versions: str

    @classmethod
    def now(cls, section: Section, rounds: int, minutes: float) -> Self:
        """Just measured, on this machine. ``minutes``: how long it took."""
        when = f"{datetime.now(UTC):%Y-%m-%d}, {minutes:.0f} minutes, medians of {rounds} round(s)"
        machine = f"{os.cpu_count()} cores ({_processor()}), {_memory_gib():.0f} GiB, {platform.system()}"
        versions = f"Python {platform.python_version()}, {_redis_server()}, " + ", ".join(_versions())
        return cls(section, when, machine, versions)

    @classmethod
    def read(cls, file: Path) -> Self:
        """As it was kept."""
        kept: dict[str, Any] = json.loads(file.read_text())
        section = kept.pop("section")
        tables = [Table(**table) for table in section.pop("tables")]
        goals = [Goal(**goal) for goal in section.pop("goals")]
        return cls(Section(**section, tables=tables, goals=goals), **kept)

    def keep(self, file: Path) -> None:
        """In place of what was measured before."""
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n")

    def markdown(self) -> str:
        """The section, and when it was measured."""
        title, _, rest = self.section.markdown().partition("\n\n")
        return f"{title}\n\n*{self.when}*\n\n{rest}".rstrip()


def page(measured: Sequence[Measured], missing: Sequence[str] = ()) -> str:
    """The results: first the goals of the price of a turn, then all other goals, then each section.

    ``missing``: names of benchmarks of which nothing is kept.
    """
    goals = [goal for each in measured for goal in each.section.goals]
    rows = [
        ("machine", _each_once(each.machine for each in measured)),
        ("versions", _each_once(each.versions for each in measured)),
        ("command", "`make bench`; some of it: `make bench ARGS='latency start --keep'`"),
        *([("not measured yet", ", ".join(missing))] if missing else ()),
    ]
    parts = [
        "# Results",
        "What `make bench` found; it writes this page. Everything ran on one machine: workers, Redis, the doubles of "
        "FluidTalk and Captivate, and the producer. Rates are those of this machine; the ratios are what to compare. "
        "Each section says when it was measured.",
        Table(("", ""), rows).markdown(),
        "## Goals",
        "### The price of a turn",
        "What is compared took turns in each round of one run.",
        goals_table([goal for goal in goals if goal.price]).markdown(),
        "### The other goals",
        goals_table([goal for goal in goals if not goal.price]).markdown(),
    ]
    return "\n\n".join([*parts, *(each.markdown() for each in measured)]) + "\n"


def page_of(folder: Path, names: Sequence[str]) -> str:
    """The page of what is kept, in the order of these names."""
    files = {name: folder / f"{name}.json" for name in names}
    missing = [name for name, file in files.items() if not file.exists()]
    return page([Measured.read(file) for name, file in files.items() if name not in missing], missing)


def _each_once(texts: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(texts))


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
