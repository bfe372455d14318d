"""How long after its start a worker has answered the first message.

    python -m benchmarks.start --rounds 5

The message waits before the worker is started. Time runs from the start of the process to the arrival of the Captivate
request; persona at once. Beside it, from the same rounds: the first empty task of a Celery worker with default
settings. Compiled code of Python is kept from an uncounted first start, as in the image.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack

from benchmarks.leads import ONE_BY_ONE, message
from benchmarks.peers.comparison import median_ratio
from benchmarks.peers.feeder import Feeder
from benchmarks.report import Goal, Section, Table, run
from simulation.feeding import settings_of
from simulation.processes import end
from simulation.servers.system import RunningSystem
from simulation.until import until
from worker.pipeline.producer import Producer

GOAL_SECONDS = 1.5

_EMPTY = "benchmarks.peers.no_op"
_POLL_SECONDS = 0.003
# Python writes compiled code also where the environment says otherwise.
COMPILED = {"PYTHONDONTWRITEBYTECODE": ""}


def section(rounds: int) -> Section:
    """Measure ``rounds`` times."""
    ours, theirs = _measure(rounds)
    seconds, ratio = statistics.median(ours), median_ratio(ours, theirs)
    return Section(
        title="Start",
        about="From the start of a worker process to the answer to a message that already waits; persona at once. "
        f"Medians of {rounds} round(s), in which both take turns.",
        command=f"python -m benchmarks.start --rounds {rounds}",
        tables=[
            Table(("first", "median s", "longest s"), [_row("answer", ours), _row("empty task of Celery", theirs)])
        ],
        goals=[
            Goal(
                "first answer after a worker's start",
                f"≤ {GOAL_SECONDS:g} s",
                f"{seconds:.2f} s ({ratio:.2f} x the first empty task)",
                seconds <= GOAL_SECONDS,
                price=True,
            )
        ],
    )


def first_answer(system: RunningSystem, stamp: str) -> float:
    """Start a worker of a system that has none, and end it. Returns the seconds until the first Captivate request.

    ``stamp``: another one at each call.
    """
    system.upstreams.reset()
    with Producer(settings_of(system)) as producer:
        producer.enqueue(message(f"@first-{stamp}"))
    began_at = time.monotonic()
    worker = system.start_worker(wait=False)
    until(lambda: system.upstreams.summary()["captivate"].calls, "the first answer; see the worker's log")
    sent_at = next(call.start_monotonic for call in system.upstreams.calls() if call.service == "captivate")
    end(worker)
    return sent_at - began_at


def _measure(rounds: int) -> tuple[list[float], list[float]]:
    with ExitStack() as stack:
        system = RunningSystem(workers=0, beats=0, settings={**ONE_BY_ONE, **COMPILED})
        empty = RunningSystem(app=_EMPTY, workers=0, beats=0, settings=COMPILED)
        for one in (system, empty):
            stack.enter_context(one)
        feeder = stack.enter_context(Feeder(_EMPTY, empty.environment))
        # The first of each writes compiled code.
        found = [(first_answer(system, str(number)), _first_task(empty, feeder)) for number in range(rounds + 1)][1:]
    return [one for one, _ in found], [other for _, other in found]


def _first_task(system: RunningSystem, feeder: Feeder) -> float:
    feeder.send("start", 1, 1, 1)
    began_at = time.monotonic()
    worker = system.start_worker(wait=False)
    until(lambda: not feeder.waiting(), "the first task; see the worker's log", pause_seconds=_POLL_SECONDS)
    seconds = time.monotonic() - began_at
    end(worker)
    return seconds


def _row(name: str, seconds: Sequence[float]) -> Sequence[str]:
    return name, f"{statistics.median(seconds):.2f}", f"{max(seconds):.2f}"


if __name__ == "__main__":
    sys.exit(run("start", __doc__, section))
