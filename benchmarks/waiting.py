"""How many slow persona calls wait at once in one worker process, in how much memory, for how long.

    python -m benchmarks.waiting --minutes 10

A producer tops the backlog up, so that there is always more to do than there are slots. Calls that wait are counted by
the simulated persona, resident memory by the kernel, every second; the first seconds, in which the calls come up to
their number, are not counted. With answers after 2 s, 3000 calls that wait are 1500 turns a second, so that figure also
says how fast the process is; with answers after 10 s they are 300, and the slots are full. That is the long run.
"""

from __future__ import annotations

import statistics
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from benchmarks.leads import ONE_BY_ONE, message
from benchmarks.other_pythons import environment, python_of_the_image
from benchmarks.report import Goal, Section, Table, run
from benchmarks.samples import slope
from benchmarks.usage import cpu_seconds, resident_mb
from config.settings import Settings
from simulation.feeding import settings_of
from simulation.servers.system import RunningSystem
from worker.pipeline.producer import Producer
from worker.store import Store

GOAL_WAITING = 3000
GOAL_RESIDENT_MB = 350.0
GOAL_GROWTH = 0.05

_SECONDS, _MORE_SECONDS = 2.0, 10.0
_SHORT_MINUTES, _MOST_SHORT_MINUTES = 0.3, 2.0
_CONVERSATIONS = 8000
# Enough that every slot is taken at once, and so few that no doorbell lies longer than the agenda's grace.
_IN_LINE = 300
_EVERY_SECONDS = 1.0
_RISE_SECONDS = 12.0
_DEFAULT_SLOTS, _MANY_SLOTS = 500, 3010
# The doubles remember each call; forgetting them now and then keeps the machine's memory for what is measured.
_FORGET_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One look. ``at``: minutes since the first; ``waiting``: calls at the persona; ``resident_mb``: of the worker."""

    at: float
    waiting: int
    resident_mb: float


@dataclass(frozen=True, slots=True)
class Waited:
    """One run. ``seconds``: what the persona takes; ``most``: calls that waited at once at any moment."""

    slots: int
    seconds: float
    samples: Sequence[Sample]
    most: int
    turns_per_second: float
    cpu_ms_per_turn: float

    @property
    def waiting(self) -> float:
        """Calls that waited, median."""
        return statistics.median(sample.waiting for sample in self.samples)

    @property
    def slope(self) -> float:
        """MB a minute."""
        return slope([(sample.at, sample.resident_mb) for sample in self.samples])

    def resident(self, *, last: bool) -> float:
        """Median of the first or the last minute, or of a third of a run shorter than three, in MB."""
        span = min(1.0, self.samples[-1].at / 3)
        chosen = [s for s in self.samples if (s.at >= self.samples[-1].at - span if last else s.at <= span)]
        return statistics.median(sample.resident_mb for sample in chosen)


def section(rounds: int, minutes: float | None = None) -> Section:
    """Measure: one run of ``minutes`` with slow answers, by default 20 s for each round; shorter ones with quicker
    answers, and with the default number of slots."""
    minutes = minutes or rounds / 3
    few = _run(_DEFAULT_SLOTS, _SECONDS, min(minutes, _SHORT_MINUTES))
    many = _run(_MANY_SLOTS, _SECONDS, min(minutes, _MOST_SHORT_MINUTES))
    slower = _run(_MANY_SLOTS, _MORE_SECONDS, minutes)
    growth = slower.resident(last=True) / slower.resident(last=False) - 1
    most_mb = max(sample.resident_mb for run in (many, slower) for sample in run.samples)
    columns = ("slots", "answers after", "minutes", "calls waiting, median", "at most", "turns/s", "CPU ms/turn")
    memory = ("resident MB, at most", "first minute", "last minute", "MB a minute")
    return Section(
        title="Slow calls that wait at once",
        about=f"One worker process of the image's Python ({python_of_the_image()}), always some hundred more messages "
        "than slots. First and last minute: medians (of a run shorter than 3 minutes, its thirds). "
        f"After {_SECONDS:g} s: calls waiting = {_SECONDS:g} x turns/s.",
        command=f"python -m benchmarks.waiting --minutes {minutes:g}",
        tables=[Table(columns + memory, [_row(run) for run in (few, many, slower)])],
        goals=(
            *(_waiting_goal(run) for run in (many, slower)),
            Goal(
                "resident memory with them, at most",
                f"≤ {GOAL_RESIDENT_MB:g} MB",
                f"{most_mb:.0f} MB",
                most_mb <= GOAL_RESIDENT_MB,
                price=True,
            ),
            Goal(
                f"its growth in {minutes:.1f} minutes, answers after {_MORE_SECONDS:g} s, first to last minute",
                f"≤ {GOAL_GROWTH:.0%}",
                f"{growth:+.1%}",
                growth <= GOAL_GROWTH,
                price=True,
            ),
        ),
    )


def _waiting_goal(run: Waited) -> Goal:
    figure = f"calls waiting at once in one process, answers after {run.seconds:g} s, median"
    return Goal(figure, f"≥ {GOAL_WAITING}", f"{run.waiting:.0f}", run.waiting >= GOAL_WAITING, price=True)


def _row(run: Waited) -> Sequence[str]:
    return (
        str(run.slots),
        f"{run.seconds:g} s",
        f"{run.samples[-1].at:.1f}",
        f"{run.waiting:.0f}",
        str(run.most),
        f"{run.turns_per_second:.0f}",
        f"{run.cpu_ms_per_turn:.2f}",
        f"{max(sample.resident_mb for sample in run.samples):.0f}",
        f"{run.resident(last=False):.1f}",
        f"{run.resident(last=True):.1f}",
        f"{run.slope:+.2f}",
    )


def _run(slots: int, seconds: float, minutes: float) -> Waited:
    settings = {**ONE_BY_ONE, "PARLEY_WORKER__CONCURRENCY": str(slots)}
    python = environment(python_of_the_image()) or sys.executable
    with RunningSystem(latency_seconds=seconds, settings=settings, python=python) as system:
        own = settings_of(system)
        store = Store(own, connections=2)
        stop = threading.Event()
        topping_up = threading.Thread(target=_top_up, args=(own, slots + _IN_LINE, stop))
        topping_up.start()
        try:
            # All slots are taken once, and again when the first answers came.
            time.sleep(_RISE_SECONDS + seconds)
            return _watch(system, store, slots, seconds, minutes)
        finally:
            stop.set()
            topping_up.join()
            store.close()


def _watch(system: RunningSystem, store: Store, slots: int, seconds: float, minutes: float) -> Waited:
    worker = [system.workers[0].pid]
    samples: list[Sample] = []
    answered, used, started_at = _answered(store), cpu_seconds(worker), time.monotonic()
    forget_at = started_at + _FORGET_SECONDS
    while not samples or samples[-1].at < minutes:
        time.sleep(_EVERY_SECONDS)
        waiting = system.upstreams.summary()["fluidtalk"].in_flight
        samples.append(Sample((time.monotonic() - started_at) / 60, waiting, resident_mb(worker)))
        if time.monotonic() > forget_at:
            system.upstreams.reset()
            forget_at += _FORGET_SECONDS
    turns = _answered(store) - answered
    return Waited(
        slots=slots,
        seconds=seconds,
        samples=samples,
        most=system.upstreams.summary()["fluidtalk"].max_in_flight,
        turns_per_second=turns / (time.monotonic() - started_at),
        cpu_ms_per_turn=(cpu_seconds(worker) - used) * 1000 / max(1, turns),
    )


def _top_up(settings: Settings, backlog: int, stop: threading.Event) -> None:
    numbers = count()
    store = Store(settings, connections=2)
    with Producer(settings, store=store) as producer:
        while not stop.is_set():
            lacking = backlog - sum(account.waiting for account in store.books.accounts())
            if lacking > 0:
                batch = [message(f"@lead-{next(numbers) % _CONVERSATIONS}") for _ in range(lacking)]
                producer.enqueue_many(batch)
            stop.wait(0.25)
    store.close()


def _answered(store: Store) -> int:
    return sum(account.answered for account in store.books.accounts())


if __name__ == "__main__":
    sys.exit(
        run(
            "waiting",
            __doc__,
            section,
            minutes={"type": float, "help": "length of the run with slow answers (default: 20 s for each round)"},
        )
    )
