"""One portion of work for a system, and what it cost: the unit of comparisons in pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.usage import cpu_seconds
from simulation.feeding import settings_of
from simulation.load import run_load
from simulation.servers.system import RunningSystem

_LEADS = 400


@dataclass(frozen=True, slots=True)
class Work:
    """What one system was asked to do once. Processor time in milliseconds for each turn."""

    turns_per_second: float
    worker_ms: float
    redis_ms: float

    @property
    def cpu_ms_per_turn(self) -> float:
        """Of both."""
        return self.worker_ms + self.redis_ms


def work(system: RunningSystem, messages: int) -> Work:
    """Let the first worker of a system answer them. ``messages``: how many. Raises ``RuntimeError`` when the run was
    not clean."""
    system.upstreams.reset()
    processes = (system.workers[0].pid, system.redis.pid)
    before = [cpu_seconds([process]) for process in processes]
    run = run_load(system, settings_of(system), messages=messages, conversations=min(messages, _LEADS))
    if not run.verdict.clean:
        verdict = run.verdict
        counts = f"{verdict.lost} lost, {verdict.overtaken} overtaken, {verdict.asked_twice} asked twice"
        told = f"{counts}, {verdict.doubled} sent twice, {verdict.undelivered} unanswered"
        raise RuntimeError(f"the run was not clean, so its rate says nothing: {told}")
    used = [cpu_seconds([process]) - seconds for process, seconds in zip(processes, before, strict=True)]
    worker_ms, redis_ms = (seconds * 1000 / messages for seconds in used)
    return Work(run.turns_per_second, worker_ms, redis_ms)


def in_turn(first: Callable[[], Work], second: Callable[[], Work], pairs: int) -> Sequence[tuple[Work, Work]]:
    """Work in pairs, ``pairs`` times. The order changes with each pair, so that neither always has the warmer
    machine."""
    found = []
    for number in range(pairs):
        if number % 2:
            other, one = second(), first()
        else:
            one, other = first(), second()
        found.append((one, other))
    return found
