"""What is due: the one mechanism behind retries, crash recovery, lost doorbells, quiet waits and parked work."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from config import sections
from config.celery import NO_QUEUE
from worker.domain.conversation import Conversation
from worker.domain.vocabulary import OUTREACH, TURNS, Lane
from worker.store.conversations.fair_room import Wish, in_turn, share
from worker.store.faces.face import Words
from worker.store.keys import Keys, Shard
from worker.store.personas.unconfigured import Unconfigured
from worker.store.queues.doorbells import Doorbells
from worker.store.queues.queue_lists import EVENTS, SHARED
from worker.store.redis.cluster import LateCluster
from worker.store.redis.connection import StoreError
from worker.store.redis.scripts import Scripts
from worker.store.redis.troubles import trouble_of

_log = logging.getLogger("parley.upkeep")

# So many doorbells that wait are looked at at once.
_FEW = 10

_Found = tuple[str, float, tuple[Conversation, Lane]]


@dataclass(frozen=True, slots=True)
class Due:
    """What a look found. ``shards``: those in which a conversation is due or ready, or a process may be dead.
    ``accept``: messages wait in that queue, or may wait there. ``errands``: some are due, or may be. ``next_seconds``:
    until a conversation of another shard falls due, or the time of a process ends; None = not known, or there is none.
    """

    shards: tuple[Shard, ...]
    follow_ups: bool
    accept: bool
    errands: bool = False
    next_seconds: float | None = None


class Agenda:
    """Finds due conversations and moves each to the time of its next ring."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        doorbells: Doorbells,
        personas: Iterable[str],
        rules: sections.Agenda,
        lease: sections.Lease,
        unconfigured: Unconfigured,
        *,
        sees_accept: bool,
    ) -> None:
        self._keys = keys
        self._doorbells = doorbells
        self._look = scripts.look
        self._ring = scripts.ring
        self._ring_outreach = scripts.ring_outreach
        self._wake = scripts.wake
        self._personas = sorted(personas)
        self._unconfigured = unconfigured
        # Where the shards are on several servers no script sees all of them, and each job looks for itself.
        self._one_server = not isinstance(redis, LateCluster)
        self._sees_accept = sees_accept
        self._sees_shared = self._sees_accept
        self._gap_ms = _gap_ms(rules, lease)
        self._lease_ms, self._process_ttl_ms = lease.ttl_ms, lease.process_ttl_ms
        # The same at each tick.
        self._looking = self._look_into([*EVENTS, *SHARED] if self._sees_accept else [])
        self._limit = rules.ring_limit
        self._outreach_limit = rules.outreach_limit
        self._grace_ms = rules.grace_ms
        self._grace_limit_ms = int(rules.grace_limit_seconds * 1000)

    def look(self) -> Due:
        """What is due now. One command; changes nothing but the clock that is kept."""
        if not self._one_server:
            return Due(self._keys.shards, follow_ups=True, accept=True, errands=True)
        follow_ups, accept, errands, next_ms, *numbers = self._seen()
        shards = tuple(self._keys.shards[number] for number in numbers)
        next_seconds = None if next_ms < 0 else next_ms / 1000
        return Due(shards, bool(follow_ups), bool(accept) or not self._sees_accept, bool(errands), next_seconds)

    def _seen(self) -> list[int]:
        try:
            found: list[int] = self._look.send(self._looking)
        except StoreError as error:
            if trouble_of(error).code != "NOPERM" or not self._sees_shared:
                raise
            # The user of an older release: what is due is seen, and what came without a queue waits.
            _log.warning("queue %s not looked into: our user may not (docs/stores.md, users with few rights)", NO_QUEUE)
            self._sees_shared = False
            self._looking = self._look_into(EVENTS)
            return self._seen()
        return found

    def _look_into(self, queues: Sequence[str]) -> Words:
        looked_at = [key for shard in self._keys.shards for key in _looked_at(shard)]
        shards = len(self._keys.shards)
        return self._look.call(
            looked_at=[*looked_at, *queues], shards=shards, gap_ms=self._gap_ms, personas=self._personas
        )

    def claim_due(
        self, shards: Sequence[Shard] | None = None, *, outreach: bool = True
    ) -> list[tuple[Conversation, Lane]]:
        """Conversations to ring for, each with its lane: leads who wait, then outreach; in both the personas in turn,
        the longest waiting of each first.

        Several callers share the work between them. Outreach is bounded, less what still lies in its queue, so that a
        long campaign waits in the store and not in the workers; the room is shared between the personas
        (``fair_room.share``). A persona that is not configured gets no doorbells: its conversations are parked until a
        caller knows it. ``shards``: those that a look has found; None = it looks itself. ``outreach``: whether it may
        be rung for at all this time.
        """
        shards = self.look().shards if shards is None else shards
        if not shards:
            return []
        grace_ms = self._grace_before_next_ring()
        in_queue = self._doorbells.backlog([OUTREACH]) if outreach else 0
        # Some more than their part of the room: the oldest of a persona are not spread evenly.
        places = max(4, 3 * self._outreach_limit // len(shards)) if outreach else 0
        limit = max(1, self._limit // len(self._keys.shards))
        calls = [
            self._ring.call(
                shard,
                most=limit,
                grace_ms=grace_ms,
                grace_limit_ms=self._grace_limit_ms,
                places=places,
                in_queue=in_queue,
                lease_ms=self._lease_ms,
                process_ttl_ms=self._process_ttl_ms,
                gap_ms=self._gap_ms,
                personas=self._personas,
            )
            for shard in shards
        ]
        answers = self._ring.many(calls)
        for persona in sorted({persona for _, _, strangers in answers for persona in strangers}):
            self._unconfigured.met(persona)
        found = [row for doorbells, _, _ in answers for row in _rows(doorbells, 3)]
        if outreach:
            rooms = share(self._outreach_limit, in_queue, _wishes([offers for _, offers, _ in answers]))
            found += self._take(shards, rooms)
        leads: list[_Found] = []
        outreach_due: list[_Found] = []
        for name, lane, since in found:
            conversation = Conversation.of_name(name)
            due = conversation.persona, float(since), (conversation, lane)
            (outreach_due if lane == OUTREACH else leads).append(due)
        return [*in_turn(leads), *in_turn(outreach_due)]

    def give_back(self, conversation: Conversation) -> None:
        """Outreach whose doorbell found no room in a process goes back to its place, and gets another one."""
        self._wake.run(self._keys.of(conversation), held_for="", names=[conversation.name])

    def _grace_before_next_ring(self) -> int:
        # Where hardly anything waits, a doorbell that no worker has looked at was lost. Another broker is not asked.
        waits = not self._sees_accept or self._doorbells.backlog([TURNS]) > _FEW
        return self._grace_ms if waits else self._grace_ms // 4

    def _take(self, shards: Sequence[Shard], rooms: dict[int, dict[str, int]]) -> list[Sequence[str]]:
        calls = []
        for number, room in rooms.items():
            wanted = [word for persona_and_number in room.items() for word in persona_and_number]
            call = self._ring_outreach.call(
                shards[number], grace_ms=self._grace_ms, grace_limit_ms=self._grace_limit_ms, wanted=wanted
            )
            calls.append(call)
        answers = self._ring_outreach.many(calls) if calls else []
        return [(name, OUTREACH, place) for answer in answers for name, place in _rows(answer, 2)]


def _gap_ms(rules: sections.Agenda, lease: sections.Lease) -> int:
    # One tick may be late. Who has signed just before the store went away must outlast what is no gap.
    return min(int(rules.tick_seconds * 2000) + 500, lease.process_ttl_ms - int(lease.process_renew_seconds * 1000))


def _looked_at(shard: Shard) -> tuple[str, ...]:
    return shard.agenda, shard.ready, shard.follow_ups, shard.queued, shard.errands, shard.processes


def _wishes(offers_of_shards: Sequence[Sequence[Any]]) -> dict[str, Wish]:
    wishes: dict[str, Wish] = {}
    for number, offers in enumerate(offers_of_shards):
        for persona, waiting, places in _rows(offers, 3):
            wish = wishes.setdefault(persona, Wish())
            wish.waiting += int(waiting)
            if places:
                wish.places[number] = [float(place) for place in places]
    return wishes


def _rows(flat: Sequence[Any], width: int) -> list[Sequence[Any]]:
    return [flat[start : start + width] for start in range(0, len(flat), width)]
