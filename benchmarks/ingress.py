"""How many single events a second one core of the ingress takes, beside the same framework with an empty handler.

    python -m benchmarks.ingress --rounds 3

A web process and a server with an empty handler (``benchmarks/empty_handler.py``) run beside each other and are asked
in turn, over connections that stay open, each request an event of a new lead. Taking turns, other work of the machine
slows both alike. What a core takes is worked out from the processor time that the process used. Then the same events
arrive at half of the rate of the goal; the times are those from the arrival of a request to its answer.
"""

from __future__ import annotations

import itertools
import json
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from benchmarks.http_load import as_much_as_it_takes, at_a_rate
from benchmarks.leads import message
from benchmarks.report import Goal, Section, Table, run
from benchmarks.samples import median_percentile, ms
from benchmarks.usage import cpu_seconds
from simulation.processes import end, start
from simulation.servers.embedded_redis import free_port
from simulation.servers.system import INGRESS_TOKEN, RunningSystem
from simulation.until import until

GOAL_PER_CORE = 1500.0
GOAL_P99_SECONDS = 0.020

_CONNECTIONS = 32
_SECONDS = 4.0
_PACED = 3000
_WARM_UP_SECONDS = 1.0
_SETTINGS = {
    "PARLEY_INGRESS__SOURCES__SIMULATION__PER_SECOND": "1000000",
    "PARLEY_INGRESS__SOURCES__SIMULATION__BURST": "1000000",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """A server that is asked."""

    port: int
    pid: int


@dataclass(frozen=True, slots=True)
class Trial:
    """One round of one subject. ``for_core``: requests for each second of processor time; ``seconds``: of the requests
    that arrived at an even rate."""

    per_second: float
    for_core: float
    seconds: list[float]


def section(rounds: int) -> Section:
    """Measure. ``rounds``: how often."""
    empty: list[Trial] = []
    ingress: list[Trial] = []
    with RunningSystem(workers=0, beats=0, webs=1, settings=_SETTINGS) as system:
        port = int(system.ingresses[0].rpartition(":")[2])
        subject = Subject(port, system.webs[0].pid)
        process, handler = _empty_handler(system)
        try:
            for each in (handler, subject):
                as_much_as_it_takes(each.port, _requests(), connections=_CONNECTIONS, seconds=_WARM_UP_SECONDS)
            for _ in range(rounds):
                empty.append(_trial(handler))
                ingress.append(_trial(subject))
        finally:
            end(process)
    return _report(empty, ingress)


def _report(empty: Sequence[Trial], ingress: Sequence[Trial]) -> Section:
    for_core = _median(ingress, lambda trial: trial.for_core)
    p99 = median_percentile([trial.seconds for trial in ingress], 0.99)
    ratio = statistics.median(ours.for_core / other.for_core for ours, other in zip(ingress, empty, strict=True))
    half = GOAL_PER_CORE / 2
    return Section(
        title="Ingress",
        about=f"One web process and Redis with its append-only file; {_CONNECTIONS} connections, each event of a new "
        "lead. Beside it the same framework with an empty handler, in turn. An event of the ingress costs "
        f"{1 / ratio:.1f} times the processor time of an empty request. Median of {len(ingress)} rounds.",
        command=f"python -m benchmarks.ingress --rounds {len(ingress)}",
        tables=[
            Table(
                (
                    "server",
                    "requests/s",
                    "CPU ms/request",
                    "requests/s of a core",
                    f"p50 ms at {half:g}/s",
                    "p95 ms",
                    "p99 ms",
                ),
                [_row("empty handler", empty), _row("ingress", ingress)],
            )
        ],
        goals=(
            Goal(
                "single events for each core", f"≥ {GOAL_PER_CORE:g}/s", f"{for_core:.0f}/s", for_core >= GOAL_PER_CORE
            ),
            Goal(
                f"one event at {half:g}/s, p99",
                f"≤ {ms(GOAL_P99_SECONDS)} ms",
                f"{ms(p99)} ms",
                p99 <= GOAL_P99_SECONDS,
            ),
        ),
    )


def _row(name: str, trials: Sequence[Trial]) -> Sequence[str]:
    for_core = _median(trials, lambda trial: trial.for_core)
    return (
        name,
        f"{_median(trials, lambda trial: trial.per_second):.0f}",
        f"{1000 / for_core:.2f}",
        f"{for_core:.0f}",
        *(ms(median_percentile([trial.seconds for trial in trials], share)) for share in (0.5, 0.95, 0.99)),
    )


def _median(trials: Sequence[Trial], figure: Callable[[Trial], float]) -> float:
    return statistics.median(figure(trial) for trial in trials)


def _empty_handler(system: RunningSystem) -> tuple[subprocess.Popen[bytes], Subject]:
    port = free_port()
    process = start([sys.executable, "-m", "benchmarks.empty_handler", str(port)], log=system.logs / "empty.log")
    until(lambda: _listens(port), "the empty handler listens")
    return process, Subject(port, process.pid)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def _trial(subject: Subject) -> Trial:
    before = cpu_seconds([subject.pid])
    answers = as_much_as_it_takes(subject.port, _requests(), connections=_CONNECTIONS, seconds=_SECONDS)
    used = cpu_seconds([subject.pid]) - before
    half = GOAL_PER_CORE / 2
    seconds = at_a_rate(subject.port, _requests(), connections=_CONNECTIONS, per_second=half, number=_PACED)
    return Trial(answers / _SECONDS, answers / used, seconds)


_numbers = itertools.count()


def _requests() -> Iterator[bytes]:
    # What is the same in all is made before the clock starts: the generator shares the machine with what it measures.
    event = message("@lead").model_dump(mode="json", include={"kind", "persona", "message", "channel"})
    rest = json.dumps(event)[1:].encode()
    head = (
        "POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {INGRESS_TOKEN}\r\nContent-Length: "
    ).encode()
    for number in _numbers:
        body = b'{"event_id": "m-%d", "target": "@lead-%d", %b' % (number, number, rest)
        yield b"%b%d\r\n\r\n%b" % (head, len(body), body)


if __name__ == "__main__":
    sys.exit(run("ingress", __doc__, section))
