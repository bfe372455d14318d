"""The door for producers that only speak Celery: an event as a JSON object."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from typing import Any

from worker import celery_messages, events
from worker.celery_messages import UnreadableMessage
from worker.observability import metrics
from worker.producer import Producer
from worker.refusals import InvalidEvent, Refused
from worker.retrying import patiently
from worker.store import Store, StoreError
from worker.store.inbox import UNKNOWN

TAKE_IN_SECONDS = 10.0
TAKE_IN_AT_ONCE = 100

_log = logging.getLogger("parley.intake")


class Intake:
    """Accepts or, when that cannot be, keeps as a dead letter with the reason: nobody is there to be told."""

    def __init__(self, producer: Producer, store: Store, wait_seconds: float) -> None:
        self._producer = producer
        self._store = store
        self._wait_seconds = wait_seconds

    def accept(self, event: object, message_id: str) -> str:
        """Accept one event. ``message_id`` becomes the event's id when it has none, so that a message that Celery
        delivers twice is one event. While the store is away it waits, for the message is already off the broker.
        Returns one phrase without content. Raises ``redis.RedisError`` after ``wait_seconds``, ``WrongLayout`` when the
        store was made with another number of shards.
        """
        patiently(self._store.layout.ensure, again_on=StoreError, seconds=self._wait_seconds)
        return patiently(lambda: self._end(event, message_id), again_on=StoreError, seconds=self._wait_seconds)

    def take_in(self) -> int:
        """Accept all that waits in the queue ``accept``, in order. Returns how many messages were taken.

        A message leaves the queue when it has become an event or a dead letter, so none is lost when this process dies;
        one that is read again by the next is recognised by its id. One process at a time does this.
        """
        self._store.layout.ensure()
        queue = self._store.accept_queue
        token = queue.become_reader()
        if token is None:
            return 0
        taken = 0
        try:
            until = time.monotonic() + TAKE_IN_SECONDS
            while time.monotonic() < until and (messages := queue.oldest(TAKE_IN_AT_ONCE)):
                for message in messages:
                    self._take(message)
                    queue.done(message)
                taken += len(messages)
        finally:
            queue.stop_reading(token)
        return taken

    def _take(self, message: str) -> None:
        try:
            read = celery_messages.read(message)
            if read.task != "tasks.accept":
                raise UnreadableMessage("the queue accept is for tasks.accept only")
        except UnreadableMessage as error:
            self._refuse(message, _digest(message), InvalidEvent(str(error)))
        else:
            self._end(read.argument, read.task_id)

    def _end(self, event: object, message_id: str) -> str:
        message_id = _usable(message_id)
        if isinstance(event, dict) and not event.get("event_id"):
            event = {**event, "event_id": message_id}
        try:
            return self._accept(event, message_id)
        except StoreError:
            raise
        except Exception as error:
            # A fault of ours. It must not hold up the messages behind this one for ever, nor lose this one. Any part of
            # it may be what we stumble over, so none is looked at again, and its id at the door stays free.
            reason, payload = f"internal error ({type(error).__name__})", _json(event)
            letter = self._store.inbox.refuse(UNKNOWN, UNKNOWN, _digest(payload), payload, reason)
            return _refused(reason, letter or message_id)

    def _accept(self, event: object, message_id: str) -> str:
        try:
            receipt = self._producer.enqueue(events.parse(event))
        except Refused as refusal:
            return self._refuse(event, message_id, refusal)
        return f"{receipt.status} at position {receipt.position}"

    def _refuse(self, event: object, message_id: str, refusal: Refused) -> str:
        reason = f"{type(refusal).__name__}: {refusal}"
        persona, target = _text(event, "persona"), _text(event, "target")
        if ":" in persona or " " in persona:
            persona = UNKNOWN
        letter = self._store.inbox.refuse(persona, target, message_id, _json(event), reason)
        return _refused(reason, letter or message_id)


def _refused(reason: str, event_id: str) -> str:
    metrics.refused()
    _log.error("event refused: %s", reason, extra={"event_id": event_id})
    return f"refused: {reason}"


def _usable(message_id: str) -> str:
    # The id of a foreign message becomes part of keys, as an event's id does.
    return message_id if re.fullmatch(r"[\x21-\x7e]{1,120}", message_id) else _digest(message_id)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _json(event: object) -> str:
    try:
        return json.dumps(event, default=repr)
    except (RecursionError, ValueError):
        return json.dumps("(nested too deeply to be kept)")


def _text(event: Any, field: str) -> str:
    value = event.get(field) if isinstance(event, dict) else None
    return events.repair(value[:256]) if isinstance(value, str) and value else UNKNOWN
