"""The steps of a turn in the store: begin, record, settle, or hold. The hot path is three scripts.

How a lease protects, as a timeline (lease 6 s, renewed every 2 s):

    t=0   A begins: owner A, fence 1. Its keeper renews while A works.
    t=3   A's process freezes. No renewal.
    t=9   The lease ran out; the agenda rings; B begins: owner B, fence 2, and sees the step A left open.
    t=20  A wakes up. Its lease says "lost", so A starts no further call. If A was already waiting for the persona and
          brings a reply, ``record`` keeps the first reply that arrives, A's or B's, and tells A to leave.
          Whatever else A writes is refused, because owner and fence are B's.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, Literal

from redis import Redis

from config.settings import Settings
from worker.conversation import OUTREACH, TURNS, Conversation, lane_of
from worker.doorbells import Doorbells
from worker.store.journal import Entry, entry, pairs
from worker.store.keys import Keys
from worker.store.scripts import Scripts

Gate = Literal["hold", "circuit", "credits"]
Fate = Literal["answered", "joined", "ignored", "sealed", "skipped", "dead"]
Mark = Literal["", "started", "sealed", "owned_elsewhere"]
Held = Literal["held", "repeated", "lost"]


@dataclass(frozen=True, slots=True)
class NotNow:
    """Why a turn does not begin, and until when (milliseconds of the store's clock; 0 = nothing to wait for)."""

    status: Literal["empty", "busy", "quiet", "held", "paused", "quarantined", "probe"]
    until: int
    reason: str


@dataclass(frozen=True, slots=True)
class Grant:
    """The right to run one turn, and what the turn needs to know. ``entries`` are asked together, head first."""

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
    plan_step: int

    @property
    def head(self) -> Entry:
        """The first event; the journal of the group is kept in its record."""
        return self.entries[0]


@dataclass(frozen=True, slots=True)
class Recorded:
    """``status``: ``holder`` = deliver ``reply`` now; ``lost`` and ``settled`` = another turn took over: leave."""

    status: Literal["holder", "lost", "settled"]
    reply: str


@dataclass(frozen=True, slots=True)
class Settled:
    """``status``: ``lost`` = another turn took over and nothing was changed. ``left``: events that wait now."""

    status: Literal["settled", "repeated", "lost"]
    left: int


class Leases:
    """The steps of a turn. Every method may raise ``redis.RedisError`` and may be called again with the same values."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, doorbells: Doorbells, settings: Settings) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._doorbells = doorbells
        self._joins = {name: settings.join_of(name) for name in settings.personas}
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
            ],
        )
        if answer[0] != "granted":
            return NotNow(*answer)
        return _grant(conversation, token, answer)

    def record(self, grant: Grant, reply: str) -> Recorded:
        """Store a reply before it is delivered. The first stored reply wins, also against the current holder's."""
        conversation = grant.conversation
        shard = self._keys.of(conversation)
        answer = self._scripts.record(
            [
                shard.conversation(conversation),
                shard.journal(conversation, grant.head.event_id),
                shard.agenda,
                shard.timeline(conversation),
            ],
            [conversation.name, grant.token, grant.fence, reply, self._ttl_ms],
        )
        return Recorded(*answer)

    def settle(
        self,
        grant: Grant,
        fate: Fate,
        reason: str = "",
        mark: Mark = "",
        detail: str = "",
        follow_up: tuple[float, int] | None = None,
    ) -> Settled:
        """Give the events of the turn their fate and take them off the inbox.

        ``mark``: what was learned about the conversation. ``detail``: for the journal only, may quote content.
        ``follow_up``: seconds until the next one, and its step.
        """
        conversation = grant.conversation
        shard = self._keys.of(conversation)
        join = self._joins[conversation.persona]
        status, _, left, ring, kind = self._scripts.settle(
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
                TURNS,
                OUTREACH,
            ],
            [
                conversation.name,
                grant.token,
                grant.fence,
                fate,
                reason,
                mark,
                int(follow_up[0] * 1000) if follow_up else "",
                follow_up[1] if follow_up else "",
                self._settled_ms,
                self._dead_ms,
                self._conversation_ms,
                int(join.settle_seconds * 1000),
                int(join.settle_limit_seconds * 1000),
                self._grace_ms,
                self._timeline_entries,
                self._doorbells.message(conversation, TURNS),
                detail,
            ],
        )
        if ring:
            self._doorbells.ring([(conversation, lane_of(kind))])
        return Settled(status, left)

    def hold(self, grant: Grant, seconds: float, reason: str, *, unknown: bool, asked: bool = True) -> Held:
        """Leave the head in place for so long.

        ``unknown``: the call's outcome is not known. ``asked``: a call was made; if not, the attempt does not count.
        """
        conversation = grant.conversation
        shard = self._keys.of(conversation)
        status, _ = self._scripts.hold(
            [
                shard.conversation(conversation),
                shard.agenda,
                shard.timeline(conversation),
                shard.journal(conversation, grant.head.event_id),
            ],
            [
                conversation.name,
                grant.token,
                grant.fence,
                int(seconds * 1000),
                reason,
                "unknown" if unknown else "known" if asked else "not asked",
                self._timeline_entries,
            ],
        )
        held: Held = status
        return held

    def keep_image(self, grant: Grant, event_id: str, image_url: str) -> None:
        """Remember where an event's attachment is hosted, so that a further attempt does not host it again."""
        shard = self._keys.of(grant.conversation)
        self._redis.hset(shard.journal(grant.conversation, event_id), "image_url", image_url)

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


def _grant(conversation: Conversation, token: str, answer: list[Any]) -> Grant:
    _, now, fence, flat, *journals = answer
    state = pairs(flat)
    return Grant(
        conversation=conversation,
        token=token,
        fence=fence,
        now=now,
        entries=tuple(entry(journals[i], journals[i + 1]) for i in range(0, len(journals), 2)),
        channel=state.get("channel"),
        started="started" in state,
        sealed="sealed" in state,
        owned_elsewhere="owned_elsewhere" in state,
        last_inbound=int(state.get("last_inbound", "0")),
        plan_step=int(state.get("plan_step", "0")),
    )
