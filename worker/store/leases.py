"""The steps of a turn in the store: begin, record, settle, or hold. The hot path is three scripts.

How a lease protects, as a timeline (lease 6 s, renewed every 2 s):

    t=0   A begins: owner A, fence 1. Its keeper renews while A works.
    t=3   A's process freezes. No renewal.
    t=9   The lease ran out; the agenda rings; B begins: owner B, fence 2, and sees the step A left open.
    t=20  A wakes up. Its lease says "lost", so A starts no further call. If A was already waiting for the persona and
          brings a reply, ``record`` keeps the first reply that arrives, A's or B's, and tells A to leave.
          Whatever else A writes is refused, because owner and fence are B's.

While the store is away or refuses to write, no lease can be renewed. The turn that begins first afterwards finds a
lease that ran out a while ago, and once leaves its holder half a lease more: the holder may have its answer in hand,
and renews as soon as it can.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from config.settings import Settings
from worker import events
from worker.conversation import TURNS, Conversation
from worker.doorbells import Doorbells
from worker.events import Event
from worker.follow_ups import Planned, Touch, TouchState
from worker.store.content import Content, Field, Undecryptable
from worker.store.follow_ups import touch_state
from worker.store.journal import Entry, entry, pairs
from worker.store.keys import Keys
from worker.store.scripts import Scripts

Gate = Literal["hold", "circuit", "credits"]
Fate = Literal["answered", "joined", "ignored", "sealed", "skipped", "dead"]
Mark = Literal["", "started", "sealed", "owned_elsewhere", "escalated"]
Held = Literal["held", "repeated", "lost"]


@dataclass(frozen=True, slots=True)
class NotNow:
    """Why a turn does not begin, and until when (milliseconds of the store's clock; 0 = nothing to wait for)."""

    status: Literal[
        "empty", "busy", "taken_over", "hand_back", "quiet", "held", "paused", "quarantined", "outreach", "probe"
    ]
    until: int
    reason: str


@dataclass(frozen=True)
class Grant:
    """The right to run one turn, and what the turn needs to know. ``entries`` are asked together, head first.

    ``undecryptable``: why this process cannot read the content of the entries, which is then left out; '' = it can.
    ``gives_way``: outreach is stopped; the head ends without a call, because something that happened on the platform
    waits behind it.
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
    undecryptable: str = ""
    gives_way: bool = False

    @property
    def head(self) -> Entry:
        """The first event; the journal of the group is kept in its record."""
        return self.entries[0]

    @cached_property
    def events(self) -> tuple[Event, ...]:
        """What the entries say. Raises ``InvalidEvent`` for what only a newer release can read."""
        return tuple(events.parse_json(entry.payload, accepted=True) for entry in self.entries)


@dataclass(frozen=True, slots=True)
class Recorded:
    """``status``: ``holder`` = deliver ``reply`` now; ``taken_over`` = a person has the conversation: deliver nothing,
    hold; ``lost`` and ``settled`` = another turn goes on: leave. ``undecryptable``: why this process cannot read the
    reply, which another one stored before; '' = it can."""

    status: Literal["holder", "taken_over", "lost", "settled"]
    reply: str
    undecryptable: str = ""


@dataclass(frozen=True, slots=True)
class Settled:
    """``status``: ``lost`` = another turn took over and nothing was changed. ``left``: events that wait now."""

    status: Literal["settled", "repeated", "lost"]
    left: int


class Leases:
    """The steps of a turn. Every method may raise ``redis.RedisError`` and may be called again with the same values."""

    def __init__(
        self, keys: Keys, scripts: Scripts, doorbells: Doorbells, content: Content, settings: Settings
    ) -> None:
        self._keys = keys
        self._content = content
        self._scripts = scripts
        self._doorbells = doorbells
        self._joins = {name: settings.join_of(name) for name in settings.personas}
        self._quiet_takeover_ms = {
            name: int((persona.takeover.hand_back_after_seconds or 0) * 1000)
            for name, persona in settings.personas.items()
        }
        self._ttl_ms = int(settings.lease.ttl_seconds * 1000)
        self._grace_ms = int(settings.agenda.grace_seconds * 1000)
        self._settled_ms = int(settings.retention.settled_seconds * 1000)
        self._dead_ms = int(settings.retention.dead_seconds * 1000)
        self._conversation_ms = int(settings.retention.conversation_seconds * 1000)
        self._timeline_entries = settings.retention.timeline_entries

    def begin(self, conversation: Conversation, token: str, probe: Gate | None = None) -> Grant | NotNow:
        """Take the lease when there is work that may run now.

        ``token``: names this turn and no other. ``probe``: the closed gate that this turn has the right to probe.
        """
        shard = self._keys.of(conversation)
        join = self._joins[conversation.persona]
        answer = self._scripts.begin(
            [
                shard.conversation(conversation),
                shard.inbox(conversation),
                shard.agenda,
                shard.timeline(conversation),
                shard.persona(conversation.persona),
                shard.journal_prefix,
            ],
            [
                conversation.name,
                token,
                self._ttl_ms,
                int(join.settle_seconds * 1000),
                int(join.settle_limit_seconds * 1000),
                join.max_events,
                join.max_characters,
                probe or "",
                random.randrange(1000),
                self._quiet_takeover_ms[conversation.persona],
            ],
        )
        if answer[0] != "granted":
            return NotNow(*answer)
        return self._grant(conversation, token, answer)

    def record(self, grant: Grant, reply: str, *, farewell: bool = False) -> Recorded:
        """Store a reply before it is delivered. The first stored reply wins, also against the current holder's.

        ``farewell``: it is no answer, so whoever replays the event asks again.
        """
        conversation = grant.conversation
        shard = self._keys.of(conversation)
        stored = self._content.encrypt("reply", conversation, reply)
        status, first = self._scripts.record(
            [
                shard.conversation(conversation),
                shard.journal(conversation, grant.head.event_id),
                shard.agenda,
                shard.timeline(conversation),
            ],
            [conversation.name, grant.token, grant.fence, stored, self._ttl_ms, int(farewell)],
        )
        if first == stored:
            return Recorded(status, reply)
        try:
            return Recorded(status, self._content.decrypt("reply", conversation, first))
        except Undecryptable as reason:
            return Recorded(status, "", str(reason))

    def settle(
        self,
        grant: Grant,
        fate: Fate,
        reason: str = "",
        mark: Mark = "",
        detail: str = "",
        follow_up: Planned | Literal["drop"] | None = None,
    ) -> Settled:
        """Give the events of the turn their fate and take them off the inbox.

        ``mark``: what was learned about the conversation. ``detail``: for the journal only, may quote content.
        ``follow_up``: how the cadence goes on; ``drop`` = there is no next touch; None = that stays as it is.
        """
        conversation = grant.conversation
        shard = self._keys.of(conversation)
        join = self._joins[conversation.persona]
        at, step, quiet_from, rule = _follow_up(follow_up)
        status, _, left, ring = self._scripts.settle(
            [
                shard.conversation(conversation),
                shard.inbox(conversation),
                shard.agenda,
                shard.timeline(conversation),
                shard.books,
                shard.follow_ups,
                shard.dead,
                shard.sealed,
                shard.journal_prefix,
                self._doorbells.list_of(TURNS, shard.agenda),
                shard.ready,
                shard.taken_over,
            ],
            [
                conversation.name,
                grant.token,
                grant.fence,
                fate,
                reason,
                mark,
                at,
                step,
                self._settled_ms,
                self._dead_ms,
                self._conversation_ms,
                int(join.settle_seconds * 1000),
                int(join.settle_limit_seconds * 1000),
                self._grace_ms,
                self._timeline_entries,
                self._doorbells.message(conversation, TURNS),
                self._content.encrypt("detail", conversation, detail),
                quiet_from,
                rule,
            ],
        )
        if ring:
            self._doorbells.ring([(conversation, TURNS)])
        return Settled(status, left)

    def _grant(self, conversation: Conversation, token: str, answer: list[Any]) -> Grant:
        _, now, fence, flat, *journals = answer
        state = pairs(flat)

        def read(field: Field, stored: str) -> str:
            return self._content.decrypt(field, conversation, stored)

        def entries(read: Callable[[Field, str], str]) -> tuple[Entry, ...]:
            return tuple(entry(journals[i], journals[i + 1], read) for i in range(0, len(journals), 2))

        try:
            found, undecryptable = entries(read), ""
            channel = read("channel", state["channel"]) if "channel" in state else None
        except Undecryptable as reason:
            found, undecryptable, channel = entries(_left_out), str(reason), None
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
            last_inbound=int(state.get("last_inbound", "0")),
            touch=touch_state(conversation.name, state, channel),
            undecryptable=undecryptable,
            gives_way="gives_way" in state,
        )

    def hold(
        self,
        grant: Grant,
        seconds: float,
        reason: str,
        *,
        unknown: bool,
        asked: bool = True,
        bubbles_sent: int | None = None,
    ) -> Held:
        """Leave the head in place for so long.

        ``unknown``: the call's outcome is not known. ``asked``: a call was made; if not, the attempt does not count.
        ``bubbles_sent``: so many bubbles of the reply have surely been sent; the next one has a budget of its own.
        """
        conversation = grant.conversation
        shard = self._keys.of(conversation)
        status, _ = self._scripts.hold(
            [
                shard.conversation(conversation),
                shard.agenda,
                shard.timeline(conversation),
                shard.journal(conversation, grant.head.event_id),
                shard.inbox(conversation),
            ],
            [
                conversation.name,
                grant.token,
                grant.fence,
                int(seconds * 1000),
                reason,
                "unknown" if unknown else "known" if asked else "not asked",
                self._timeline_entries,
                "" if bubbles_sent is None else bubbles_sent,
            ],
        )
        held: Held = status
        return held

    def hand_over(self, grants: list[Grant]) -> int:
        """Let go of leases in the middle of their turns, because the process ends. Returns how many; the rest was lost.

        Other turns go on at once. They treat the open steps as those of a crash, but this is no sign of poison.
        """
        calls = []
        for grant in grants:
            conversation = grant.conversation
            shard = self._keys.of(conversation)
            keys = [
                shard.conversation(conversation),
                shard.agenda,
                shard.timeline(conversation),
                shard.journal(conversation, grant.head.event_id),
            ]
            arguments: list[Any] = [conversation.name, grant.token, grant.fence]
            calls.append((keys, arguments))
        return sum(self._scripts.hand_over.many(calls)) if calls else 0

    def keep_image(self, grant: Grant, event_id: str, image_url: str) -> None:
        """Remember where an event's attachment is hosted, so that a further attempt does not host it again."""
        conversation = grant.conversation
        key = self._keys.of(conversation).journal(conversation, event_id)
        self._scripts.keep_image([key], [self._content.encrypt("image_url", conversation, image_url)])

    def renew(self, grants: list[Grant]) -> list[Grant]:
        """Renew many leases in one round trip. Returns those that are lost."""
        by_shard: dict[str, list[Grant]] = {}
        for grant in grants:
            by_shard.setdefault(self._keys.of(grant.conversation).tag, []).append(grant)
        calls = []
        for group in by_shard.values():
            shard = self._keys.of(group[0].conversation)
            arguments: list[Any] = [self._ttl_ms]
            for grant in group:
                arguments += [grant.conversation.name, grant.token]
            calls.append(([shard.agenda, *(shard.conversation(grant.conversation) for grant in group)], arguments))
        answers = self._scripts.renew.many(calls)
        return [
            grant
            for group, answer in zip(by_shard.values(), answers, strict=True)
            for grant, renewed in zip(group, answer, strict=True)
            if not renewed
        ]


def _left_out(field: Field, _: str) -> str:
    return "{}" if field == "payload" else ""


def _follow_up(planned: Planned | Literal["drop"] | None) -> tuple[int | str, int | str, int | str, str]:
    if not isinstance(planned, Planned):
        return planned or "", "", "", ""
    then = planned.then
    at, rule = (then.at, then.rule) if isinstance(then, Touch) else ("", then.reason)
    return at, planned.step, planned.quiet_from, rule
