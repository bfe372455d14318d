"""Events that a source sends become receipts and problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from worker.domain import event_ids
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

_NO_KEY = (
    "event_id: the event has none, and the header Idempotency-Key (of a signed request: webhook-id) cannot be one: "
    "give 1 to 256 characters of printable ASCII without blanks, in an array with - and the place of the event behind "
    "them"
)

Job = TypeVar("Job")
Made = TypeVar("Made")


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

    def many(self, asked: Sequence[Asked]) -> list[dict[str, Any] | Problem]:
        """Accept events in their order. Returns a receipt or a problem for each."""
        made = self.each(_event, asked)
        told = iter(self.accept([each for each in made if not isinstance(each, Problem)]))
        return [each if isinstance(each, Problem) else next(told) for each in made]

    def each(self, make: Callable[[Job], Made], jobs: Sequence[Job]) -> list[Made | Problem]:
        """What ``make`` makes of each job, or the problem with it. One job never takes the others with it, which may be
        of other sources."""
        made: list[Made | Problem] = []
        for job in jobs:
            try:
                made.append(make(job))
            except Problem as problem:
                made.append(problem)
            except Refused as refusal:
                made.append(of_refusal(refusal))
            except Exception as error:
                self._unexpected.note(error)
                made.append(Problem("internal", f"an error of the ingress itself ({type(error).__name__})"))
        return made

    def accept(self, events: Sequence[tuple[Source, Event]]) -> list[dict[str, Any] | Problem]:
        """Accept events of sources in their order. Returns a receipt or a problem for each."""
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


def _event(asked: Asked) -> tuple[Source, Event]:
    value = asked.value
    if not isinstance(value, dict):
        raise Problem("refused", "an event is a JSON object with kind", cause="invalid_event", field="event")
    if cloud_events.is_one(value):
        value = cloud_events.event_of(value)
    asked.source.check(value.get("persona"), value.get("kind"))
    if not asked.key or "event_id" in value:
        return asked.source, parse(value)
    if not event_ids.is_one(asked.key):
        # The event has no such field, so a fault of it would name what its sender can not find.
        raise Problem("refused", _NO_KEY, cause="invalid_event", field="event_id")
    return asked.source, parse({"event_id": asked.key, **value})
