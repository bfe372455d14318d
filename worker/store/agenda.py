"""What is due: the one mechanism behind retries, crash recovery, lost doorbells, quiet waits and parked work."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis

from config.broker import ACCEPT
from config.settings import Settings
from worker.conversation import OUTREACH, Conversation, Lane
from worker.doorbells import Doorbells
from worker.store.cluster import LateCluster
from worker.store.keys import Keys, Shard
from worker.store.scripts import Scripts


@dataclass(frozen=True, slots=True)
class Due:
    """What a look found. ``shards``: those in which a conversation is due or ready. ``accept``: messages wait in that
    queue, or may wait there. ``next_seconds``: until a conversation of another shard falls due; None = not known, or
    there is none."""

    shards: tuple[Shard, ...]
    follow_ups: bool
    accept: bool
    next_seconds: float | None = None


class Agenda:
    """Finds due conversations and moves each to the time of its next ring."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, doorbells: Doorbells, settings: Settings) -> None:
        self._keys = keys
        self._doorbells = doorbells
        self._look = scripts.look
        self._ring = scripts.ring
        # Where the shards are on several servers no script sees all of them, and each job looks for itself.
        self._one_server = not isinstance(redis, LateCluster)
        self._sees_accept = settings.doorbells_in_store
        self._looked_at = [key for shard in keys.shards for key in (shard.agenda, shard.ready, shard.follow_ups)]
        if self._sees_accept:
            self._looked_at.append(ACCEPT)
        self._limit = settings.agenda.ring_limit
        self._outreach_limit = settings.agenda.outreach_limit
        self._grace_ms = int(settings.agenda.grace_seconds * 1000)
        self._grace_limit_ms = int(settings.agenda.grace_limit_seconds * 1000)

    def look(self) -> Due:
        """What is due now. One command; changes nothing but the clock that is kept."""
        if not self._one_server:
            return Due(self._keys.shards, follow_ups=True, accept=True)
        follow_ups, accept, next_ms, *numbers = self._look(self._looked_at, [])
        shards = tuple(self._keys.shards[number] for number in numbers)
        next_seconds = None if next_ms < 0 else next_ms / 1000
        return Due(shards, bool(follow_ups), bool(accept) or not self._sees_accept, next_seconds)

    def claim_due(
        self, shards: Sequence[Shard] | None = None, *, outreach: bool = True
    ) -> list[tuple[Conversation, Lane]]:
        """Conversations to ring for, each with its lane: leads who wait, then outreach; the longest waiting first.

        Several callers share the work between them. Outreach is bounded, less what still lies in its queue, so that a
        long campaign waits in the store and not in the workers. ``shards``: those that a look has found; None = it
        looks itself. ``outreach``: whether it may be rung for at all this time.
        """
        shards = self.look().shards if shards is None else shards
        if not shards:
            return []
        room = max(0, self._outreach_limit - self._doorbells.backlog([OUTREACH])) if outreach else 0
        arguments = [max(1, self._limit // len(self._keys.shards)), self._grace_ms, self._grace_limit_ms]
        # What cannot be shared evenly goes to other shards each time.
        first = random.randrange(len(shards))
        rooms = [(room + (first + number) % len(shards)) // len(shards) for number in range(len(shards))]
        answers = self._ring.many(
            [
                (
                    [
                        shard.agenda,
                        shard.conversation_prefix,
                        shard.inbox_prefix,
                        shard.journal_prefix,
                        shard.ready,
                    ],
                    [*arguments, most],
                )
                for shard, most in zip(shards, rooms, strict=True)
            ]
        )
        due = [
            (answer[i + 1] == OUTREACH, float(answer[i + 2]), Conversation.of_name(answer[i]), answer[i + 1])
            for answer in answers
            for i in range(0, len(answer), 3)
        ]
        return [(conversation, lane) for _, _, conversation, lane in sorted(due)]
