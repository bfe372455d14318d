"""``make bench``: turns a second with each pool that can be had, side by side in one run.

One worker process, simulated persona at 0.5 s or at once, every message a turn of its own. Each row is the median of
the rounds. CPU is the worker's own, user and system, per turn, without what its start takes. Wall rates are those of
this machine: compare the ratios.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import statistics
import sys
from dataclasses import dataclass
from importlib import metadata

from config.settings import load
from worker.simulation.load import Run, run_load
from worker.simulation.system import RunningSystem

NO_JOINING = {
    "PARLEY_JOIN__MAX_EVENTS": "1",
    "PARLEY_JOIN__SETTLE_SECONDS": "0",
    "PARLEY_WORKER__LOG_LEVEL": "WARNING",
}


_WARM_UP = 50


@dataclass(frozen=True, slots=True)
class Case:
    """A pool under load."""

    name: str
    options: tuple[str, ...]
    messages: int
    conversations: int
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """What one round of a case gave."""

    run: Run
    cpu_ms_per_turn: float
    resident_mb: float
    in_flight: int


def cases() -> list[Case]:
    """The pools worth comparing; gevent only where it is installed."""
    found = [
        Case("threads 64", ("-P", "threads", "-c", "64"), 1000, 400),
        Case("threads 500 (default)", (), 2000, 400),
        Case("the same, persona at once", (), 3000, 400, at_once=True),
        Case("the same, task events on", ("-E",), 3000, 400, at_once=True),
        Case("threads 1000", ("-P", "threads", "-c", "1000"), 3000, 1000),
        Case("prefork 8", ("-P", "prefork", "-c", "8"), 200, 100),
    ]
    if importlib.util.find_spec("gevent"):
        found.append(Case("gevent 500", ("-P", "gevent", "-c", "500"), 2000, 400))
    return found


def measure(case: Case, latency_seconds: float) -> Measured:
    """One round on a system of its own."""
    seconds = 0.0 if case.at_once else latency_seconds
    with RunningSystem(latency_seconds=seconds, settings=NO_JOINING, worker_options=case.options) as system:
        os.environ.update(system.environment)
        settings = load(env_file=None)
        # Connections and code that is loaded with the first turn belong to the start.
        run_load(system, settings, messages=_WARM_UP, conversations=_WARM_UP)
        before, _ = _usage(system.workers[0].pid)
        run = run_load(system, settings, messages=case.messages, conversations=case.conversations)
        after, resident_mb = _usage(system.workers[0].pid)
        in_flight = system.upstreams.summary()["fluidtalk"].max_in_flight
    return Measured(run, (after - before) * 1000 / max(run.verdict.turns, 1), resident_mb, in_flight)


def main() -> int:
    """Run all cases and print the table. 1 when any run was not clean."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.5, help="seconds that the simulated persona thinks")
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, " + ", ".join(_versions()))
    print(f"persona answers in {options.latency} s, one worker process, median of {options.rounds} rounds\n")
    print("| pool | turns/s | CPU ms/turn | most calls waiting at once | resident MB | overtaken, doubled, lost |")
    print("| --- | --- | --- | --- | --- | --- |")
    clean = True
    for case in cases():
        rounds = [measure(case, options.latency) for _ in range(options.rounds)]
        clean = clean and all(one.run.verdict.clean for one in rounds)
        print(_row(case, rounds), flush=True)
    return 0 if clean else 1


def _row(case: Case, rounds: list[Measured]) -> str:
    def median(values: list[float]) -> float:
        return statistics.median(values)

    verdicts = [one.run.verdict for one in rounds]
    wrong = [sum(getattr(verdict, fault) for verdict in verdicts) for fault in ("overtaken", "doubled", "lost")]
    return (
        f"| {case.name} | {median([one.run.turns_per_second for one in rounds]):.0f} "
        f"| {median([one.cpu_ms_per_turn for one in rounds]):.2f} "
        f"| {median([float(one.in_flight) for one in rounds]):.0f} "
        f"| {median([one.resident_mb for one in rounds]):.0f} | {', '.join(map(str, wrong))} |"
    )


def _usage(pid: int) -> tuple[float, float]:
    # The worker and its children, from the kernel's own books.
    ticks = os.sysconf("SC_CLK_TCK")
    cpu = resident = 0.0
    for process in (pid, *_children(pid)):
        with open(f"/proc/{process}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        cpu += (int(fields[11]) + int(fields[12])) / ticks
        resident += int(fields[21]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return cpu, resident


def _children(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]


def _versions() -> list[str]:
    return [f"{name} {metadata.version(name)}" for name in ("celery", "kombu", "redis", "httpx")]


if __name__ == "__main__":
    sys.exit(main())
