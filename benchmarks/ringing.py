"""How long it takes until all conversations due at one moment have a doorbell, by the jobs as they really run."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from benchmarks.leads import message
from benchmarks.usage import cpu_seconds
from simulation.feeding import enqueue, settings_of
from simulation.servers.system import RunningSystem
from simulation.until import until
from worker.pipeline.producer import Producer
from worker.store import Store

_BATCH = 1000
_DEADLINE_SECONDS = 120.0
# No doorbell is sent while the leads are still counted as writing.
_SETTINGS = {"PARLEY_JOIN__SETTLE_SECONDS": "3600", "PARLEY_JOIN__SETTLE_LIMIT_SECONDS": "3600"}


@dataclass(frozen=True, slots=True)
class Rung:
    """``seconds``: until the last doorbell; ``worker_seconds`` and ``redis_seconds``: their processor time for it."""

    seconds: float
    worker_seconds: float
    redis_seconds: float


def ring(conversations: int) -> Rung:
    """Let so many be due at once. The worker takes only what beat sends, so that nothing but ringing is measured.

    Raises ``TimeoutError`` when it does not come to an end.
    """
    with RunningSystem(settings=_SETTINGS, worker_options=("-Q", "schedule")) as system:
        settings = settings_of(system)
        store = Store(settings, connections=2)
        with Producer(settings, store=store) as producer:
            enqueue(producer, (message(f"@due-{number}") for number in range(conversations)), _BATCH)
        worker, redis = [system.workers[0].pid], [system.redis.pid]
        before = cpu_seconds(worker), cpu_seconds(redis)
        # As if the hour were over, for all in one step.
        due_ms = int(store.redis.time()[0]) * 1000
        with store.redis.pipeline() as pipeline:
            for shard in store.keys.shards:
                if store.redis.exists(shard.agenda):
                    names: list[Any] = store.redis.zrange(shard.agenda, 0, -1)
                    pipeline.zadd(shard.agenda, dict.fromkeys(names, due_ms))
            started_at = time.monotonic()
            pipeline.execute()
        # A doorbell moves its conversation to the time of the next one.
        until(
            lambda: not sum(int(store.redis.zcount(shard.agenda, "-inf", due_ms)) for shard in store.keys.shards),
            "all have a doorbell; see the logs of worker and beat",
            _DEADLINE_SECONDS,
            0.05,
        )
        seconds = time.monotonic() - started_at
        used = Rung(seconds, cpu_seconds(worker) - before[0], cpu_seconds(redis) - before[1])
        store.close()
        return used
