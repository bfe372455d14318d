"""Which conversations there are, by one small index: the newest first, page by page, and by what state they are in.

The index has each conversation of which an event was accepted, with the time of the last one. States are looked up in
the indexes that the scripts keep for their own work. Nothing here walks over the keys of the store.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from redis import Redis

from worker.domain.conversation import Conversation
from worker.store.keys import Keys, Shard
from worker.store.redis.connection import clock_ms
from worker.store.redis.scripts import Scripts

_AT_ONCE = 500


class State(StrEnum):
    """What a conversation can be in. ``PAUSED``: an event waits while an operator has paused its persona.
    ``OPTED_OUT``: its lead has told this persona so."""

    WAITING = "waiting"
    HELD = "held"
    RUNNING = "running"
    PAUSED = "paused"
    TAKEN_OVER = "taken_over"
    SEALED = "sealed"
    DEAD = "dead"
    OPTED_OUT = "opted_out"


# So many names each shard looks at in one go: about a millisecond of the server.
_SCANNED = 2000


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

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, retention_ms: int) -> None:
        self._redis = redis
        self._keys = keys
        self._known = scripts.known
        self._known_rows = scripts.known_rows
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
        text: str = "",
    ) -> Page:
        """At most ``limit`` conversations that are in all of these ``states``, the newest first.

        Without states: those of the index. With states also those that are not in the index, behind the others.
        ``after``: ``next`` of the page before. ``text``: only those with this in the handle; neither upper and lower
        case nor a leading ``@`` of it makes a difference. Each shard is asked in one go, and looks at its own indexes.
        """
        now = clock_ms(self._redis)
        found = self._matching(_words(states), persona or "", limit + 1, after, _spellings(text))
        more = len(found) > limit
        rows = self.rows(found[:limit])
        return Page(now, tuple(rows), found[limit - 1] if more else None)

    def find(self, text: str, persona: str | None = None, limit: int = 50) -> list[Known]:
        """At most ``limit`` conversations of the index whose handle has ``text`` in it, the newest first."""
        return self._matching("", persona or "", limit, None, _spellings(text))

    def rows(self, found: Sequence[Known]) -> list[Row]:
        """What lists show of these."""
        by_shard: dict[Shard, list[Known]] = {}
        for known in found:
            by_shard.setdefault(self._keys.of(known.conversation), []).append(known)
        words = _words(State)
        calls = [
            self._known_rows.call(shard, states=words, names=[known.conversation.name for known in own])
            for shard, own in by_shard.items()
        ]
        rows: dict[Known, Row] = {}
        for own, answer in zip(by_shard.values(), self._known_rows.many(calls) if calls else [], strict=True):
            rows |= {known: _row(known, *fields) for known, fields in zip(own, answer, strict=True)}
        return [rows[known] for known in found]

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

    def _matching(
        self, states: str, persona: str, most: int, after: Known | None, spellings: Sequence[str]
    ) -> list[Known]:
        left: dict[Shard, Known | None] = dict.fromkeys(self._keys.shards, after)
        # Most have their share of the newest ones; those that have more are asked again.
        each = -(-2 * most // len(left)) + 5
        found: list[Known] = []
        while left:
            calls = [
                self._known.call(
                    shard,
                    persona=persona,
                    states=states,
                    most=min(each, most),
                    scanned=_SCANNED,
                    last_at="" if start is None else start.last_event,
                    last_name="" if start is None else start.conversation.name,
                    texts=spellings,
                )
                for shard, start in left.items()
            ]
            further: dict[Shard, Known | None] = {}
            for shard, (name, at, *flat) in zip(left, self._known.many(calls), strict=True):
                found += [_of_index(*pair) for pair in zip(flat[::2], flat[1::2], strict=True)]
                if name:
                    further[shard] = _of_index(name, at)
            found = sorted(found, key=_place, reverse=True)[:most]
            # What a shard has left is behind where it stopped.
            last = found[-1].place if len(found) == most else (-1, "")
            left = {shard: stopped for shard, stopped in further.items() if stopped and stopped.place > last}
            each *= 4
        return found


def _of_index(name: str, at: str) -> Known:
    return Known(Conversation.of_name(name), int(at))


def _words(states: Iterable[State]) -> str:
    return "".join(f" {state.value}" for state in sorted(states, key=list(State).index)) + " " if states else ""


def _spellings(text: str) -> list[str]:
    # The server makes small letters of ASCII only.
    bare = text.removeprefix("@")
    if bare.isascii():
        return [bare.lower()] if bare else []
    return list(dict.fromkeys([bare.lower(), bare.casefold(), bare, bare.upper(), bare.title()]))


def _row(known: Known, waiting: int, hold_until: str, hold_reason: str, *words: str) -> Row:
    states = tuple(State(word) for word in words)
    until, why = (int(hold_until), hold_reason) if State.HELD in states else (0, "")
    return Row(known.conversation, known.last_event, waiting, until, why, states)


def _place(known: Known) -> tuple[int, str]:
    return known.place
