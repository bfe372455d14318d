"""What became of one event, read without touching anything and without its content."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, cast

from redis import Redis

from worker.domain import event_ids, reasons
from worker.domain.conversation import Conversation
from worker.domain.vocabulary import Cause, Fate
from worker.store.conversations.follow_ups import FollowUpIndex
from worker.store.keys import Keys, Shard
from worker.store.redis.connection import clock_ms

_OF_EVENT = ("kind", "fate", "reason", "accepted_at", "settled_at", "asks", "sends")
_OF_CONVERSATION = ("hold_until", "hold_reason", "taken_over", "lease_until")


@dataclass(frozen=True, slots=True)
class EventState:
    """``status``: its fate, or how it waits. ``held``: for a cause, until ``held_until`` or until a person acts;
    ``scheduled``: a follow-up whose time has not come. Times are milliseconds of the store's clock, 0 = none.
    ``position``: in the inbox, 1 = the head, 0 = it is not there. ``asks``, ``sends``: attempts so far."""

    kind: str
    status: Fate | Literal["waiting", "held", "scheduled"]
    cause: Cause | None
    position: int = 0
    accepted_at: int = 0
    held_until: int = 0
    ended_at: int = 0
    asks: int = 0
    sends: int = 0


class EventStates:
    """Looks events up. Each method may raise ``StoreError``."""

    def __init__(self, redis: Redis, keys: Keys, follow_ups: FollowUpIndex) -> None:
        self._redis = redis
        self._keys = keys
        self._follow_ups = follow_ups

    def of(self, conversation: Conversation, event_id: str) -> EventState | None:
        """The state of an event of a producer; None when nothing of it is kept.

        Its record ends some days after the event (``PARLEY_RETENTION__SETTLED_SECONDS``).
        """
        other_id = event_ids.instead_of(event_id, "")
        for found_as in (other_id, event_id) if other_id else (event_id,):
            if state := self._recorded(conversation, found_as):
                return state
        return self._scheduled(conversation, event_id)

    def _recorded(self, conversation: Conversation, event_id: str) -> EventState | None:
        shard: Shard = self._keys.of(conversation)
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hmget(shard.journal(conversation, event_id), *_OF_EVENT)
            pipeline.hmget(shard.conversation(conversation), *_OF_CONVERSATION)
            pipeline.lpos(shard.inbox(conversation), event_id)
            entry, conversation_fields, at = pipeline.execute()
        event = dict(zip(_OF_EVENT, entry, strict=True))
        if event["kind"] is None:
            return None
        if event["fate"] is not None:
            return _ended(event)
        state = dict(zip(_OF_CONVERSATION, conversation_fields, strict=True))
        return _waiting(event, state, 0 if at is None else at + 1, clock_ms(self._redis))

    def _scheduled(self, conversation: Conversation, event_id: str) -> EventState | None:
        touch = self._follow_ups.state_of(conversation)
        if not touch.due or not touch.requested_at:
            return None
        (requested,) = self._follow_ups.requested([touch])
        if not isinstance(requested, str) or not requested or json.loads(requested).get("event_id") != event_id:
            return None
        return EventState("follow_up", "scheduled", Cause.ASKED_FOR, held_until=touch.due)


def _ended(event: dict[str, Any]) -> EventState:
    reason = reasons.read(event["reason"] or "")
    return EventState(
        event["kind"],
        cast(Fate, event["fate"]),
        reason.cause if reason else None,
        accepted_at=_number(event["accepted_at"]),
        ended_at=_number(event["settled_at"]),
        asks=_number(event["asks"]),
        sends=_number(event["sends"]),
    )


def _waiting(event: dict[str, Any], state: dict[str, Any], position: int, now: int) -> EventState:
    until = _number(state["hold_until"])
    held = position == 1 and until > now and _number(state["lease_until"]) <= now
    reason = reasons.read(state["hold_reason"] or "") if held else None
    cause = Cause.TAKEN_OVER if state["taken_over"] else reason.cause if reason else None
    return EventState(
        event["kind"],
        "held" if held or state["taken_over"] else "waiting",
        cause,
        position=position,
        accepted_at=_number(event["accepted_at"]),
        held_until=until if held else 0,
        asks=_number(event["asks"]),
        sends=_number(event["sends"]),
    )


def _number(field: str | None) -> int:
    return int(field or 0)
