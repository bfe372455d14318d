"""Procrastinate: a job for each message, with a lock for each conversation; PostgreSQL keeps the jobs in order.

One event loop with hundreds of jobs under way. ``python -m benchmarks.peers.procrastinate_worker`` is a worker.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector, RetryStrategy, SyncPsycopgConnector, tasks

from benchmarks.peers.http_calls import answer_soon
from simulation.messages import Message

CONNINFO = os.environ.get("PEER_POSTGRESQL", "")
CONCURRENCY = 500
DATABASE_CONNECTIONS = 10
BATCH = 200
# A worker with free places looks for jobs only when one was added or this is over, not when a lock comes free.
POLLING_SECONDS = 0.05


async def reply(persona: str, target: str, session_id: str, metadata: dict[str, Any], text: str) -> None:
    """Answer one message: ask the persona, send what it says. The lock of its conversation is the job's."""
    await answer_soon(persona, target, session_id, metadata, text)


def send(messages: Sequence[Message]) -> None:
    """Defer a job for each message, in order, in batches. Raises procrastinate's ``ConnectorException``."""
    app, task = _producer()
    for start in range(0, len(messages), BATCH):
        jobs = [_deferrer(task, message).job for message in messages[start : start + BATCH]]
        app.job_manager.batch_defer_jobs(jobs)
    # A table this young has no statistics yet, and its queries take ten times as long without; autovacuum is slower.
    with psycopg.connect(CONNINFO, autocommit=True) as connection:
        connection.execute("analyze")


def waiting() -> int:
    """Jobs that wait or run. Raises ``psycopg.Error``."""
    with psycopg.connect(CONNINFO) as connection:
        found = connection.execute("select count(*) from procrastinate_jobs where status in ('todo', 'doing')")
        (count,) = found.fetchone() or (0,)
    return int(count)


def make_tables() -> None:
    """Create procrastinate's tables in an empty database."""
    app, _ = _producer()
    app.schema_manager.apply_schema()


def _deferrer(task: Any, message: Message) -> Any:
    persona, target, session_id, metadata, text = message
    arguments = {
        "persona": persona,
        "target": target,
        "session_id": session_id,
        "metadata": metadata,
        "text": text,
    }
    return task.configure(lock=f"{persona}:{target}", task_kwargs=arguments)


def _with_task(app: App) -> tuple[App, tasks.Task[..., Any, Any]]:
    return app, app.task(name="reply", retry=RetryStrategy(wait=1))(reply)


@cache
def _producer() -> tuple[App, tasks.Task[..., Any, Any]]:
    app, task = _with_task(App(connector=SyncPsycopgConnector(conninfo=CONNINFO)))
    app.open()
    return app, task


async def _work() -> None:
    connector = PsycopgConnector(conninfo=CONNINFO, min_size=DATABASE_CONNECTIONS, max_size=DATABASE_CONNECTIONS)
    app, _ = _with_task(App(connector=connector))
    async with app.open_async():
        print("worker ready", flush=True)
        await app.run_worker_async(
            concurrency=CONCURRENCY,
            fetch_job_polling_interval=POLLING_SECONDS,
            delete_jobs="successful",
            shutdown_graceful_timeout=1.0,
        )


if __name__ == "__main__":
    asyncio.run(_work())
