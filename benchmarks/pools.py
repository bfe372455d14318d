"""Turns a second with each pool that can be had, side by side in one run.

    python -m benchmarks.pools --rounds 3

One worker process, every message a turn of its own. CPU is the worker's own, user and system, per turn, without what
its start takes. Wall rates are those of this machine: compare the ratios.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
from dataclasses import dataclass

from benchmarks.leads import ONE_BY_ONE
from benchmarks.report import Goal, Section, Table, run
from benchmarks.usage import cpu_seconds, resident_mb
from simulation.feeding import settings_of
from simulation.load import Run, run_load
from simulation.servers.system import RunningSystem

LATENCY_SECONDS = 0.5

_WARM_UP = 50
_FAULTS = ("overtaken", "doubled", "lost")


@dataclass(frozen=True, slots=True)
class Case:
    """A pool under load. ``latency``: seconds that the simulated persona thinks."""

    name: str
    options: tuple[str, ...]
    messages: int
    conversations: int
    latency: float = LATENCY_SECONDS


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
        Case("the same, persona at once", (), 3000, 400, 0.0),
        Case("the same, task events on", ("-E",), 3000, 400, 0.0),
        Case("threads 1000", ("-P", "threads", "-c", "1000"), 3000, 1000),
        Case("prefork 8", ("-P", "processes", "-c", "8"), 200, 100),
    ]
    if importlib.util.find_spec("gevent"):
        found.append(Case("gevent 500", ("-P", "gevent", "-c", "500"), 2000, 400))
    return found


def measure(case: Case) -> Measured:
    """One round on a system of its own."""
    with RunningSystem(latency_seconds=case.latency, settings=ONE_BY_ONE, worker_options=case.options) as system:
        settings = settings_of(system)
        worker = [system.workers[0].pid]
        # Connections and code that is loaded with the first turn belong to the start.
        run_load(system, settings, messages=_WARM_UP, conversations=_WARM_UP)
        before = cpu_seconds(worker)
        run = run_load(system, settings, messages=case.messages, conversations=case.conversations)
        used = cpu_seconds(worker) - before
        in_flight = system.upstreams.summary()["fluidtalk"].max_in_flight
        return Measured(run, used * 1000 / max(run.verdict.turns, 1), resident_mb(worker), in_flight)


def section(rounds: int) -> Section:
    """Measure: all cases in each round, so that what else the machine does falls on all alike."""
    measured: dict[Case, list[Measured]] = {case: [] for case in cases()}
    for _ in range(rounds):
        for case, found in measured.items():
            found.append(measure(case))
    verdicts = [one.run.verdict for found in measured.values() for one in found]
    faults = [sum(getattr(verdict, fault) for verdict in verdicts) for fault in _FAULTS]
    return Section(
        "Pools",
        f"One worker process, the persona answers in {LATENCY_SECONDS:g} s or at once, every message a turn. "
        f"Medians of {rounds} round(s); overtaken, doubled and lost are those of all rounds together.",
        "python -m benchmarks.pools",
        [Table(COLUMNS, [row(case.name, found) for case, found in measured.items()])],
        [Goal("overtaken, doubled, lost with any pool", "0, 0, 0", ", ".join(map(str, faults)), not any(faults))],
    )


COLUMNS = ("pool", "turns/s", "CPU ms/turn", "most calls waiting at once", "resident MB", ", ".join(_FAULTS))


def row(name: str, rounds: list[Measured]) -> tuple[str, ...]:
    """The medians of a case's rounds, and its faults in all of them."""
    verdicts = [one.run.verdict for one in rounds]
    return (
        name,
        f"{statistics.median(one.run.turns_per_second for one in rounds):.0f}",
        f"{statistics.median(one.cpu_ms_per_turn for one in rounds):.2f}",
        f"{statistics.median(one.in_flight for one in rounds):.0f}",
        f"{statistics.median(one.resident_mb for one in rounds):.0f}",
        ", ".join(str(sum(getattr(verdict, fault) for verdict in verdicts)) for fault in _FAULTS),
    )


if __name__ == "__main__":
    sys.exit(run("pools", __doc__, section))
