"""The ceiling: a Celery task that does nothing, with Celery's default settings."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

from celery import Celery, signals
from redis import Redis

from simulation.messages import Message

REDIS_URL = os.environ.get("PARLEY_REDIS_URL", "redis://127.0.0.1:6379/0")

app = Celery("no_op", broker=REDIS_URL)


@app.task(name="no_op.nothing")
def nothing(*_: Any) -> None:
    """Do nothing with a message."""


def send(messages: Sequence[Message]) -> None:
    """Publish a task for each message. Raises kombu's or the connection's own error."""
    with app.connection_for_write() as connection, app.amqp.Producer(connection) as producer:
        for message in messages:
            nothing.apply_async(args=message, producer=producer)


def waiting() -> int:
    """Tasks in the queue, and those that a worker took and has not acknowledged. Raises ``redis.RedisError``."""
    return int(_redis().llen("celery")) + int(_redis().hlen("unacked"))


@cache
def _redis() -> Redis:
    return Redis.from_url(REDIS_URL)


@signals.worker_ready.connect
def _ready(**_: Any) -> None:
    logging.getLogger(__name__).warning("worker ready")
