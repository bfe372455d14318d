"""The next touch of each conversation: what is due, and every change of it that is no turn's."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import quote

from redis import Redis

from config.sections import Retention
from worker.domain.cadence import MOST_AHEAD_MS, Drop, Miss, Move, Touch, TouchState
from worker.domain.conversation import Conversation
from worker.domain.vocabulary import Cause, figures, stored
from worker.store.encryption import Content, Undecryptable
from worker.store.faces.face import Words
from worker.store.keys import Keys
from worker.store.redis.connection import clock_ms
from worker.store.redis.scripts import Scripts

if TYPE_CHECKING:
    from worker.domain.events import FollowUp


_FIELDS = (
    "plan",
    "plan_step",
    "quiet_from",
    "touches",
    "touch_at",
    "touch_rule",
    "touch_requested",
    "sealed",
    "owned_elsewhere",
    "taken_over",
    "last_inbound",
    "consent",
    "channel",
)
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Scheduled:
    """What became of a follow-up that a producer asked for. ``position``: of a duplicate that waits, else 0. ``gone``:
    the touch in whose place it was to come is over. ``too_far``: its time is more than ``MOST_AHEAD_MS`` from now."""

    status: Literal["scheduled", "duplicate", "no_channel", "gone", "too_far"]
    position: int


class _Change(NamedTuple):
    # What ``lua/touch.lua`` is to do.
    word: Literal["move", "wait", "drop", "miss", "cancel"]
    at: int | str = ""
    rule: str = ""
    missed: str = ""
    step: int | str = ""
    quiet_from: int | str = ""


class FollowUpIndex:
    """Reads and changes next touches. A touch leaves the index in the step that accepts its event, so a crash loses
    none; what was read is checked again in the step that changes it, so any number of callers may try."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, content: Content, retention: Retention) -> None:
        self._redis = redis
        self._keys = keys
        self._content = content
        self._touch = scripts.touch
        self._schedule = scripts.schedule
        self._conversation_ms = retention.conversation_ms
        self._timeline_ms = retention.dead_ms
        self._timeline_entries = retention.timeline_entries

    def now(self) -> int:
        """Milliseconds of the store's clock."""
        return clock_ms(self._redis)

    def due(self, limit: int) -> Iterator[list[TouchState]]:
        """What is due by the store's clock, at most ``limit`` of each shard, the longest due first, one shard after the
        other. Each list is read when it is asked for; shards in random order, so that callers share the work."""
        now_ms = self.now()
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.zrangebyscore(shard.follow_ups, "-inf", now_ms, start=0, num=limit, withscores=True)
            found = [entries for entries in pipeline.execute() if entries]
        random.shuffle(found)
        for entries in found:
            yield self._states(dict(entries))

    def upcoming(self, limit: int, persona: str | None = None) -> list[TouchState]:
        """The next ``limit`` touches, the earliest first. ``persona``: only of this one, which looks through all."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.zrange(shard.follow_ups, 0, limit - 1 if persona is None else -1, withscores=True)
            entries = sorted((entry for found in pipeline.execute() for entry in found), key=lambda entry: entry[1])
        wanted = [entry for entry in entries if persona in (None, Conversation.of_name(entry[0]).persona)]
        return self._states(dict(wanted[:limit]))

    def state_of(self, conversation: Conversation) -> TouchState:
        """The next touch of one conversation; ``due`` is 0 when none is planned."""
        due = self._redis.zscore(self._keys.of(conversation).follow_ups, conversation.name)
        return self._states({conversation.name: due or 0})[0]

    def quiet(self, persona: str) -> Iterator[list[TouchState]]:
        """All conversations of a persona that are quiet since a delivery or have a next touch; in parts."""
        for shard in self._keys.shards:
            names: list[str] = []
            for key in self._redis.scan_iter(match=f"{shard.conversation_prefix}{persona}:*", count=_AT_ONCE):
                names.append(str(key).removeprefix(shard.conversation_prefix))
                if len(names) == _AT_ONCE:
                    yield self._quiet(names)
                    names = []
            if names:
                yield self._quiet(names)

    def apply(self, changes: Sequence[tuple[TouchState, Move | Drop | Miss]]) -> int:
        """Change touches as they were read, in one round trip. Returns how many; the others changed in the meantime."""
        calls = [self._call(state, _change(change)) for state, change in changes]
        return sum(self._touch.many(calls)) if calls else 0

    def cancel(self, conversation: Conversation, by: str = "", call: str = "") -> bool:
        """Drop the next touch, planned or asked for. False when none was planned. ``by``: the operator who cancels it;
        '' = a producer. For the timeline. ``call``: names the act, and the same name again answers the same and changes
        nothing; '' = it has none."""
        why = stored(Cause.CANCELLED, figures(by=quote(by)))
        words = self._call(TouchState(conversation.name), _Change("cancel", rule=why), call)
        return bool(self._touch.send(words))

    def move(self, conversation: Conversation, at: datetime, call: str = "") -> bool:
        """Give the next touch of a lead another time, whether it is planned or asked for. False when there is none, it
        has changed at this moment, or the time is more than ``MOST_AHEAD_MS`` from now. A message of the lead before
        that time still ends it. ``call``: see ``cancel``."""
        from worker.domain.events import FollowUp, parse_json

        state = self.state_of(conversation)
        if not (state.due or call):
            return False
        event = FollowUp(persona=conversation.persona, target=conversation.target)
        if state.due and state.requested_at:
            (asked_for,) = self.requested([state])
            if isinstance(asked_for, Undecryptable):
                raise asked_for
            known = parse_json(asked_for, accepted=True) if asked_for else event
            event = known if isinstance(known, FollowUp) else event
        moved = event.model_copy(update={"not_before": at})
        return self.schedule(moved, plan_as_read=state.plan, call=call).status == "scheduled"

    def schedule(self, event: FollowUp, plan_as_read: int | None = None, call: str = "") -> Scheduled:
        """Make a follow-up with ``not_before`` the next touch of its conversation, in place of the one planned.

        ``plan_as_read``: only while a touch of this plan is planned. ``call``: see ``cancel``.
        """
        if event.not_before is None:
            raise ValueError("only a follow-up with not_before can be scheduled")
        conversation = Conversation(event.persona, event.target)
        keys = self._keys.conversation(conversation)
        channel = event.channel.model_dump_json() if event.channel else ""
        from worker.domain import event_ids
        from worker.domain.event_parts import told

        other_id = event_ids.instead_of(event.event_id, "") or event.event_id
        answer = self._schedule.run(
            keys,
            journal=keys.journal(event.event_id),
            other_journal=keys.journal(other_id),
            name=keys.name,
            event_id=event.event_id,
            other_id=other_id,
            event=self._content.encrypt("touch_event", conversation, event.model_dump_json(exclude_none=True)),
            not_before_ms=int(event.not_before.timestamp() * 1000),
            most_ahead_ms=MOST_AHEAD_MS,
            rule=stored(Cause.ASKED_FOR),
            channel=self._content.encrypt("channel", conversation, channel),
            conversation_ms=self._conversation_ms,
            timeline_ms=self._timeline_ms,
            timeline_entries=self._timeline_entries,
            left_out=told(event.left_out),
            plan_as_read="" if plan_as_read is None else plan_as_read,
            call=call,
        )
        return Scheduled(*answer)

    def requested(self, states: Sequence[TouchState]) -> list[str | Undecryptable]:
        """The events that producers asked for with these touches, as JSON; '' where it is gone meanwhile, or why this
        process cannot read it."""
        conversations = [Conversation.of_name(state.conversation) for state in states]
        with self._redis.pipeline(transaction=False) as pipeline:
            for conversation in conversations:
                pipeline.hget(self._keys.of(conversation).conversation(conversation), "touch_event")
            found = pipeline.execute()
        return [self._event(conversation, stored) for conversation, stored in zip(conversations, found, strict=True)]

    def _event(self, conversation: Conversation, stored: str | None) -> str | Undecryptable:
        try:
            return self._content.decrypt("touch_event", conversation, stored or "")
        except Undecryptable as reason:
            return reason

    def _quiet(self, names: list[str]) -> list[TouchState]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.zscore(self._keys.of(Conversation.of_name(name)).follow_ups, name)
            due = [score or 0 for score in pipeline.execute()]
        states = self._states(dict(zip(names, due, strict=True)))
        return [state for state in states if state.due or state.quiet_from]

    def _states(self, due: Mapping[str, float]) -> list[TouchState]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in due:
                conversation = Conversation.of_name(name)
                pipeline.hmget(self._keys.of(conversation).conversation(conversation), *_FIELDS)
            found = pipeline.execute()
        return [
            self._state(name, dict(zip(_FIELDS, values, strict=True)), int(at))
            for (name, at), values in zip(due.items(), found, strict=True)
        ]

    def _state(self, name: str, fields: Mapping[str, str | None], due: int) -> TouchState:
        stored = fields["channel"]
        try:
            channel = self._content.decrypt("channel", Conversation.of_name(name), stored) if stored else None
        except Undecryptable as reason:
            return replace(touch_state(name, fields, None, due), undecryptable=str(reason))
        return touch_state(name, fields, channel, due)

    def _call(self, state: TouchState, change: _Change, call: str = "") -> Words:
        return self._touch.call(
            self._keys.conversation(Conversation.of_name(state.conversation)),
            name=state.conversation,
            plan_as_read=state.plan or "",
            due_as_read=state.due or "",
            change=change.word,
            at=change.at,
            rule=change.rule,
            missed=change.missed,
            step=change.step,
            quiet_from=change.quiet_from,
            conversation_ms=self._conversation_ms,
            timeline_ms=self._timeline_ms,
            timeline_entries=self._timeline_entries,
            call=call,
        )


def touch_state(name: str, fields: Mapping[str, str | None], channel: str | None, due: int = 0) -> TouchState:
    """The state of a conversation's next touch, from its stored fields and its channel context, decrypted. ``due``: as
    the index has it."""

    def number(field: str) -> int:
        return int(fields.get(field) or 0)

    return TouchState(
        conversation=name,
        plan=number("plan"),
        step=number("plan_step"),
        quiet_from=number("quiet_from"),
        touches=number("touches"),
        due=due,
        meant_for=number("touch_at"),
        rule=fields.get("touch_rule") or "",
        requested_at=number("touch_requested"),
        over=_over(fields),
        channel=channel,
        last_inbound=number("last_inbound"),
        opted_in=fields.get("consent") == "in",
    )


def _over(fields: Mapping[str, str | None]) -> str:
    if fields.get("sealed"):
        return stored(Cause.SEALED)
    if fields.get("owned_elsewhere"):
        return stored(Cause.OWNED_ELSEWHERE)
    if fields.get("consent") == "out":
        return stored(Cause.OPTED_OUT)
    if fields.get("taken_over"):
        return stored(Cause.TAKEN_OVER)
    return ""


def _change(change: Move | Drop | Miss) -> _Change:
    if isinstance(change, Move):
        return _Change("move" if change.meant else "wait", change.at, change.rule)
    if isinstance(change, Drop):
        return _Change("drop", rule=change.reason)
    then = change.planned.then
    at, rule = (then.at, then.rule) if isinstance(then, Touch) else ("", then.reason)
    return _Change("miss", at, rule, change.reason, change.planned.step, change.planned.quiet_from)
