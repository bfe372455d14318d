"""How many tasks that do nothing Celery takes: what no worker on top of it can exceed."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.peers.feeder import Feeder
from benchmarks.peers.trial import WARM_UP
from benchmarks.usage import cpu_seconds
from simulation.servers.system import RunningSystem
from simulation.until import until

TASKS = 4000

_MODULE = "benchmarks.peers.no_op"
_SECONDS = 60.0
_POLL_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Tasks for each second, and the processor time for each, in milliseconds: all worker processes, and Redis."""

    tasks_per_second: float
    cpu_ms_per_task: float
    redis_ms_per_task: float


def reach(*options: str) -> Ceiling:
    """Let one worker with these further options (none: prefork, a process for each core) empty a queue.

    All tasks wait in the queue before the worker starts, so nobody publishes meanwhile. Start-up and the first tasks
    are not counted. Raises ``TimeoutError``.
    """
    with (
        RunningSystem(app=_MODULE, workers=0, beats=0, worker_options=options) as system,
        Feeder(_MODULE, system.environment) as feeder,
    ):
        feeder.send("ceiling", TASKS + WARM_UP, TASKS, 1)
        worker, redis = [system.start_worker(wait=False).pid], [system.redis.pid]
        until(lambda: feeder.waiting() <= TASKS, "the first tasks; see the worker's log", _SECONDS, _POLL_SECONDS)
        left, began_at = feeder.waiting(), time.monotonic()
        used, redis_used = cpu_seconds(worker), cpu_seconds(redis)
        until(lambda: not feeder.waiting(), "all tasks; see the worker's log", _SECONDS, _POLL_SECONDS)
        seconds = time.monotonic() - began_at
        used, redis_used = cpu_seconds(worker) - used, cpu_seconds(redis) - redis_used
        return Ceiling(left / seconds, 1000 * used / left, 1000 * redis_used / left)
