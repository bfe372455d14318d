"""Doorbells: Celery messages that say only "this conversation has work".

When broker and store are the same Redis database, the script that changes the state pushes the doorbell itself, in the
same step and without Celery being loaded; the message is written by hand in Celery's protocol 2, which a worker takes
like any other. With another broker, kombu publishes it. A doorbell that gets lost is rung again by the agenda.
"""

from __future__ import annotations

import base64
import json
import logging
import uuid
from collections.abc import Iterable
from typing import Any, Protocol

from worker.conversation import Conversation, Lane

TASK = "tasks.turn"

_log = logging.getLogger("parley.doorbells")


class Doorbells(Protocol):
    """How doorbells reach the workers."""

    def message(self, conversation: Conversation, lane: Lane) -> str:
        """The doorbell as text for a script to push into the list named after the lane; '' when it cannot."""
        ...

    def ring(self, doorbells: Iterable[tuple[Conversation, Lane]]) -> None:
        """Ring now. Never raises for a broker that is away: the agenda rings again."""
        ...

    def backlog(self, lanes: Iterable[Lane]) -> int:
        """How many messages wait in these queues, as far as can be seen."""
        ...

    def close(self) -> None:
        """Close the connections that are its own."""
        ...


class StoreDoorbells:
    """Broker and store are the same Redis database."""

    def __init__(self, redis: Any) -> None:
        self._redis = redis

    def message(self, conversation: Conversation, lane: Lane) -> str:
        """A complete Celery message, protocol 2."""
        return json.dumps(_envelope(conversation, lane), separators=(",", ":"))

    def ring(self, doorbells: Iterable[tuple[Conversation, Lane]]) -> None:
        """One push for each lane."""
        by_lane: dict[Lane, list[str]] = {}
        for conversation, lane in doorbells:
            by_lane.setdefault(lane, []).append(self.message(conversation, lane))
        for lane, messages in by_lane.items():
            # The end that workers take from: what the agenda rings for is older than all that queues.
            self._redis.rpush(lane, *messages)

    def backlog(self, lanes: Iterable[Lane]) -> int:
        """The queues are lists of the same database."""
        return sum(int(self._redis.llen(lane)) for lane in lanes)

    def close(self) -> None:
        """The connections are the store's."""


class BrokerDoorbells:
    """The broker is another server: kombu publishes."""

    def __init__(self, broker_url: str) -> None:
        self._broker_url = broker_url
        self._pool: Any = None

    def message(self, conversation: Conversation, lane: Lane) -> str:
        """Nothing that a script of the store could push."""
        return ""

    def ring(self, doorbells: Iterable[tuple[Conversation, Lane]]) -> None:
        """Publish each doorbell; when the broker is away, say so and leave it to the agenda."""
        # Imported here: a producer with the usual single Redis never loads kombu.
        from kombu import Connection, Queue
        from kombu.exceptions import OperationalError

        if self._pool is None:
            self._pool = Connection(self._broker_url, connect_timeout=3).Pool(limit=10)
        try:
            with self._pool.acquire(block=True, timeout=3) as connection, connection.Producer() as producer:
                for conversation, lane in doorbells:
                    envelope = _envelope(conversation, lane)
                    producer.publish(
                        json.loads(base64.b64decode(envelope["body"])),
                        routing_key=lane,
                        headers=envelope["headers"],
                        correlation_id=envelope["properties"]["correlation_id"],
                        serializer="json",
                        declare=[Queue(lane, routing_key=lane, durable=True)],
                        retry=False,
                    )
        except (OperationalError, OSError) as error:
            _log.warning("doorbells not rung, the agenda will ring again: broker away (%s)", type(error).__name__)

    def backlog(self, lanes: Iterable[Lane]) -> int:
        """Not to be seen from here."""
        return 0

    def close(self) -> None:
        """Close all connections to the broker."""
        if self._pool is not None:
            self._pool.force_close_all()


def _envelope(conversation: Conversation, lane: Lane) -> dict[str, Any]:
    identity = str(uuid.uuid4())
    body = json.dumps(
        [
            [conversation.persona, conversation.target],
            {},
            {"callbacks": None, "errbacks": None, "chain": None, "chord": None},
        ]
    )
    return {
        "body": base64.b64encode(body.encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": TASK,
            "id": identity,
            "root_id": identity,
            "parent_id": None,
            "group": None,
            "argsrepr": f"({conversation.persona!r}, {conversation.target!r})",
            "kwargsrepr": "{}",
            "origin": "parley",
            "retries": 0,
            "eta": None,
            "expires": None,
            "timelimit": [None, None],
            "ignore_result": True,
        },
        "properties": {
            "correlation_id": identity,
            "reply_to": "",
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": lane},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": identity,
        },
    }
