"""Replays dead letters: into their conversation, or, when they were never accepted, as new events."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from config.settings import Settings
from worker.domain import events
from worker.domain.conversation import Conversation
from worker.domain.refusals import Refused
from worker.pipeline.producer import Producer, Receipt
from worker.store import Store
from worker.store.operator.dead_letters import Mode

# Workers of 0.1.0 take ids of at most 128 characters, and of 120 for one that is split by attachments.
_SUFFIX = "#replay"
_ID_LENGTH = 120 - len(_SUFFIX)


@dataclass(frozen=True, slots=True)
class Outcome:
    """``done``: the event waits again, ends with one that does, or is discarded. ``status`` is that of the store, or
    ``still_refused``, ``undecryptable``, ``cut`` or ``unconfigured``; ``detail`` says more (position, id, reason,
    bytes), but no content."""

    done: bool
    status: str
    detail: str


class Replay:
    """Replays dead letters, one at a time. Every method may raise ``redis.RedisError``; then call it again."""

    def __init__(self, settings: Settings, store: Store, producer: Producer) -> None:
        self._personas = settings.personas
        self._store = store
        self._producer = producer

    def run(self, conversation: Conversation, event_id: str, mode: Mode, call: str = "") -> Outcome:
        """Replay or discard one dead letter (modes: ``DeadLetters.replay``). Nothing is lost at any point: a letter
        is closed only after its event waits again. ``call``: the same name again answers the same and changes nothing;
        '' = a new one."""
        letters = self._store.dead_letters
        if (
            mode != "discard"
            and conversation.persona not in self._personas
            and not self._was_refused(conversation, event_id)
            and not letters.is_done(conversation, event_id, call)
        ):
            return Outcome(False, "unconfigured", conversation.persona)
        replayed = letters.replay(conversation, event_id, mode, call)
        if replayed.status == "refused":
            return self._readmit(conversation, event_id, call)
        done = replayed.status in ("replayed", "readmitted", "with_head", "discarded")
        return Outcome(done, replayed.status, replayed.detail)

    def _was_refused(self, conversation: Conversation, event_id: str) -> bool:
        opened = self._store.dead_letters.open(conversation, event_id)
        return opened is not None and opened.letter.kind == "refused"

    def _readmit(self, conversation: Conversation, event_id: str, call: str) -> Outcome:
        opened = self._store.dead_letters.open(conversation, event_id)
        if opened is None:
            return Outcome(False, "unknown", "")
        if opened.undecryptable:
            return Outcome(False, "undecryptable", opened.undecryptable)
        if opened.whole_bytes:
            return Outcome(False, "cut", str(opened.whole_bytes))
        event = json.loads(opened.payload)
        try:
            receipt = self._enqueue(event, event_id if _is_of(conversation, event) else "")
        except Refused as refusal:
            return Outcome(False, "still_refused", f"{type(refusal).__name__}: {refusal}")
        closed = self._store.dead_letters.readmitted(conversation, event_id, receipt.event_id, call)
        return Outcome(closed.status == "readmitted", closed.status, receipt.event_id)

    def _enqueue(self, event: Any, event_id: str) -> Receipt:
        if isinstance(event, dict) and event.get("event_id") in (event_id, event_id.rpartition("-refused-")[0]):
            # The letter itself, or an event for whose sake the letter got an id of its own, has this id: the door
            # would take the event for a duplicate. The new id comes from the letter's: a replay that is cut short and
            # repeated makes one event.
            again = events.parse({**event, "event_id": _replay_id(event_id)})
            return self._producer.enqueue_again(again, event_id)
        return self._producer.enqueue(events.parse(event))


def _is_of(conversation: Conversation, event: Any) -> bool:
    # One whose persona was not configured is filed elsewhere, and its id is free where it belongs.
    return isinstance(event, dict) and (event.get("persona"), event.get("target")) == tuple(conversation)


def _replay_id(event_id: str) -> str:
    short = len(event_id) <= _ID_LENGTH
    return (event_id if short else hashlib.sha256(event_id.encode()).hexdigest()[:32]) + _SUFFIX
