"""The door of the store: accept an event once, in order, durably."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from redis import Redis

from config.consent import Consent
from config.sections import Agenda, Join, Limits, Retention, Takeover
from config.transcript import Transcript
from worker.domain import consent, event_ids
from worker.domain.conversation import Conversation
from worker.domain.event_parts import told
from worker.domain.events import InboundChat, PulledFollowUp, StoredEvent
from worker.domain.vocabulary import OUTREACH, TURNS, Cause, rules_of
from worker.store.conversations.consents import Consents
from worker.store.conversations.transcripts import words_of
from worker.store.encryption import Content
from worker.store.faces.face import Words
from worker.store.keys import Keys
from worker.store.queues.doorbells import Doorbells
from worker.store.redis.scripts import Scripts

_NO_LIMIT = 1_000_000_000

UNKNOWN = "-"  # stands for every persona that is not configured; no configured persona can have this name

_NOWHERE = Conversation(UNKNOWN, UNKNOWN)

# Of what our own code or the store stumbled over: larger than any event that the default limits let in.
OWN_FAULT_BYTES = 512 * 1024


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What became of an event at the door.

    ``position``: 1 = at the head; 0 = a duplicate that no longer waits; for ``full`` and ``waits`` the number that
    waits. ``stale`` and ``waits`` answer a follow-up with a plan only: it is no longer the next touch, or not due yet;
    another event waits in front of it. ``skipped`` answers one that was pulled only: it has its end already, for
    ``cause``.
    """

    status: Literal["accepted", "duplicate", "no_channel", "full", "stale", "waits", "skipped"]
    position: int
    cause: Cause | None = None


class Call(NamedTuple):
    """One run of the accept script. ``tells``: the lead says something that the other personas have to be told."""

    conversation: Conversation
    words: Words
    tells: bool


