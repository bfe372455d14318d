"""Which conversations there are, by one small index: the newest first, page by page, and by what state they are in.

The index has each conversation of which an event was accepted, with the time of the last one. States are looked up in
the indexes that the scripts keep for their own work. Nothing here walks over the keys of the store.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from redis import Redis

from worker.domain.conversation import Conversation
from worker.store.keys import Keys, Shard
from worker.store.redis.connection import clock_ms

_AT_ONCE = 500


class State(StrEnum):
    """What a conversation can be in. ``PAUSED``: an event waits while an operator has paused its persona."""

    WAITING = "waiting"
    HELD = "held"
    RUNNING = "running"
    PAUSED = "paused"
    TAKEN_OVER = "taken_over"
    SEALED = "sealed"
    DEAD = "dead"


_FIELDS = ["lease_until", "hold_until", "hold_reason", "taken_over", "sealed"]


class Known(NamedTuple):
    """A conversation and the milliseconds of its last accepted event; 0 = it is not in the index."""

    conversation: Conversation
    last_event: int

    @property
    def place(self) -> tuple[int, str]:
        """Its place in a list, which has the highest place first: by time, then by name, as the server sorts."""
        return self.last_event, self.conversation.name


@dataclass(frozen=True, slots=True)
class Row:
    """A conversation as lists show it. All times are milliseconds of the store's clock; 0 = none.

    ``waiting``: events in its inbox. ``hold_until`` and ``hold_reason``: as stored, and only while it is held.
    ``states``: all that hold, in the order of ``State``; none = it is quiet.
    """

    conversation: Conversation
    last_event: int
    waiting: int
    hold_until: int
    hold_reason: str
    states: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, the newest first. ``next``: what to ask for to get the page behind; None = this is the last one."""

    now: int
    rows: tuple[Row, ...]
    next: Known | None


