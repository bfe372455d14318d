"""The design of ``benchmarks.plain_celery`` by somebody who knows where its time goes.

Each thread keeps its connections to both services, all under one TLS context; requests and JSON are its own instead of
a client object for each call; the worker does not talk to its neighbours. Still a Redis lock for each conversation, and
a retry when it is taken: that is what a task queue without an order offers. Tried on two cores with two processes:

| turns/s | 64 threads | 128 threads | 500 threads |
| --- | --- | --- | --- |
| persona at once | 256 | 304 | 232 |
| persona at 0.5 s, 400 conversations | 227 | 276 to 303 | 268 to 311 |
| 20 hot conversations | 71 to 86 | 88 | 61 |

Pauses of 0.1, 0.5 and 1 s before the lock is tried again gave 92, 80 and 74 turns/s with the hot ones.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterable
from functools import cache
from typing import Any

from celery import Celery, signals
from redis import Redis
from redis.exceptions import LockError

from benchmarks.peers.http_calls import answer
from simulation.messages import Message

REDIS_URL = os.environ.get("PARLEY_REDIS_URL", "redis://127.0.0.1:6379/0")
LOCK_SECONDS = 30.0
LOCKED_RETRY_SECONDS = 0.2
VISIBILITY_SECONDS = 60
THREADS = 128

app = Celery("expert_celery", broker=REDIS_URL)
app.conf.update(
    worker_pool="threads",
    worker_concurrency=THREADS,
    worker_prefetch_multiplier=1,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={
        "visibility_timeout": VISIBILITY_SECONDS,
        "socket_timeout": 5,
        "socket_keepalive": True,
        "max_connections": THREADS + 20,
        "priority_steps": [0],
    },
)


@app.task(name="expert.reply", bind=True, max_retries=None)
def reply(self: Any, persona: str, target: str, session_id: str, metadata: dict[str, Any], text: str) -> None:
    """Answer one message: lock the conversation, ask the persona, send what it says."""
    lock = _redis().lock(f"conversation:{persona}:{target}", timeout=LOCK_SECONDS)
    try:
        locked = lock.acquire(blocking=False)
    except Exception as error:
        raise self.retry(exc=error, countdown=1) from error
    if not locked:
        raise self.retry(countdown=LOCKED_RETRY_SECONDS)
    try:
        answer(persona, target, session_id, metadata, text)
    except Exception as error:
        raise self.retry(exc=error, countdown=1) from error
    finally:
        # Lost by its time limit or with Redis: then it is somebody else's, or nobody's.
        with contextlib.suppress(LockError, OSError):
            lock.release()


def send(messages: Iterable[Message]) -> None:
    """Publish a task for each message, in order. Raises kombu's or the connection's own error."""
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        for message in messages:
            reply.apply_async(args=message, producer=producer, retry=False)


def waiting() -> int:
    """Messages in the queue, and those that a worker took and has not acknowledged. Raises ``redis.RedisError``."""
    return int(_redis().llen("celery")) + int(_redis().hlen("unacked"))


@cache
def _redis() -> Redis:
    return Redis.from_url(REDIS_URL, max_connections=THREADS + 20)


@signals.worker_ready.connect
def _ready(**_: Any) -> None:
    logging.getLogger(__name__).warning("worker ready")
