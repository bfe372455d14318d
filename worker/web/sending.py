"""Events that a source sends become receipts and problems."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from worker.domain.conversation import Conversation
from worker.domain.events import Event, parse
from worker.domain.refusals import Refused
from worker.domain.unexpected import UnexpectedErrors
from worker.pipeline.producer import Producer, Receipt
from worker.web import cloud_events
from worker.web.problems import Problem, of_refusal
from worker.web.receipts import Receipts
from worker.web.sources import Source

MOST_EVENTS = 1000


class Asked(NamedTuple):
    """An event as a source sends it: its JSON value. ``key``: its id when it names none; '' = a new one."""

    source: Source
    value: object
    key: str


class Door:
    """Takes events, one or many. Its methods block: they belong into a thread. Each of them may raise ``StoreError``;
    then it is not known what was accepted."""

    def __init__(self, producer: Producer, receipts: Receipts, unexpected: UnexpectedErrors) -> None:
        self._producer = producer
        self._receipts = receipts
        self._unexpected = unexpected

    def accept(self, source: Source, event: Event) -> dict[str, Any]:
        """Accept one event. Returns the receipt. Raises ``Problem``."""
        try:
            conversation = self._producer.conversation_of(event)
            return self._told(source, conversation, self._producer.enqueue(event))
        except Refused as refusal:
            raise of_refusal(refusal) from None

    def many(self, asked: Sequence[Asked]) -> list[dict[str, Any] | Problem]:
        """Accept events in their order. Returns a receipt or a problem for each."""
        results: list[dict[str, Any] | Problem | None] = []
        events: list[tuple[Source, Event]] = []
        for each in asked:
            try:
                events.append((each.source, _event(each)))
                results.append(None)
            except Problem as problem:
                results.append(problem)
            except Exception as error:
                # One event must not take the others with it, which may be of other sources.
                self._unexpected.note(error)
                results.append(Problem("internal", f"an error of the ingress itself ({type(error).__name__})"))
        told = iter(self._accepted(events))
        return [next(told) if result is None else result for result in results]

    def _accepted(self, events: Sequence[tuple[Source, Event]]) -> list[dict[str, Any] | Problem]:
        outcomes = self._producer.enqueue_many([event for _, event in events])
        told: list[dict[str, Any] | Problem] = []
        for (source, event), outcome in zip(events, outcomes, strict=True):
            if isinstance(outcome, Refused):
                told.append(of_refusal(outcome))
            else:
                told.append(self._told(source, self._producer.conversation_of(event), outcome))
        return told

    def _told(self, source: Source, conversation: Conversation, receipt: Receipt) -> dict[str, Any]:
        return {
            "receipt": self._receipts.seal(source.name, conversation, receipt.event_id),
            "event_id": receipt.event_id,
            "status": receipt.status,
            "position": receipt.position,
        }


def _event(asked: Asked) -> Event:
    value = asked.value
    if not isinstance(value, dict):
        raise Problem("refused", "an event is a JSON object with kind", cause="invalid_event", field="event")
    if cloud_events.is_one(value):
        value = cloud_events.event_of(value)
    asked.source.check(value.get("persona"), value.get("kind"))
    try:
        return parse({"event_id": asked.key, **value} if asked.key else value)
    except Refused as refusal:
        raise of_refusal(refusal) from None