class KnownConversations:
    """Lists conversations and looks for them. Every method may raise ``redis.RedisError``."""

    def __init__(self, redis: Redis, keys: Keys, retention_ms: int) -> None:
        self._redis = redis
        self._keys = keys
        self._retention_ms = retention_ms

    def newest(self, persona: str | None = None, after: Known | None = None) -> Iterator[Known]:
        """All conversations of the index, that with the newest event first; read as far as the caller goes.

        ``persona``: only of this one. ``after``: only those behind this one.
        """
        shards = [self._of_shard(shard, after) for shard in self._keys.shards]
        for known in heapq.merge(*shards, key=lambda each: each.place, reverse=True):
            if persona in (None, known.conversation.persona):
                yield known

    def page(
        self,
        states: Collection[State] = (),
        persona: str | None = None,
        limit: int = 50,
        after: Known | None = None,
    ) -> Page:
        """At most ``limit`` conversations that are in all of these ``states``, the newest first.

        Without states: those of the index. With states also those that are not in the index, behind the others.
        ``after``: ``next`` of the page before.
        """
        now, wanted, dead = clock_ms(self._redis), set(states), set(self._dead())
        chosen = self._of_states(wanted, persona, after) if wanted else self.newest(persona, after)
        rows: list[Row] = []
        while len(rows) <= limit and (chunk := list(islice(chosen, min(_AT_ONCE, 2 * limit + 2)))):
            rows += [row for row in self._rows(chunk, now, dead) if wanted <= set(row.states)]
        last = rows[limit - 1] if len(rows) > limit else None
        return Page(now, tuple(rows[:limit]), Known(last.conversation, last.last_event) if last else None)

    def rows(self, found: list[Known]) -> list[Row]:
        """What lists show of these."""
        return self._rows(found, clock_ms(self._redis), set(self._dead()))

    def find(self, text: str, persona: str | None = None, limit: int = 50) -> list[Known]:
        """At most ``limit`` conversations of the index whose handle has ``text`` in it, the newest first.

        Neither upper and lower case nor a leading ``@`` of ``text`` makes a difference.
        """
        wanted = text.removeprefix("@").casefold()
        found = (each for each in self.newest(persona) if wanted in each.conversation.target.casefold())
        return list(islice(found, limit))

    def are_known(self, conversations: Collection[Conversation]) -> list[Conversation]:
        """Those of which anything is stored."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for conversation in conversations:
                shard = self._keys.of(conversation)
                pipeline.exists(shard.conversation(conversation))
                pipeline.exists(shard.timeline(conversation))
            answers = pipeline.execute()
        pairs = zip(conversations, answers[::2], answers[1::2], strict=True)
        return [conversation for conversation, state, timeline in pairs if state or timeline]

    def trim(self) -> int:
        """Take those off the index that had no event for as long as the state of a quiet conversation is kept.

        What waits, is taken over, sealed or dead stays in the index of that state. Returns how many.
        """
        oldest_kept = clock_ms(self._redis) - self._retention_ms
        indexes = [shard.conversations for shard in self._keys.shards]
        return sum(int(self._redis.zremrangebyscore(index, "-inf", f"({oldest_kept}")) for index in indexes)

    def _of_shard(self, shard: Shard, after: Known | None) -> Iterator[Known]:
        # By scores: positions move while others write.
        most: str | int = after.last_event if after else "+inf"
        skipped = 0
        while True:
            index = shard.conversations
            found: list[tuple[str, float]] = self._redis.zrevrangebyscore(  # type: ignore[assignment]
                index, most, "-inf", skipped, _AT_ONCE, withscores=True
            )
            yield from self._in_order(found, after)
            if len(found) < _AT_ONCE:
                return
            last = int(found[-1][1])
            same = sum(int(at) == last for _, at in found)
            skipped = skipped + same if most == last else same
            most = last

    @staticmethod
    def _in_order(found: list[tuple[str, float]], after: Known | None) -> Iterator[Known]:
        known = (Known(Conversation.of_name(name), int(at)) for name, at in found)
        yield from (each for each in known if after is None or each.place < after.place)

    def _of_states(self, states: set[State], persona: str | None, after: Known | None) -> Iterator[Known]:
        found = [known for shard in self._keys.shards for known in self._indexed(shard, states)]
        found = [known for known in found if persona in (None, known.conversation.persona)]
        yield from self._in_order(
            [(each.conversation.name, each.last_event) for each in sorted(found, key=_place, reverse=True)], after
        )

    def _indexed(self, shard: Shard, states: set[State]) -> Iterator[Known]:
        names = list(self._names(shard, states))
        for start in range(0, len(names), _AT_ONCE):
            chunk = names[start : start + _AT_ONCE]
            times: list[float | None] = self._redis.zmscore(shard.conversations, chunk)
            yield from (Known(Conversation.of_name(name), int(at or 0)) for name, at in zip(chunk, times, strict=True))

    def _names(self, shard: Shard, states: set[State]) -> Iterable[str]:
        # The first index that has all of them; the smallest ones are looked at first.
        if State.TAKEN_OVER in states:
            return map(str, self._redis.hkeys(shard.taken_over))
        if State.DEAD in states:
            return self._dead_of(shard)
        if states == {State.SEALED}:
            return map(str, self._redis.hkeys(shard.sealed))
        return map(str, self._redis.zrange(shard.agenda, 0, -1))

    def _dead(self) -> Iterator[str]:
        for shard in self._keys.shards:
            yield from self._dead_of(shard)

    def _dead_of(self, shard: Shard) -> Iterable[str]:
        # "<event id> <conversation>", and an id has no space.
        return dict.fromkeys(str(letter).partition(" ")[2] for letter in self._redis.zrange(shard.dead, 0, -1))

    def _rows(self, found: list[Known], now: int, dead: set[str]) -> list[Row]:
        paused = self._paused({known.conversation.persona for known in found})
        with self._redis.pipeline(transaction=False) as pipeline:
            for conversation, _ in found:
                shard = self._keys.of(conversation)
                pipeline.hmget(shard.conversation(conversation), _FIELDS)
                pipeline.llen(shard.inbox(conversation))
            answers = pipeline.execute()
        rows = []
        for known, fields, waiting in zip(found, answers[::2], answers[1::2], strict=True):
            lease_until, hold_until, reason, taken_over, sealed = fields
            held = bool(waiting) and int(hold_until or 0) > now
            holds = {
                State.WAITING: waiting,
                State.HELD: held,
                State.RUNNING: int(lease_until or 0) > now,
                State.PAUSED: waiting and known.conversation.persona in paused,
                State.TAKEN_OVER: taken_over is not None,
                State.SEALED: sealed is not None,
                State.DEAD: known.conversation.name in dead,
            }
            states = tuple(state for state, is_so in holds.items() if is_so)
            until, why = (int(hold_until), reason or "") if held else (0, "")
            rows.append(Row(known.conversation, known.last_event, waiting, until, why, states))
        return rows

    def _paused(self, personas: set[str]) -> set[str]:
        names = sorted(personas)
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.hexists(self._keys.home(name).persona(name), "paused")
            return {name for name, paused in zip(names, pipeline.execute(), strict=True) if paused}


def _place(known: Known) -> tuple[int, str]:
    return known.place
