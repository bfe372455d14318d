"""A person has a conversation: the persona is silent in it until it is handed back.

Three ways in: the lead's channel says so (``accept``), an escalation was delivered (``settle``), an operator claims.
While it lasts, ``begin`` grants no turn and ``record`` keeps a reply that comes too late from being delivered.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from redis import Redis

from config.sections import Agenda, Retention, Takeover
from worker.domain.conversation import Conversation
from worker.domain.moments import as_datetime
from worker.domain.vocabulary import TURNS
from worker.store.keys import Keys
from worker.store.queues.doorbells import Doorbells
from worker.store.redis.connection import clock_ms
from worker.store.redis.scripts import Scripts

Answer = Literal["joined", "last", "none"]

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Claimed:
    """What a claim came to. ``already``: another operator has it. ``reason`` and ``since``: who has it now, and why.

    ``delivering``: a delivery that began before is still under way.
    """

    status: Literal["claimed", "already", "unknown"]
    reason: str
    since: datetime
    delivering: bool


@dataclass(frozen=True, slots=True)
class HandedBack:
    """What a hand-back came to: how many events were dropped, how many wait now."""

    status: Literal["handed_back", "not_taken_over", "not_quiet", "unknown"]
    dropped: int
    left: int


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A conversation that a person has. ``waiting``: events in its inbox."""

    conversation: Conversation
    since: datetime
    reason: str
    waiting: int


class Takeovers:
    """Claims conversations, hands them back, lists them. Every method may raise ``redis.RedisError``."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        doorbells: Doorbells,
        policies: Mapping[str, Takeover],
        agenda: Agenda,
        retention: Retention,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._claim = scripts.claim
        self._hand_back = scripts.hand_back
        self._doorbells = doorbells
        self._policies = policies
        self._grace_ms = agenda.grace_ms
        self._settled_ms = retention.settled_ms
        self._timeline_ms = retention.dead_ms
        self._conversation_ms = retention.conversation_ms
        self._timeline_entries = retention.timeline_entries

    def claim(self, conversation: Conversation, who: str, why: str = "") -> Claimed:
        """Take a conversation over for ``who``. A takeover that came by itself becomes theirs.

        From now on no turn of it begins and no reply is recorded for delivery. ``delivering`` names the one exception:
        a delivery that had begun; when ``is_delivering`` says no, nothing more goes out.
        """
        keys = self._keys.conversation(conversation)
        reason = f"claimed by {who}: {why}" if why else f"claimed by {who}"
        status, kept, since, delivering = self._claim.run(
            keys, name=keys.name, claimed_by=reason, timeline_ms=self._timeline_ms
        )
        return Claimed(status, kept, _moment(since), bool(delivering))

    def is_delivering(self, conversation: Conversation) -> bool:
        """Whether a turn that holds its lease is delivering at this moment."""
        shard = self._keys.of(conversation)
        # No transaction: a store that is full refuses to queue what only reads.
        with self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hget(shard.conversation(conversation), "lease_until")
            pipeline.lindex(shard.inbox(conversation), 0)
            lease_until, head = pipeline.execute()
        if head is None or int(lease_until or 0) <= clock_ms(self._redis):
            return False
        return self._redis.hget(shard.journal(conversation, head), "step") == "delivering"

    def hand_back(self, conversation: Conversation, answer: Answer, call: str = "") -> HandedBack:
        """Let the persona continue at once.

        ``joined``: all that waits is answered as usual, a stored reply first. ``last``: of what waits only the lead's
        newest message stays. ``none``: nothing stays. What is dropped ends as skipped; what a turn is working on at
        this moment stays in any case. ``call``: the same name again answers the same and changes nothing; '' = a new
        one.
        """
        return self._run(conversation, answer, quiet_ms="", call=call)

    def hand_back_quiet(self, conversation: Conversation) -> HandedBack:
        """End a takeover that was quiet for as long as the persona's policy says, as that policy says.

        What came after that time waits for an ordinary turn. Changes nothing before that time.
        """
        policy = self.policy(conversation.persona)
        quiet_ms = int((policy.hand_back_after_seconds or 0) * 1000)
        return self._run(conversation, policy.on_hand_back, quiet_ms)

    def policy(self, persona: str) -> Takeover:
        """The persona's policy; that of the defaults for one that is not configured."""
        return self._policies.get(persona, Takeover())

    def all(self, persona: str | None = None) -> list[TakenOver]:
        """All conversations that a person has, the longest first. ``persona``: only of this one."""
        return sorted(self._all(persona), key=lambda found: (found.since, found.conversation))

    def _all(self, persona: str | None) -> Iterator[TakenOver]:
        for shard in self._keys.shards:
            names: list[str] = self._redis.hkeys(shard.taken_over)  # type: ignore[assignment]
            wanted = [found for name in names if persona in (None, (found := Conversation.of_name(name)).persona)]
            for start in range(0, len(wanted), _AT_ONCE):
                chunk = wanted[start : start + _AT_ONCE]
                with self._redis.pipeline(transaction=False) as pipeline:
                    for conversation in chunk:
                        pipeline.hmget(shard.conversation(conversation), "taken_over", "taken_over_at")
                        pipeline.llen(shard.inbox(conversation))
                    answers = pipeline.execute()
                for conversation, (reason, since), waiting in zip(chunk, answers[::2], answers[1::2], strict=True):
                    if reason is not None:  # else handed back meanwhile
                        yield TakenOver(conversation, _moment(int(since)), reason, waiting)

    def _run(self, conversation: Conversation, answer: Answer, quiet_ms: int | str, call: str = "") -> HandedBack:
        keys = self._keys.conversation(conversation)
        status, dropped, left, ring = self._hand_back.run(
            keys,
            doorbells=self._doorbells.list_of(TURNS, keys.shard.agenda),
            name=keys.name,
            answer=answer,
            call=call or uuid.uuid4().hex,
            quiet_ms=quiet_ms,
            grace_ms=self._grace_ms,
            settled_ms=self._settled_ms,
            timeline_ms=self._timeline_ms,
            conversation_ms=self._conversation_ms,
            timeline_entries=self._timeline_entries,
            doorbell=self._doorbells.message(conversation, TURNS),
        )
        if ring:
            self._doorbells.ring([(conversation, TURNS)])
        return HandedBack(status, dropped, left)


def _moment(at_ms: int) -> datetime:
    return as_datetime(at_ms)
