"""Accepts events of producers that only speak Celery: each is a JSON object."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import time
from collections.abc import Callable
from typing import Any

from worker.domain import event_ids, events
from worker.domain.moments import as_datetime
from worker.domain.reasons import Reason
from worker.domain.refusals import Expired, InvalidEvent, Refused, UnknownPersona
from worker.domain.sentences import of_reason
from worker.domain.vocabulary import Cause, figures, stored
from worker.observability import metrics
from worker.pipeline.producer import AnyEvent, Producer
from worker.pipeline.short_retries import patiently
from worker.pipeline.told import State, Told
from worker.store import Store, StoreError
from worker.store.conversations.inbox import UNKNOWN
from worker.store.queues import celery_messages
from worker.store.queues.celery_messages import TaskMessage, UnreadableMessage
from worker.store.redis.failures import code_of, is_broken_connection, is_own_fault

TAKE_IN_SECONDS = 10.0
TAKE_IN_AT_ONCE = 100

# No server can be set to refuse smaller ones (proto-max-bulk-len, client-query-buffer-limit).
_LARGE_BYTES = 1024 * 1024
_BROKEN_TIMES = 3

_log = logging.getLogger("parley.intake")


class Intake:
    """Accepts events, or keeps them as dead letters with the reason, because no caller waits for a refusal."""

    def __init__(self, producer: Producer, store: Store, wait_seconds: float) -> None:
        self._producer = producer
        self._store = store
        self._wait_seconds = wait_seconds
        self._only_counted = 0
        # The last large event whose call broke the connection, and how often in a row.
        self._broken = ("", 0)

    def accept(self, event: object, message_id: str) -> Told:
        """Accept one event. ``message_id`` becomes the event's id when it has none, so that a message that Celery
        delivers twice is one event. While the store is unreachable it waits, for the message is already off the broker.
        Returns one phrase without content. Raises ``redis.RedisError`` after ``wait_seconds``, ``WrongLayout`` when the
        store was made with another number of shards.
        """
        return self._patiently(
            lambda: self._end_or_park(lambda: self._end(event, message_id), lambda: _json(event)),
        )

    def accept_message(self, message: str) -> Told:
        """Accept the event of a Celery message that is already off the broker, as ``accept`` does. ``message``: as
        ``celery_messages.read`` takes it."""
        return self._patiently(lambda: self._take(message))

    def _patiently(self, end: Callable[[], Told]) -> Told:
        patiently(self._store.layout.ensure, again_on=StoreError, seconds=self._wait_seconds)
        return patiently(end, again_on=StoreError, seconds=self._wait_seconds)

    def take_in(self, refused: Callable[[Told], None] = lambda _: None) -> int:
        """Accept all that waits in the queue ``accept``, in order, and the events that wait where Celery puts what has
        no queue or a priority. Returns how many messages were taken. ``refused`` is told of each that was not accepted.

        A message leaves the queue when it has become an event or a dead letter, so none is lost when this process dies;
        one that is read again by the next is recognised by its id. One process at a time does this. Messages of others
        stay where they are.
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
                    if message.shared and not celery_messages.is_event(message.text):
                        queue.leave(message)
                        continue
                    told = self._take(message.text)
                    queue.done(message)
                    if told.state is State.FAILED:
                        refused(told)
                    taken += 1
        finally:
            queue.stop_reading(token)
        return taken

    def _take(self, message: str) -> Told:
        return self._end_or_park(lambda: self._read(message), lambda: message)

    def _read(self, message: str) -> Told:
        try:
            sent = celery_messages.read(message)
            if sent.task != celery_messages.TASK:
                raise UnreadableMessage("the queue accept is for tasks.accept only")
            event = sent.argument
        except UnreadableMessage as error:
            return self._refuse(message, _digest(message), InvalidEvent(str(error)))
        return self._end(event, sent.task_id, sent)

    def _end_or_park(self, end: Callable[[], Told], text: Callable[[], str]) -> Told:
        try:
            return end()
        except StoreError as error:
            if not is_own_fault(error):
                raise
            # The store refuses even a letter, and would refuse it for ever, so the message is parked. If parking fails
            # too, the store itself is in trouble, and everything waits.
            if not self._store.parked.keep(text()):
                raise
            _log.critical("event parked: the store refuses it, and a letter for it (%s): parley status", code_of(error))
            return Told(f"parked: the store refuses it ({code_of(error)})", State.FAILED)

    def _end(self, event: object, message_id: str, sent: TaskMessage | None = None) -> Told:
        message_id = _usable(message_id)
        if isinstance(event, dict) and not event.get("event_id"):
            event = {**event, "event_id": message_id}
        try:
            return self._accept(event, message_id, sent)
        except StoreError as error:
            if not self._fails_for_ever(error, event):
                raise
            reason = Reason(Cause.STORE_REFUSES, figures(code=code_of(error)))
        except Exception as error:
            # A fault of ours.
            reason = Reason(Cause.STUMBLED_AT_THE_DOOR, figures(error=type(error).__name__))
        # It must neither block the messages behind this one for ever nor lose this one. Any part of it may be what we
        # stumble over, so none is looked at again, and its id at the door stays free.
        payload = _json(event)
        letter = self._store.inbox.refuse(UNKNOWN, UNKNOWN, _digest(payload), payload, stored(*reason), own_fault=True)
        return self._refused(reason, letter, message_id)

    def _fails_for_ever(self, error: StoreError, event: object) -> bool:
        if is_own_fault(error):
            return True
        # A server that takes no argument of this size closes the connection, often before its reply is read.
        if not is_broken_connection(error) or len(payload := _json(event)) < _LARGE_BYTES:
            return False
        digest = _digest(payload)
        self._broken = (digest, self._broken[1] + 1 if self._broken[0] == digest else 1)
        return self._broken[1] >= _BROKEN_TIMES and self._answers()

    def _answers(self) -> bool:
        try:
            self._store.ping()
        except StoreError:
            return False
        return True

    def _accept(self, event: object, message_id: str, sent: TaskMessage | None) -> Told:
        try:
            parsed = events.parse(event)
            receipt = self._producer.enqueue(self._as_asked(parsed, sent) if sent else parsed)
        except Refused as refusal:
            return self._refuse(event, message_id, refusal)
        return Told(f"{receipt.status} at position {receipt.position}")

    def _as_asked(self, event: AnyEvent, sent: TaskMessage) -> AnyEvent:
        """What its message asks for beside the event is done or refused, never passed over."""
        if sent.afterwards:
            raise InvalidEvent(
                f"its message asks for more tasks afterwards ({', '.join(sent.afterwards)}), and an event has no "
                "result to go on with: send it without"
            )
        try:
            not_before, not_after = sent.not_before(), sent.not_after()
        except UnreadableMessage as error:
            raise InvalidEvent(str(error)) from None
        if not_before is None and not_after is None:
            return event
        now = as_datetime(self._store.follow_ups.now())
        if not_after is not None and not_after <= now:
            raise Expired(f"its expires was over for {(now - not_after).total_seconds():.0f} s when it was read")
        if not_before is None or not_before <= now:
            return event
        if not isinstance(event, events.FollowUp):
            raise InvalidEvent(
                f"its eta (or countdown) is {(not_before - now).total_seconds():.0f} s from now, and only a follow_up "
                "can wait for a time: send it when it is due"
            )
        return event.model_copy(update={"not_before": max(not_before, event.not_before or not_before)})

    def _refuse(self, event: object, message_id: str, refusal: Refused) -> Told:
        reason = _reason(refusal)
        persona, target = _text(event, "persona"), _text(event, "target")
        # Under the id by which the event is recognised when it comes again, so that the letter is closed then.
        event_id = _own_id(event) or message_id
        letter = self._store.inbox.refuse(persona, target, event_id, _json(event), stored(*reason))
        return self._refused(reason, letter, message_id)

    def _refused(self, reason: Reason, letter: str | None, message_id: str) -> Told:
        metrics.refused()
        told = Told(f"refused: {of_reason(reason)}", State.FAILED, about=message_id)
        codes = {"cause": reason.cause.value, "detail": reason.detail}
        if letter is not None:
            _log.error("event refused: %s", reason.cause, extra={"event_id": letter or message_id, **codes})
            return told
        self._only_counted += 1
        if self._only_counted & (self._only_counted - 1) == 0:
            # The 1st, 2nd, 4th, 8th ...: a flood of events must not become one of lines.
            _log.error(
                "event refused, no room for its letter: %s (%d so far by this process)",
                reason.cause,
                self._only_counted,
                extra={"event_id": message_id, **codes},
            )
        return told


def _reason(refusal: Refused) -> Reason:
    # The text of an unknown persona names what a stranger took for one, which may be a lead.
    is_nameless = isinstance(refusal, UnknownPersona)
    return Reason(refusal.cause, "" if is_nameless else f"text={type(refusal).__name__}: {refusal}")


def _usable(message_id: str) -> str:
    # The id of a foreign message becomes part of keys, as an event's id does.
    usable = re.fullmatch(r"[\x21-\x7e]{1,120}", message_id) and not event_ids.is_reserved(message_id)
    return message_id if usable else _digest(message_id)


def _own_id(event: object) -> str:
    own_id = event.get("event_id") if isinstance(event, dict) else None
    usable = isinstance(own_id, str) and re.fullmatch(r"[\x21-\x7e]{1,256}", own_id)
    return str(own_id) if usable and not event_ids.is_reserved(str(own_id)) else ""


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
