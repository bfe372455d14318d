"""What became of one event, read without touching anything and without its content."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, cast

from redis import Redis

from worker.domain import event_ids, reasons
from worker.domain.conversation import Conversation
from worker.domain.vocabulary import Cause, Fate, rules_of
from worker.store.conversations.follow_ups import FollowUpIndex
from worker.store.heartbeats import Served
from worker.store.keys import Keys, Shard
from worker.store.views.closed_gates import BY_A_PERSON, CAUSES, in_the_way, is_held_for_all, until_of
from worker.store.views.situation import Situation, situation

_OF_EVENT = ("kind", "fate", "reason", "accepted_at", "settled_at", "asks", "sends")


@dataclass(frozen=True, slots=True)
class EventState:
    """``status``: its fate, or how it waits. ``held``: for a cause, until ``held_until`` (then it goes on or is tried
    again) or until a person acts; ``scheduled``: a follow-up whose time has not come, for a persona that workers have.
    Times are milliseconds of the store's clock, 0 = none. ``position``: in the inbox, 1 = the head, 0 = it is not
    there. ``asks``, ``sends``: attempts so far."""

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
    """Looks events up. Each method may raise ``StoreError``. ``served``: the personas and the channel that events get
    their answers from and through."""

    def __init__(self, redis: Redis, keys: Keys, follow_ups: FollowUpIndex, served: Callable[[], Served]) -> None:
        self._redis = redis
        self._keys = keys
        self._follow_ups = follow_ups
        self._served = served

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
            pipeline.lpos(shard.inbox(conversation), event_id)
            entry, at = pipeline.execute()
        event = dict(zip(_OF_EVENT, entry, strict=True))
        if event["kind"] is None:
            return None
        if event["fate"] is not None:
            return _ended(event)
        served = self._served()
        around = situation(self._redis, self._keys, conversation, served.channel)
        return _waiting(event, around, conversation.persona in served.personas, 0 if at is None else at + 1)

    def _scheduled(self, conversation: Conversation, event_id: str) -> EventState | None:
        touch = self._follow_ups.state_of(conversation)
        if not touch.due or not touch.requested_at:
            return None
        (requested,) = self._follow_ups.requested([touch])
        if not isinstance(requested, str) or not requested or json.loads(requested).get("event_id") != event_id:
            return None
        if conversation.persona not in self._served().personas:
            return EventState("follow_up", "held", Cause.PERSONA_NOT_KNOWN)
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


def _waiting(event: dict[str, Any], around: Situation, is_served: bool, position: int) -> EventState:
    held = _held(around, event["kind"], is_served, position)
    return EventState(
        event["kind"],
        "held" if held else "waiting",
        held.cause if held else None,
        position=position,
        accepted_at=_number(event["accepted_at"]),
        held_until=held.until if held else 0,
        asks=_number(event["asks"]),
        sends=_number(event["sends"]),
    )


class _Held(NamedTuple):
    cause: Cause | None
    until: int = 0


def _held(now: Situation, kind: str, is_served: bool, position: int) -> _Held | None:
    """Why it does not go on, in the order in which ``parley explain`` looks; None = it waits for its turn only."""
    if now.taken_over and not rules_of(now.kind).only_told and not rules_of(kind).by_operator:
        return _Held(Cause.TAKEN_OVER)
    gate = in_the_way(now)
    if now.lease_until > now.now and gate not in BY_A_PERSON:
        return None
    if not is_served:
        return _Held(Cause.PERSONA_NOT_KNOWN)
    # What holds the head is its own, a gate is one for all behind it as well.
    if position == 1 and now.hold_until > now.now and not is_held_for_all(now) and gate not in BY_A_PERSON:
        reason = reasons.read(now.hold_reason)
        return _Held(reason.cause if reason else None, now.hold_until)
    return _Held(CAUSES[gate], until_of(now.gates, gate)) if gate else None


def _number(field: str | None) -> int:
    return int(field or 0)
