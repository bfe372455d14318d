"""Dramatiq on Redis: a task for each message, its own mutex for each conversation, a retry when the mutex is taken.

Threads with a connection to both services each, as in ``expert_celery``, and as long a pause before the next attempt.
``python -m benchmarks.peers.dramatiq_worker`` is a worker of one process: the ``Worker`` that the command ``dramatiq``
runs in each of its processes, without that command's process above it.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.rate_limits import ConcurrentRateLimiter
from dramatiq.rate_limits.backends import RedisBackend
from redis import ConnectionPool, Redis

from benchmarks.peers.http_calls import answer
from simulation.messages import Message

REDIS_URL = os.environ.get("PARLEY_REDIS_URL", "redis://127.0.0.1:6379/0")
THREADS = 128
LOCK_MS = 30_000
RETRY_MS = 200
_QUEUE = "default"

_redis = Redis(connection_pool=ConnectionPool.from_url(REDIS_URL, max_connections=2 * THREADS + 20))
_broker = RedisBroker(client=_redis)
_locks = RedisBackend(client=_redis)
dramatiq.set_broker(_broker)


@dramatiq.actor(queue_name=_QUEUE, max_retries=None, min_backoff=RETRY_MS, max_backoff=RETRY_MS)
def reply(persona: str, target: str, session_id: str, metadata: dict[str, Any], text: str) -> None:
    """Answer one message: lock the conversation, ask the persona, send what it says."""
    with ConcurrentRateLimiter(_locks, f"conversation:{persona}:{target}", limit=1, ttl=LOCK_MS).acquire():
        answer(persona, target, session_id, metadata, text)


def send(messages: Sequence[Message]) -> None:
    """Publish a message for each, in order. Raises Dramatiq's ``ConnectionClosed`` or the connection's own error."""
    for message in messages:
        reply.send(*message)


def waiting() -> int:
    """Messages that wait, run, or wait for their next attempt. Raises ``redis.RedisError``."""
    return int(_redis.hlen(f"dramatiq:{_QUEUE}.msgs")) + int(_redis.hlen(f"dramatiq:{_QUEUE}.DQ.msgs"))


def _work() -> None:
    # Before the worker's threads begin: they inherit that these signals are not theirs.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    worker = dramatiq.Worker(_broker, worker_threads=THREADS)
    worker.start()
    print("worker ready", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    worker.stop(timeout=1000)


if __name__ == "__main__":
    _work()