class Inbox:
    """Accepts events. The doorbell rings in the same step when the event became the head."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        doorbells: Doorbells,
        content: Content,
        marks: Consents,
        takeovers: Mapping[str, Takeover],
        joins: Mapping[str, Join],
        consents: Mapping[str, Consent],
        limits: Limits,
        retention: Retention,
        agenda: Agenda,
        transcript: Transcript,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._content = content
        self._accept = scripts.accept
        self._refuse = scripts.refuse
        self._doorbells = doorbells
        self._limits = limits
        self._retention = retention
        # Rounded up: each shard counts for itself.
        self._refused_per_shard = -(-limits.refused_in_all // agenda.shards)
        self._grace_ms = agenda.grace_ms
        self._takeovers = takeovers
        self._joins = joins
        self._consents = consents
        self._marks = marks
        self._transcript = f"{transcript.kept_ms} {transcript.entries}" if transcript.days else ""
        self._words = {name: consent.words_of(rules) for name, rules in consents.items()}

    def accept(
        self,
        event: StoredEvent,
        plan: int | None = None,
        room: int = 1,
        derived_from: str = "",
    ) -> Acceptance:
        """Accept one event of a configured persona.

        ``plan``: for a follow-up that is the next touch, the plan it belongs to. ``room``: so many events must fit into
        the inbox, or it is ``full``; 0 = it never is. ``derived_from``: for an event whose id Parley has made, the id
        of the message that it is a further image of, or ``replay <id>`` of the letter; '' = a producer's own.
        When this returns ``accepted`` the event is in Redis and will have exactly one fate.
        Raises ``redis.RedisError``; then the event may or may not be in: the same event again is recognised.
        """
        call = self._call(event, plan, room, derived_from)
        return self._done(call, self._accept.send(call.words))

    def accept_many(
        self,
        events: Sequence[StoredEvent],
        room: int = 1,
        plans: Sequence[int] | None = None,
        derived_from: str = "",
    ) -> list[Acceptance]:
        """Accept events in order with one round trip; each by itself, results in the same order.

        A store that refuses to write and then takes events again, in the middle of them, changes no order: when this
        raises, what was accepted of a conversation are the first of its events.

        ``plans``: for follow-ups that are next touches, the plan that each one belongs to. ``derived_from``: of all of
        them, as ``accept`` has it.
        """
        calls: list[Call] = []
        in_front: dict[tuple[str, str], str] = {}
        for index, event in enumerate(events):
            lead = event.persona, event.target
            plan = plans[index] if plans else None
            calls.append(self._call(event, plan, room, derived_from, in_front.get(lead, "")))
            in_front[lead] = event.event_id
        answers = self._accept.many([call.words for call in calls])
        accepted = []
        for index, (call, answer) in enumerate(zip(calls, answers, strict=True)):
            if answer[0] == "behind":
                # All calls were answered, so the one in front of it was refused for good, and nothing is waited for.
                again = self._call(events[index], plans[index] if plans else None, room, derived_from)
                answer = self._accept.send(again.words)
            accepted.append(self._done(call, answer))
        return accepted

    def waiting(self, conversation: Conversation) -> int:
        """How many events of a conversation wait or are being worked on."""
        waiting: int = self._redis.llen(self._keys.of(conversation).inbox(conversation))
        return waiting

    def refuse(
        self, persona: str, target: str, event_id: str, payload: str, reason: str, *, own_fault: bool = False
    ) -> str | None:
        """Keep something that is no acceptable event as a dead letter, until an event with its id is accepted.

        A persona that is not configured is filed as ``UNKNOWN``: no sender chooses names of counters. ``own_fault``:
        the event may be a good one, so its letter is cut later, and finds room where others find none any more; it is
        filed as one that names no conversation.
        Returns the id of the letter: ``event_id``, or one made from it when something else has that. '' when this
        payload is kept already; None when there is no room for a further letter, and it was only counted.
        Raises ``redis.RedisError``; then the same again is one letter.
        """
        conversation = _NOWHERE if own_fault else Conversation(persona if persona in self._joins else UNKNOWN, target)
        keys = self._keys.conversation(conversation)
        kept, whole_bytes = _cut(payload, OWN_FAULT_BYTES if own_fault else self._limits.refused_bytes)
        most_of_conversation, most_of_shard = self._room(conversation, own_fault)
        letter: str | None = self._refuse.run(
            keys,
            name=keys.name,
            event_id=event_id,
            payload=self._content.encrypt("payload", conversation, kept),
            reason=reason,
            dead_ms=self._retention.dead_ms,
            timeline_entries=self._retention.timeline_entries,
            whole_bytes=whole_bytes or "",
            most_of_conversation=most_of_conversation,
            most_of_shard=most_of_shard,
            digests=[_digest(stored) for stored in self._content.forms("payload", conversation, payload)],
        )
        return letter

    def _room(self, conversation: Conversation, own_fault: bool) -> tuple[int, int | str]:
        # How many letters a conversation, and its shard, may have. What names no conversation has a shard's share.
        if conversation == _NOWHERE:
            return self._refused_per_shard * (2 if own_fault else 1), ""
        return self._limits.refused_per_conversation, self._refused_per_shard

    def _call(
        self,
        event: StoredEvent,
        plan: int | None,
        room: int,
        derived_from: str,
        in_front: str = "",
    ) -> Call:
        conversation = Conversation(event.persona, event.target)
        keys = self._keys.conversation(conversation)
        join = self._joins[event.persona]
        channel = event.channel.model_dump_json() if event.channel else ""
        said = self._said(event)
        words = self._accept.call(
            keys,
            journal=keys.journal(event.event_id),
            doorbells=self._doorbells.list_of(TURNS, keys.shard.agenda),
            name=keys.name,
            event_id=event.event_id,
            kind=event.kind,
            payload=self._content.encrypt("payload", conversation, event.model_dump_json(exclude_none=True)),
            channel=self._content.encrypt("channel", conversation, channel),
            joining="no" if said == "stop" else _joining(event),
            size=len(event.words) if isinstance(event, InboundChat) else 0,
            settle_ms=int(join.settle_seconds * 1000),
            settle_limit_ms=int(join.settle_limit_seconds * 1000),
            most_events=join.max_events,
            grace_ms=self._grace_ms,
            inbox_limit=self._limits.inbox_events + 1 - room if room else _NO_LIMIT,
            plan="" if plan is None else plan,
            doorbell="" if rules_of(event.kind).lane == OUTREACH else self._doorbells.message(conversation, TURNS),
            takeover=self._takeover(event),
            other_id=event_ids.instead_of(event.event_id, derived_from),
            derived_from=derived_from,
            said=said,
            erased=self._marks.erased.of(keys.name),
            to_lead=self._consents[event.persona].scope == "lead",
            timeline_ms=self._retention.dead_ms,
            left_out=told(event.left_out),
            in_front=in_front,
            in_front_other_id=event_ids.instead_of(in_front, derived_from) if in_front else "",
            ref=event.ref if isinstance(event, PulledFollowUp) else "",
            ended_ms=self._retention.settled_ms,
            transcript=self._transcript,
            words=self._content.encrypt("words", conversation, words_of(event)) if self._transcript else "",
        )
        return Call(conversation, words, bool(said) and self._consents[event.persona].scope == "lead")

    def _said(self, event: StoredEvent) -> str:
        if not isinstance(event, InboundChat):
            return ""
        word = consent.said(event.message, self._words[event.persona])
        if word == "start" and self._consents[event.persona].keeps_consent:
            return "opt_in"
        return word or ""

    def _takeover(self, event: StoredEvent) -> str:
        policy = self._takeovers[event.persona]
        if policy.livechat == "ignore" or not isinstance(event, InboundChat) or not event.channel:
            return ""
        return "hold" if event.channel.hasLivechat else f"{policy.on_hand_back} {self._retention.settled_ms}"

    def _done(self, call: Call, answer: list[Any]) -> Acceptance:
        status, position, ring, *cause = answer
        if ring:
            self._doorbells.ring([(call.conversation, TURNS)])
        if call.tells:
            self._marks.tell(call.conversation)
        return Acceptance(status, position, Cause(cause[0]) if cause else None)


def _joining(event: StoredEvent) -> str:
    if not isinstance(event, InboundChat):
        return "no"
    return "closing" if event.image_url or event.attachments else "open"


def _cut(payload: str, most_bytes: int) -> tuple[str, int]:
    # The part of it that is kept, and how many bytes it had if that is not all: else 0.
    whole = payload.encode("utf-8", "surrogatepass")
    if len(whole) <= most_bytes:
        return payload, 0
    return whole[:most_bytes].decode("utf-8", "ignore"), len(whole)


def _digest(stored: str) -> str:
    return hashlib.sha1(stored.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()
