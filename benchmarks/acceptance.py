"""How fast one producer process gets events accepted, in batches and one by one.

    python -m benchmarks.acceptance --rounds 3

Batches: ``enqueue_many`` with no worker running, each event of a new lead, so that each also rings a doorbell. One by
one: ``enqueue`` with random pauses while a worker is idle but for the turns that follow. There is no asynchronous
producer. Events are made before the clock starts; what that costs stands beside.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from benchmarks.leads import ONE_BY_ONE, message
from benchmarks.report import Goal, Section, Table, run
from benchmarks.samples import median_percentile, ms
from benchmarks.usage import cpu_seconds
from simulation.feeding import settings_of
from simulation.servers.system import RunningSystem
from worker.pipeline.producer import Producer

GOAL_PER_SECOND = 3000.0
GOAL_P99_SECONDS = 0.005

_BATCHES = (200, 1000)
_EVENTS = 12_000
_SINGLES = 300
_SHARES = (0.5, 0.95, 0.99)

_numbers = count()


@dataclass(frozen=True, slots=True)
class Batches:
    """One round with one size of batch: events a second, CPU microseconds for each event of producer and Redis."""

    per_second: float
    producer_us: float
    redis_us: float


def section(rounds: int) -> Section:
    """Measure, so many rounds."""
    with RunningSystem(workers=0, beats=0) as system, Producer(settings_of(system)) as producer:
        _batches(system, producer, _BATCHES[0], 5 * _BATCHES[0])
        by_size: dict[int, list[Batches]] = {size: [] for size in _BATCHES}
        for _ in range(rounds):
            for size in _BATCHES:
                by_size[size].append(_batches(system, producer, size, _EVENTS))
        making_us = _making_us()
    with RunningSystem(settings=ONE_BY_ONE) as system, Producer(settings_of(system)) as producer:
        singles = [_singles(producer) for _ in range(rounds + 1)][1:]
    worst = min(statistics.median(one.per_second for one in of) for of in by_size.values())
    p99 = median_percentile(singles, 0.99)
    return Section(
        title="Acceptance",
        about="One producer process and Redis with its append-only file, each event of a new lead. "
        f"Making an event costs {making_us:.0f} us more. Median of {rounds} rounds.",
        command=f"python -m benchmarks.acceptance --rounds {rounds}",
        tables=[
            Table(
                ("`enqueue_many`, events in a batch", "events/s", "producer CPU us/event", "Redis CPU us/event"),
                [_row(size, of) for size, of in by_size.items()],
            ),
            Table(
                ("`enqueue`, one by one", "p50 ms", "p95 ms", "p99 ms"),
                [
                    (
                        f"{_SINGLES} a round, a worker takes each turn",
                        *(ms(median_percentile(singles, share)) for share in _SHARES),
                    )
                ],
            ),
        ],
        goals=(
            Goal(
                "accepted from one producer process, the slower size of batch",
                f"≥ {GOAL_PER_SECOND:g}/s",
                f"{worst:.0f}/s",
                worst >= GOAL_PER_SECOND,
            ),
            Goal("one `enqueue`, p99", f"≤ {ms(GOAL_P99_SECONDS)} ms", f"{ms(p99)} ms", p99 <= GOAL_P99_SECONDS),
        ),
    )


def _row(size: int, rounds: Sequence[Batches]) -> Sequence[str]:
    return (
        str(size),
        f"{statistics.median(one.per_second for one in rounds):.0f}",
        f"{statistics.median(one.producer_us for one in rounds):.0f}",
        f"{statistics.median(one.redis_us for one in rounds):.0f}",
    )


def _batches(system: RunningSystem, producer: Producer, size: int, number: int) -> Batches:
    events = [message(f"@lead-{next(_numbers)}") for _ in range(number)]
    redis, own, started_at = cpu_seconds([system.redis.pid]), time.process_time(), time.monotonic()
    for start in range(0, number, size):
        producer.enqueue_many(events[start : start + size])
    seconds = time.monotonic() - started_at
    producer_us = (time.process_time() - own) * 1e6 / number
    return Batches(number / seconds, producer_us, (cpu_seconds([system.redis.pid]) - redis) * 1e6 / number)


def _making_us() -> float:
    started_at = time.process_time()
    for _ in range(1000):
        message(f"@lead-{next(_numbers)}")
    return (time.process_time() - started_at) * 1e6 / 1000


def _singles(producer: Producer) -> list[float]:
    seconds = []
    for _ in range(_SINGLES):
        event = message(f"@lead-{next(_numbers)}")
        # Long enough for the turn of the one before.
        time.sleep(random.uniform(0.015, 0.045))
        started_at = time.perf_counter()
        producer.enqueue(event)
        seconds.append(time.perf_counter() - started_at)
    return seconds


if __name__ == "__main__":
    sys.exit(run("acceptance", __doc__, section))
