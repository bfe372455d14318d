"""The steps of a turn in the store: begin, record, settle, or hold. The hot path is three scripts.

How a lease protects, as a timeline (lease 6 s, renewed every 2 s):

    t=0   A begins: owner A, fence 1. Its keeper renews while A works.
    t=3   A's process freezes. No renewal.
    t=9   The lease ran out; the agenda rings; B begins: owner B, fence 2, and sees the step A left open.
    t=20  A wakes up. Its lease says "lost", so A starts no further call. If A was already waiting for the persona and
          brings an answer, ``record`` keeps the first one that arrives, A's or B's, and tells A to leave.
          Whatever else A writes is refused, because owner and fence are B's.

While the store is unreachable or refuses to write, no lease can be renewed. The turn that begins first afterwards finds
a lease that ran out a while ago, and once leaves its holder half a lease more: the holder may have its answer in hand,
and renews as soon as it can.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypedDict

from config.consent import Consent
from config.personas import Persona
from config.sections import Agenda, Join, Lease, Retention
from config.transcript import Transcript
from worker.domain import events
from worker.domain.cadence import Planned, Touch, TouchState
from worker.domain.conversation import Conversation
from worker.domain.events import StoredEvent
from worker.domain.reasons import Reason
from worker.domain.retry import Failed
from worker.domain.vocabulary import KINDS, TURNS, Cause, Fate, Mark
from worker.store.conversations.follow_ups import touch_state
from worker.store.conversations.journal import Entry, bare_entry, entry, lead_wrote_since, pairs
from worker.store.encryption import Content, Field, Undecryptable
from worker.store.heartbeats import Processes
from worker.store.keys import Keys
from worker.store.queues.doorbells import Doorbells
from worker.store.redis.lua_words import TOLD_TO_TURNS
from worker.store.redis.scripts import Scripts

Held = Literal["held", "repeated", "lost"]
Asked = Literal["asking", "lost", "opted_out", "not_opted_in"]
_DAMAGED = "text=written by a newer release or damaged: the record of an event"


@dataclass(frozen=True, slots=True)
class NotNow:
    """Why a turn does not begin, and until when (milliseconds of the store's clock; 0 = nothing to wait for)."""

    status: Literal["empty", "busy", "taken_over", "hand_back", "quiet", "held", "paused", "quarantined", "outreach"]
    until: int
    reason: str


@dataclass(frozen=True)
class Grant:
    """The right to run one turn, and what the turn needs to know. ``entries`` are asked together, head first.

    ``undecryptable``: why this process cannot read the entries, whose content is then left out; None = it can.
    ``gives_way``: outreach is stopped; the head ends without a call, because something that happened on the platform
    waits behind it. ``probe``: the closed ``Gate`` that this turn tries, '' = none. ``lead_wrote``: after the head was
    accepted. ``interrupted``: the lead wrote while bubbles of the reply went out, and the rest is not to be sent.
    ``vanished``: the turn before this one did, with its process. ``last_words``: what the words are recognised by that
    were answered last, '' = not kept. ``consent``: what the lead has said last, ``out`` or ``in`` or nothing.
    ``unwanted``: why the lead does not want the head, of which nothing is asked or sent then.
    """

    conversation: Conversation
    token: str
    fence: int
    now: int
    entries: tuple[Entry, ...]
    channel: str | None
    started: bool
    sealed: bool
    owned_elsewhere: bool
    last_inbound: int
    touch: TouchState
    undecryptable: Reason | None = None
    gives_way: bool = False
    probe: str = ""
    lead_wrote: bool = False
    last_words: str = ""
    interrupted: bool = False
    vanished: bool = False
    consent: str = ""
    unwanted: Cause | None = None

    @property
    def head(self) -> Entry:
        """The first event; the journal of the group is kept in its record."""
        return self.entries[0]

    @cached_property
    def events(self) -> tuple[StoredEvent, ...]:
        """What the entries say. Raises ``Unreadable`` for what only another release can read."""
        return tuple(events.parse_json(entry.payload, accepted=True) for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Recorded:
    """``status``: ``holder`` = deliver ``reply`` now; ``taken_over`` = a person has the conversation: deliver nothing,
    hold; ``closed`` = the channel's gate is closed: likewise; ``opted_out`` and ``not_opted_in`` = the lead does not
    want it: deliver nothing, end; ``lost`` and ``settled`` = another turn continues: leave. ``reply_id``: as in its
    journal entry. ``undecryptable``: why this process cannot read an earlier reply, which counts; None = it can."""

    status: Literal["holder", "taken_over", "closed", "opted_out", "not_opted_in", "lost", "settled"]
    reply: str
    reply_id: str = ""
    undecryptable: Reason | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    """``status``: ``lost`` = another turn took over and nothing was changed. ``left``: events that wait now."""

    status: Literal["settled", "repeated", "lost"]
    left: int


@dataclass(frozen=True, slots=True)
class Stumbled:
    """How often an error of our own ended a turn of an event. ``own``: how many of these count against the event,
    because a call may have been made or others of its persona were answered meanwhile. ``replied``: its answer is
    stored."""

    in_all: int
    own: int
    replied: bool


class TurnSteps:
    """The steps of a turn. Every method may raise ``redis.RedisError`` and may be called again with the same values."""

    def __init__(
        self,
        keys: Keys,
        scripts: Scripts,
        doorbells: Doorbells,
        content: Content,
        processes: Processes,
        personas: Mapping[str, Persona],
        joins: Mapping[str, Join],
        consents: Mapping[str, Consent],
        lease: Lease,
        agenda: Agenda,
        retention: Retention,
        transcript: Transcript,
        channel: str,
    ) -> None:
        self._keys = keys
        self._processes = processes
        self._content = content
        self._scripts = scripts
        self._doorbells = doorbells
        self._joins = joins
        self._quiet_takeover_ms = {
            name: int((each.takeover.hand_back_after_seconds or 0) * 1000) for name, each in personas.items()
        }
        self._ttl_ms = lease.ttl_ms
        self._grace_ms = agenda.grace_ms
        self._settled_ms = retention.settled_ms
        self._dead_ms = retention.dead_ms
        self._conversation_ms = retention.conversation_ms
        self._timeline_entries = retention.timeline_entries
        self._environment = channel
        self._transcript = f"{transcript.kept_ms} {transcript.entries}" if transcript.days else ""
        self._pay_each_turn = {name for name, each in personas.items() if each.speaks == "characters"}
        self._stops_rest = {name: each.interruptions == "stop_rest" for name, each in personas.items()}
        self._policies = {name: _policy(each) for name, each in personas.items()}
        self._consents = {name: _consent(rules) for name, rules in consents.items()}

    def begin(self, conversation: Conversation, token: str) -> Grant | NotNow:
        """Take the lease when there is work that may run now. ``token``: names this turn and no other."""
        keys = self._keys.conversation(conversation)
        join = self._joins[conversation.persona]
        repeatable, preparing, resends = self._policies[conversation.persona]
        answer = self._scripts.begin.run(
            keys,
            channel=keys.shard.channel(self._environment),
            name=keys.name,
            token=token,
            lease_ms=self._ttl_ms,
            settle_ms=int(join.settle_seconds * 1000),
            settle_limit_ms=int(join.settle_limit_seconds * 1000),
            most_events=join.max_events,
            most_characters=join.max_characters,
            repeatable_kinds=repeatable,
            jitter_ms=random.randrange(1000),
            quiet_takeover_ms=self._quiet_takeover_ms[conversation.persona],
            preparing_kinds=preparing,
            resends=resends,
            whole_wallet=conversation.persona in self._pay_each_turn,
            stop_rest=self._stops_rest[conversation.persona],
            **self._consents[conversation.persona],
        )
        if answer[0] != "granted":
            return NotNow(*answer)
        return self._grant(conversation, token, answer)

    def record(self, grant: Grant, reply: str, *, farewell: bool = False, seals: bool = False) -> Recorded:
        """Store a reply before it is delivered. The first stored answer wins, also against the current holder's.

        ``farewell``: it is no answer: a replay of the event asks again, and an answer takes its place as long as
        nothing of it can have been sent. ``seals``: it only says that the persona ended the conversation. Both are
        stored for the holder of the lease only.
        """
        conversation = grant.conversation
        keys = self._keys.conversation(conversation)
        stored = self._content.encrypt("reply", conversation, reply)
        status, first, reply_id = self._scripts.record.run(
            keys,
            journal=keys.journal(grant.head.event_id),
            channel=keys.shard.channel(self._environment),
            name=keys.name,
            token=grant.token,
            fence=grant.fence,
            own_reply=stored,
            lease_ms=self._ttl_ms,
            farewell="1" if farewell else "sealed" if seals else "",
            accepted_at=grant.head.accepted_at,
            ids_known=self._processes.all_know_names(),
            **self._consents[conversation.persona],
        )
        if first == stored:
            return Recorded(status, reply, reply_id)
        try:
            return Recorded(status, self._content.decrypt("reply", conversation, first), reply_id)
        except Undecryptable as error:
            return Recorded(status, "", reply_id, error.reason)

    def settle(
        self,
        grant: Grant,
        fate: Fate,
        reason: str = "",
        mark: Mark = "",
        detail: str = "",
        follow_up: Planned | Literal["drop"] | None = None,
        words: str = "",
        sent: int | None = 0,
    ) -> Settled:
        """Give the events of the turn their fate and take them off the inbox.

        ``mark``: what was learned about the conversation. ``detail``: for the journal only, may quote content.
        ``follow_up``: the next step of the cadence; ``drop`` = there is no next touch; None = that stays as it is.
        ``words``: what the lead's words are recognised by, '' = that stays as it is. ``sent``: so many messages of the
        reply reached the lead, None = all of them.
        """
        conversation = grant.conversation
        keys = self._keys.conversation(conversation)
        join = self._joins[conversation.persona]
        at, step, quiet_from, rule = _follow_up(follow_up)
        status, _, left, ring = self._scripts.settle.run(
            keys,
            doorbells=self._doorbells.list_of(TURNS, keys.shard.agenda),
            name=keys.name,
            token=grant.token,
            fence=grant.fence,
            fate=fate,
            reason=reason,
            mark=mark,
            next_at=at,
            plan_step=step,
            settled_ms=self._settled_ms,
            dead_ms=self._dead_ms,
            conversation_ms=self._conversation_ms,
            settle_ms=int(join.settle_seconds * 1000),
            settle_limit_ms=int(join.settle_limit_seconds * 1000),
            grace_ms=self._grace_ms,
            timeline_entries=self._timeline_entries,
            doorbell=self._doorbells.message(conversation, TURNS),
            detail=self._content.encrypt("detail", conversation, detail),
            quiet_from=quiet_from,
            rule=rule,
            words=words,
            transcript=f"{self._transcript} {'-' if sent is None else sent}" if self._transcript and sent != 0 else "",
        )
        if ring:
            self._doorbells.ring([(conversation, TURNS)])
        return Settled(status, left)

    def _grant(self, conversation: Conversation, token: str, answer: list[Any]) -> Grant:
        _, now, fence, told, (gives_way, unwanted, probe, interrupted, vanished), *journals = answer
        state = {field: value for field, value in zip(TOLD_TO_TURNS, told, strict=True) if value is not None}

        def read(field: Field, stored: str) -> str:
            return self._content.decrypt(field, conversation, stored)

        def entries(read: Callable[[Field, str], str]) -> tuple[Entry, ...]:
            return tuple(entry(journals[i], journals[i + 1], read) for i in range(0, len(journals), 2))

        try:
            undecryptable: Reason | None = None
            try:
                found = entries(read)
                channel = read("channel", state["channel"]) if "channel" in state else None
            except Undecryptable as error:
                found, undecryptable, channel = entries(_left_out), error.reason, None
            touch = touch_state(conversation.name, state, channel)
            last_inbound = int(state.get("last_inbound", "0"))
            lead_wrote = lead_wrote_since(pairs(journals[1]), state)
        except (KeyError, ValueError) as error:
            # The text of a ValueError quotes what is stored.
            what = f"field {error} is missing" if isinstance(error, KeyError) else "a number is none"
            undecryptable = Reason(Cause.NEWER_RELEASE, f"{_DAMAGED}, {what}")
            found, channel = tuple(bare_entry(journals[i], journals[i + 1]) for i in range(0, len(journals), 2)), None
            touch, last_inbound, lead_wrote = TouchState(conversation.name), 0, False
        return Grant(
            conversation=conversation,
            token=token,
            fence=fence,
            now=now,
            entries=found,
            channel=channel,
            started="started" in state,
            sealed="sealed" in state,
            owned_elsewhere="owned_elsewhere" in state,
            last_inbound=last_inbound,
            touch=touch,
            undecryptable=undecryptable,
            gives_way=bool(gives_way),
            probe=probe,
            lead_wrote=lead_wrote,
            last_words=state.get("last_words", ""),
            interrupted=bool(interrupted),
            vanished=bool(vanished),
            consent=state.get("consent", ""),
            unwanted=Cause(unwanted) if unwanted else None,
        )

    def asking(self, grant: Grant) -> Asked:
        """The persona is called now: from here on the turn may have asked. ``lost``: the lease is, or another one has
        stored the answer, so make no call; ``opted_out``, ``not_opted_in``: the lead does not want it, likewise.

        Only a turn whose head's step is ``begun`` has to say so.
        """
        keys = self._keys.conversation(grant.conversation)
        answer: Asked = self._scripts.asking.run(
            keys,
            journal=keys.journal(grant.head.event_id),
            token=grant.token,
            fence=grant.fence,
            **self._consents[grant.conversation.persona],
        )
        return answer

    def not_called(self, grant: Grant) -> None:
        """A turn that has lost its lease made no call, so that its open step is no sign of poison."""
        journal = self._keys.conversation(grant.conversation).journal(grant.head.event_id)
        counter = "asks_handed_over" if grant.head.reply is None else "sends_handed_over"
        self._scripts.not_called.run(journal=journal, counter=counter, token=grant.token)

    def hold(
        self,
        grant: Grant,
        seconds: float,
        reason: str,
        *,
        unknown: bool,
        asked: bool = True,
        bubbles_sent: int | None = None,
        failed: Failed | None = None,
        judged: bool = False,
    ) -> Held:
        """Leave the head in place for so long.

        ``unknown``: the call's outcome is not known. ``asked``: a call was made; if not, the attempt does not count.
        ``bubbles_sent``: so many bubbles of the reply have surely been sent; the next one has a budget of its own.
        ``failed``: the attempt may turn out to be the event's own fault; ``judged``: the one before it did.
        """
        keys, wait_ms = self._keys.conversation(grant.conversation), int(seconds * 1000)
        status, _, ring = self._scripts.hold.run(
            keys,
            journal=keys.journal(grant.head.event_id),
            name=keys.name,
            token=grant.token,
            fence=grant.fence,
            wait_ms=wait_ms,
            reason=reason,
            outcome="unknown" if unknown else "known" if asked else "not asked",
            timeline_entries=self._timeline_entries,
            bubbles_sent="" if bubbles_sent is None else bubbles_sent,
            failure=failed.to_text(wait_ms, reason) if failed else "",
            counts_at_once=failed is not None and failed.own,
            last_one_counts=judged,
            stop_rest=self._stops_rest[grant.conversation.persona],
            grace_ms=self._grace_ms,
        )
        if ring:
            self._doorbells.ring([(grant.conversation, TURNS)])
        held: Held = status
        return held

    def stumble(self, grant: Grant, *, called: bool, answered: int) -> Stumbled | None:
        """Count that an error of our own ended the turn; None = its lease is lost, and nothing was counted.

        ``called``: the outside may have been called in this attempt. ``answered``: events of the persona so far.
        """
        keys = self._keys.conversation(grant.conversation)
        status, in_all, own, replied = self._scripts.stumble.run(
            keys,
            journal=keys.journal(grant.head.event_id),
            token=grant.token,
            fence=grant.fence,
            called=called,
            answered_so_far=answered,
        )
        return Stumbled(in_all, own, bool(replied)) if status == "counted" else None

    def hand_over(self, grants: list[Grant]) -> int:
        """Let go of leases in the middle of their turns, because the process ends. Returns how many; the rest was lost.

        Other turns continue at once. They treat the open steps as those of a crash, but this is no sign of poison.
        """
        calls = []
        for grant in grants:
            keys = self._keys.conversation(grant.conversation)
            journal = keys.journal(grant.head.event_id)
            call = self._scripts.hand_over.call(
                keys, journal=journal, name=keys.name, token=grant.token, fence=grant.fence
            )
            calls.append(call)
        return sum(self._scripts.hand_over.many(calls)) if calls else 0

    def keep_image(self, grant: Grant, event_id: str, image_url: str) -> None:
        """Remember where an event's attachment is hosted, so that a further attempt does not host it again."""
        conversation = grant.conversation
        (accepted_at,) = (entry.accepted_at for entry in grant.entries if entry.event_id == event_id)
        self._scripts.keep_image.run(
            journal=self._keys.conversation(conversation).journal(event_id),
            image_url=self._content.encrypt("image_url", conversation, image_url),
            accepted_at=accepted_at,
        )

    def left_out(self, grant: Grant, what: str) -> None:
        """Note in the timeline what this turn had to leave out. ``what``: names of parts and reasons, no content."""
        keys = self._keys.conversation(grant.conversation)
        self._scripts.note.run(keys, word="left out", what=what, event_id=grant.head.event_id)

    def renew(self, grants: list[Grant]) -> list[Grant]:
        """Renew many leases in one round trip. Returns those that are lost."""
        by_shard: dict[str, list[Grant]] = {}
        for grant in grants:
            by_shard.setdefault(self._keys.of(grant.conversation).tag, []).append(grant)
        calls = []
        for group in by_shard.values():
            shard = self._keys.of(group[0].conversation)
            call = self._scripts.renew.call(
                shard,
                conversations=[shard.conversation(grant.conversation) for grant in group],
                lease_ms=self._ttl_ms,
                leases=[word for own in group for word in (own.conversation.name, own.token, str(own.fence))],
            )
            calls.append(call)
        answers = self._scripts.renew.many(calls)
        return [
            grant
            for group, answer in zip(by_shard.values(), answers, strict=True)
            for grant, renewed in zip(group, answer, strict=True)
            if not renewed
        ]


def _policy(persona: Persona) -> tuple[str, str, bool]:
    # Kinds with a space around each: those that may be asked twice, those that have more to do before the call; and
    # whether a delivery may be repeated.
    unknown = persona.on_unknown
    repeatable = [kind for kind, rules in KINDS.items() if rules.unknown(unknown) in ("ask_again", "probe")]
    bounded = persona.calls_at_once or persona.calls_per_second
    preparing = [kind for kind, rules in KINDS.items() if rules.prepares or bounded]
    return f" {' '.join(repeatable)} ", f" {' '.join(preparing)} ", unknown.delivery == "send_again"


class _Consent(TypedDict):
    silence: bool
    only_opted_in: bool


def _consent(rules: Consent) -> _Consent:
    return {
        "silence": rules.later_messages == "silence",
        "only_opted_in": rules.outreach == "only_opted_in" and rules.scope == "persona",
    }


def _left_out(field: Field, _: str) -> str:
    return "{}" if field == "payload" else ""


def _follow_up(planned: Planned | Literal["drop"] | None) -> tuple[int | str, int | str, int | str, str]:
    if not isinstance(planned, Planned):
        return planned or "", "", "", ""
    then = planned.then
    at, rule = (then.at, then.rule) if isinstance(then, Touch) else ("", then.reason)
    return at, planned.step, planned.quiet_from, rule
