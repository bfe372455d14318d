"""Doorbells: Celery messages that say only "this conversation has work".

When broker and store are the same Redis database, the script that changes the state pushes the doorbell itself, in the
same step and without Celery being loaded; the message is written by hand in Celery's protocol 2, which a worker takes
like any other. With another broker, it is published there. The agenda sends a lost doorbell again.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Iterable
from functools import cache
from typing import Any, Protocol

from worker.domain.conversation import Conversation
from worker.domain.handles import Handles
from worker.domain.vocabulary import Lane
from worker.store.queues.broker import Broker, BrokerAway, BrokerStillAway, Publication
from worker.store.queues.identities import new_id

TASK = "tasks.turn"

_log = logging.getLogger("parley.doorbells")


class Doorbells(Protocol):
    """How doorbells reach the workers."""

    def message(self, conversation: Conversation, lane: Lane) -> str:
        """The doorbell as text for a script to push into the list named after the lane; '' when it cannot."""
        ...

    def list_of(self, lane: Lane, spare: str) -> str:
        """The key that a script pushes the message into. ``spare``: a key of the script's own slot, for when it does
        not push."""
        ...

    def ring(self, doorbells: Iterable[tuple[Conversation, Lane]]) -> None:
        """Ring now. Never raises for a broker that is unreachable: the agenda sends them again."""
        ...

    def backlog(self, lanes: Iterable[str]) -> int:
        """How many messages wait in these queues, as far as can be seen."""
        ...

    def close(self) -> None:
        """Close the connections that are its own."""
        ...


class StoreDoorbells:
    """Broker and store are the same Redis database. ``handles``: how those who only look at a message see the lead."""

    def __init__(self, redis: Any, handles: Handles) -> None:
        self._redis = redis
        self._handles = handles

    def message(self, conversation: Conversation, lane: Lane) -> str:
        """A complete Celery message, protocol 2."""
        body = base64.b64encode(_body(conversation).encode()).decode()
        shown = json.dumps(self._handles.arguments(*conversation))[1:-1]
        # Every settle brings one along: what is the same in all of them is written once.
        return _template(lane) % {"body": body, "identity": str(new_id()), "shown": shown}

    def list_of(self, lane: Lane, spare: str) -> str:
        """The queues are lists named after the lanes."""
        return lane

    def ring(self, doorbells: Iterable[tuple[Conversation, Lane]]) -> None:
        """One push for each lane."""
        by_lane: dict[Lane, list[str]] = {}
        for conversation, lane in doorbells:
            by_lane.setdefault(lane, []).append(self.message(conversation, lane))
        for lane, messages in by_lane.items():
            # The end that workers take from: what the agenda rings for is older than all that queues. What is pushed
            # last is taken first.
            self._redis.rpush(lane, *reversed(messages))

    def backlog(self, lanes: Iterable[str]) -> int:
        """The queues are lists of the same database."""
        return sum(int(self._redis.llen(lane)) for lane in lanes)

    def close(self) -> None:
        """The connections are the store's."""


class BrokerDoorbells:
    """The broker is another server: the caller publishes after the step. ``handles``: as for ``StoreDoorbells``."""

    def __init__(self, broker: Broker, handles: Handles) -> None:
        self._broker = broker
        self._handles = handles

    def message(self, conversation: Conversation, lane: Lane) -> str:
        """Nothing that a script of the store could push."""
        return ""

    def list_of(self, lane: Lane, spare: str) -> str:
        """The queues are not in the store, and a cluster refuses a key of another slot even if no script uses it."""
        return spare

    def ring(self, doorbells: Iterable[tuple[Conversation, Lane]]) -> None:
        """Publish each doorbell; when the broker is unreachable, say so and leave it to the agenda."""
        try:
            self._broker.publish(_publication(conversation, lane, self._handles) for conversation, lane in doorbells)
        except BrokerStillAway:
            # Said a moment ago.
            pass
        except BrokerAway as away:
            _log.warning("doorbells not rung, the agenda will ring again: broker unreachable (%s)", away)

    def backlog(self, lanes: Iterable[str]) -> int:
        """As the broker counts; 0 while it is unreachable."""
        try:
            return sum(self._broker.waiting(lane) for lane in lanes)
        except BrokerAway:
            return 0

    def close(self) -> None:
        """Close all connections to the broker."""
        self._broker.close()


def _publication(conversation: Conversation, lane: Lane, handles: Handles) -> Publication:
    identity = str(new_id())
    envelope = _envelope(lane, "", identity, handles.arguments(*conversation))
    return Publication(lane, json.loads(_body(conversation)), envelope["headers"], identity)


def _body(conversation: Conversation) -> str:
    arguments = json.dumps([conversation.persona, conversation.target])
    return f'[{arguments}, {{}}, {{"callbacks": null, "errbacks": null, "chain": null, "chord": null}}]'


@cache
def _template(lane: Lane) -> str:
    return json.dumps(_envelope(lane, "%(body)s", "%(identity)s", "%(shown)s"), separators=(",", ":"))


def _envelope(lane: Lane, body: str, identity: str, shown: str) -> dict[str, Any]:
    return {
        "body": body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": TASK,
            "id": identity,
            "root_id": identity,
            "parent_id": None,
            "group": None,
            "argsrepr": shown,
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
