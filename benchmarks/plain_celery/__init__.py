"""What Parley is compared with: a Celery task for each message, a Redis lock for each conversation, official clients.

Written as a careful engineer would in an afternoon: late acknowledgement, redelivery when a worker is lost, a short
visibility timeout, a lock with a time limit that outlives the calls, a retry for whatever goes wrong. ``make chaos
ARGS=--plain`` tries it as ``make chaos`` tries Parley. It finds the servers under the same variables.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Iterable
from functools import cache
from typing import Any

from captivate_ai_api import Captivate, TextMessageModel  # type: ignore[import-untyped]
from celery import Celery, signals
from fluidtalk import FluidTalk  # type: ignore[import-untyped]
from redis import Redis
from redis.exceptions import LockError

REDIS_URL = os.environ.get("PARLEY_REDIS_URL", "redis://127.0.0.1:6379/0")
SEND_MESSAGE = "/api/channel/v2/sendMessage"
CALL_SECONDS = 2.0
LOCK_SECONDS = 15.0
VISIBILITY_SECONDS = 30

app = Celery("plain_celery", broker=REDIS_URL)
app.conf.update(
    worker_pool="threads",
    worker_concurrency=64,
    worker_prefetch_multiplier=1,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={"visibility_timeout": VISIBILITY_SECONDS, "socket_timeout": 5, "socket_keepalive": True},
)

Message = tuple[str, str, str, dict[str, Any], str]


@app.task(name="plain.reply", bind=True, max_retries=None)
def reply(self: Any, persona: str, target: str, session_id: str, metadata: dict[str, Any], text: str) -> None:
    """Answer one message: lock the conversation, ask the persona, send what it says."""
    lock = _redis().lock(f"conversation:{persona}:{target}", timeout=LOCK_SECONDS)
    try:
        locked = lock.acquire(blocking=False)
    except Exception as error:
        raise self.retry(exc=error, countdown=1) from error
    if not locked:
        raise self.retry(countdown=0.2)
    try:
        answer = _persona(persona).inbound_chat(target, text)
        _send(session_id, metadata, text, answer.replies)
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


def _send(session_id: str, metadata: dict[str, Any], text: str, bubbles: list[str]) -> None:
    captivate = Captivate(
        session_id=session_id,
        endpoint="action",
        user_input=text,
        metadata=metadata,
        hasLivechat=False,
        DEV_URL_V2=os.environ["PARLEY_CAPTIVATE__BASE_URL"] + SEND_MESSAGE,
    )
    captivate.set_response([TextMessageModel(text=bubble) for bubble in bubbles])
    asyncio.run(captivate.async_send_message("dev"))


@cache
def _redis() -> Redis:
    return Redis.from_url(REDIS_URL)


@cache
def _persona(name: str) -> FluidTalk:
    key = os.environ[f"PARLEY_PERSONAS__{name.upper()}__API_KEY"]
    return FluidTalk(key, base_url=os.environ["PARLEY_FLUIDTALK__BASE_URL"], timeout=CALL_SECONDS)


@signals.worker_ready.connect
def _ready(**_: Any) -> None:
    logging.getLogger(__name__).warning("worker ready")
