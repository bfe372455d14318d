"""Taskiq on a stream of Redis: a task for each message, redis-py's lock for each conversation, waited for in the loop.

One event loop with hundreds of tasks under way. A task that waits for a lock costs no thread, so it stays and tries
again; the lock does not care who came first. ``python -m benchmarks.peers.taskiq_worker`` is a worker of one process:
the receiver that the command ``taskiq worker`` runs in each of its processes, on the same loop (uvloop).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import uvloop
from redis import Redis
from redis.asyncio import BlockingConnectionPool
from redis.asyncio import Redis as AsyncRedis
from taskiq import SimpleRetryMiddleware, TaskiqEvents
from taskiq.api import run_receiver_task
from taskiq_redis import RedisStreamBroker

from benchmarks.peers.http_calls import answer_soon
from simulation.messages import Message

REDIS_URL = os.environ.get("PARLEY_REDIS_URL", "redis://127.0.0.1:6379/0")
CONCURRENCY = 500
CONNECTIONS = 50
ATTEMPTS = 100
LOCK_SECONDS = 30.0
LOCKED_RETRY_SECONDS = 0.2
_STREAM, _GROUP = "taskiq", "taskiq"

# From the beginning of the stream: what is sent before the first worker has come counts, too.
broker = RedisStreamBroker(
    REDIS_URL, queue_name=_STREAM, consumer_group_name=_GROUP, consumer_id="0", max_connection_pool_size=CONNECTIONS
).with_middlewares(SimpleRetryMiddleware(default_retry_count=ATTEMPTS))


@broker.task(task_name="reply", retry_on_error=True)
async def reply(persona: str, target: str, session_id: str, metadata: dict[str, Any], text: str) -> None:
    """Answer one message: lock the conversation, ask the persona, send what it says."""
    name = f"conversation:{persona}:{target}"
    async with _locks().lock(name, timeout=LOCK_SECONDS, sleep=LOCKED_RETRY_SECONDS):
        await answer_soon(persona, target, session_id, metadata, text)


def send(messages: Sequence[Message]) -> None:
    """Publish a task for each message, in order. Raises Taskiq's ``SendTaskError``."""
    _runner().run(_send(messages))


def waiting() -> int:
    """Tasks that no worker took, or that none has acknowledged. Raises ``redis.RedisError``."""
    groups = _redis().xinfo_groups(_STREAM) if _redis().exists(_STREAM) else []
    return sum(int(group["pending"]) + int(group["lag"] or 0) for group in groups)


@cache
def _redis() -> Redis:
    return Redis.from_url(REDIS_URL, decode_responses=True)


@cache
def _locks() -> AsyncRedis:
    return AsyncRedis(connection_pool=BlockingConnectionPool.from_url(REDIS_URL, max_connections=CONNECTIONS))


@cache
def _runner() -> asyncio.Runner:
    runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    runner.run(broker.startup())
    return runner


async def _send(messages: Sequence[Message]) -> None:
    for message in messages:
        await reply.kiq(*message)


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def _ready(_: Any) -> None:
    print("worker ready", flush=True)


async def _work() -> None:
    await run_receiver_task(broker, run_startup=True, max_async_tasks=CONCURRENCY)


if __name__ == "__main__":
    uvloop.run(_work())
