"""Notices of what became of events, conversations and personas: one stream for each shard, written by the scripts that
write a fate (``lua/lib/notices.lua``) and read here.

Order is promised for each conversation, which has one shard. A notice has a place in its shard:
``<milliseconds>-<number>``, where numbers have no gaps. So a reader that continues behind a place learns how many there
were in between and are gone: dropped for their age or for want of room, or erased with the lead that they named.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis import Redis

from config import notices as config
from worker.domain import reasons
from worker.domain.conversation import Conversation
from worker.domain.notices import Notice
from worker.domain.vocabulary import FATES, KINDS, Cause
from worker.store import notice_cursors as cursors
from worker.store import notice_rights
from worker.store.keys import Keys
from worker.store.notice_cursors import START, Place, UnknownCursor
from worker.store.notice_rights import Refused
from worker.store.redis.cluster import LateCluster
from worker.store.redis.connection import StoreError, clock_ms
from worker.store.redis.rights import is_refused
from worker.store.redis.scripts import Scripts

__all__ = ["NoticeFigures", "Notices", "Page", "ShardPage", "UnknownCursor"]

# Processes that are not told whether notices are kept go by what workers and beats say, for so long after they said it.
_TOLD_MS = 2 * 86_400_000
_ERASED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Page:
    """``notices``: those of one conversation in their order. ``cursor``: where the next page begins. ``dropped``: how
    many there were between the two cursors that are gone."""

    notices: list[Notice]
    cursor: str
    dropped: int


@dataclass(frozen=True, slots=True)
class ShardPage:
    """The same of one shard. ``after``: its place that the next page begins behind."""

    notices: list[Notice]
    after: str
    dropped: int


@dataclass(frozen=True, slots=True)
class NoticeFigures:
    """``kept``: notices in the store, ``bytes``: what they take. ``oldest_seconds``: age of the oldest.

    ``dropped``: for their age or for want of room, since the store was made."""

    kept: int = 0
    bytes: int = 0
    oldest_seconds: float = 0.0
    dropped: int = 0


class Notices:
    """Reads notices. Every method may raise ``redis.RedisError`` and may be called again."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, rules: config.Notices) -> None:
        self._redis = redis
        self._keys = keys
        self._keep = scripts.keep_notices
        self._erase = scripts.erase_notices
        self._rules = rules

    @property
    def shards(self) -> int:
        """How many streams there are, numbered from 0."""
        return len(self._keys.shards)

    def shard_of(self, notice: Notice) -> int:
        """The number of the stream that a notice is in."""
        return int(notice.id.partition("-")[0])

    def keep(self) -> int:
        """Say to processes that are not told (producers, commands) that notices are kept, and drop those that are too
        old. Returns how many were dropped. Does nothing when these settings keep none."""
        share = self._rules.share(self.shards)
        if share is None:
            return 0
        most_bytes, age_ms = share
        calls = [
            self._keep.call(shard, most_bytes=most_bytes, age_ms=age_ms, told_ms=_TOLD_MS)
            for shard in self._keys.shards
        ]
        return sum(self._keep.many(calls))

    def kept(self) -> bool:
        """Whether notices are written, by these settings or by those of the workers."""
        if self._rules.enabled:
            return True
        until: Any = self._redis.hget(self._keys.shards[0].notices_kept, "until")
        return int(until or 0) > clock_ms(self._redis)

    def refused(self) -> list[Refused]:
        """The commands that notices need and that the store does not permit; none of them when notices are off."""
        return notice_rights.refused(self._redis, self._keys.shards[0]) if self.kept() else []

    def find(self, notice_id: str) -> Notice | None:
        """The notice with this id; None = there is none, or it is no longer kept."""
        number, _, place = notice_id.partition("-")
        if not number.isdecimal() or int(number) >= self.shards:
            return None
        try:
            at = Place.of(place)
        except UnknownCursor:
            return None
        entries: Any = self._redis.xrange(self._keys.shards[int(number)].notices, min=str(at), max=str(at))
        return _notice(int(number), entries[0]) if entries else None

    def read(self, after: str = "", limit: int = 100) -> Page:
        """The next notices behind a cursor, at most ``limit``. ``after``: '' = from the oldest that is kept.

        Raises ``UnknownCursor`` for what is no cursor of this store.
        """
        places = cursors.read(after, self.shards) if after else self._oldest()
        found: dict[int, list[Any]] = {}
        unfinished, wanted = set(range(self.shards)), limit
        while unfinished and wanted > 0:
            each = max(1, math.ceil(2 * wanted / len(unfinished)))
            order = sorted(unfinished)
            answers = self._ranges([(shard, _last(found.get(shard), places[shard])) for shard in order], each)
            for shard, entries in zip(order, answers, strict=True):
                found.setdefault(shard, []).extend(entries)
                if len(entries) < each:
                    unfinished.discard(shard)
            wanted = limit - sum(map(len, found.values()))
        ordered = sorted((Place.of(entry[0]), shard, entry) for shard, entries in found.items() for entry in entries)
        taken: dict[int, list[Any]] = {}
        for _, shard, entry in ordered[:limit]:
            taken.setdefault(shard, []).append(entry)
        dropped = sum(self._gone(shard, places[shard], entries) for shard, entries in taken.items())
        for shard, entries in taken.items():
            places[shard] = Place.of(entries[-1][0])
        return Page([_notice(shard, entry) for _, shard, entry in ordered[:limit]], cursors.written(places), dropped)

    def read_shard(self, shard: int, after: str = "", limit: int = 100) -> ShardPage:
        """The next notices of one shard behind a place, in their order. ``after``: '' = from the oldest that is kept.

        Raises ``UnknownCursor`` for what is no place.
        """
        place = Place.of(after) if after else START
        (entries,) = self._ranges([(shard, place)], limit)
        if not entries:
            return ShardPage([], after, 0)
        dropped = self._gone(shard, place if after else _in_front_of(entries[0]), entries)
        return ShardPage([_notice(shard, entry) for entry in entries], entries[-1][0], dropped)

    def end(self) -> str:
        """The cursor behind all notices of this moment."""
        return cursors.written([Place.of(place) for place in self.ends()])

    def ends(self) -> list[str]:
        """Of each shard the place behind all its notices of this moment."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.xrevrange(shard.notices, count=1)
                pipeline.hget(shard.notices_kept, "count")
            found = pipeline.execute()
        return [
            entries[0][0] if entries else str(Place(0, int(count or 0)))
            for entries, count in zip(found[::2], found[1::2], strict=True)
        ]

    def any_behind(self, after: str) -> bool:
        """Whether there are notices behind a cursor. Costs the server little. Raises ``UnknownCursor``."""
        places = cursors.read(after, self.shards)
        if isinstance(self._redis, LateCluster):
            return any(self._ranges(list(enumerate(places)), 1))
        streams: Any = {shard.notices: str(place) for shard, place in zip(self._keys.shards, places, strict=True)}
        return bool(self._redis.xread(streams, count=1))

    def figures(self) -> NoticeFigures:
        """What is kept, and what was dropped."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.xlen(shard.notices)
                pipeline.memory_usage(shard.notices)
                pipeline.xrange(shard.notices, count=1)
                pipeline.hget(shard.notices_kept, "dropped")
            answers = pipeline.execute()
        now = clock_ms(self._redis)
        oldest = [Place.of(entries[0][0]).at for entries in answers[2::4] if entries]
        return NoticeFigures(
            kept=sum(answers[::4]),
            bytes=sum(used or 0 for used in answers[1::4]),
            oldest_seconds=max(0.0, (now - min(oldest, default=now)) / 1000),
            dropped=sum(int(dropped or 0) for dropped in answers[3::4]),
        )

    def kept_figures(self) -> NoticeFigures | None:
        """The figures; None when notices are off, or when the store does not permit to look (``refused``)."""
        if not self.kept():
            return None
        try:
            return self.figures()
        except StoreError as error:
            if not is_refused(error):
                raise
            return None

    def erase(self, conversation: Conversation) -> int:
        """Take out what names a conversation, in parts between which the store serves others. Returns how many."""
        shard, erased, after = self._keys.of(conversation), 0, "0"
        while after:
            taken, after = self._erase.run(shard, name=conversation.name, after=after, most=_ERASED_AT_ONCE)
            erased += taken
        return erased

    def _oldest(self) -> list[Place]:
        """Of each shard the place in front of the oldest notice that is kept."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.xrange(shard.notices, count=1)
                pipeline.hget(shard.notices_kept, "count")
            found = pipeline.execute()
        return [
            _in_front_of(entries[0]) if entries else Place(0, int(count or 0))
            for entries, count in zip(found[::2], found[1::2], strict=True)
        ]

    def _ranges(self, starts: Sequence[tuple[int, Place]], count: int) -> list[list[Any]]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard, place in starts:
                pipeline.xrange(self._keys.shards[shard].notices, min=f"({place}", count=count)
            answers: list[list[Any]] = pipeline.execute()
        return answers

    def _gone(self, shard: int, place: Place, entries: Sequence[Any]) -> int:
        """How many there were between a place and the last of what was found behind it, and are gone."""
        last = place.number
        if not last:
            # It was there before the first notice of the shard.
            begun: Any = self._redis.hget(self._keys.shards[shard].notices_kept, "begun")
            last = int(begun or Place.of(entries[0][0]).number) - 1
        # A store that was set back counts again what it had counted.
        return max(0, Place.of(entries[-1][0]).number - last - len(entries))


def _last(entries: list[Any] | None, place: Place) -> Place:
    return Place.of(entries[-1][0]) if entries else place


def _in_front_of(entry: Any) -> Place:
    return Place(0, Place.of(entry[0]).number - 1)


def _notice(shard: int, entry: Any) -> Notice:
    place, fields = entry
    word, sequence, kind, cause, asks, sends, accepted_at, event_id, joined, name = fields["n"].split("\n", 9)
    at, (persona, target) = Place.of(place).at, Conversation.of_name(name)
    subject, _, what = word.partition(".")
    fate = what if what in FATES else "dead" if what == "discarded" else ""
    is_event = subject == "event"
    return Notice(
        id=f"{shard:02d}-{place}",
        at=at,
        type=f"parley.{word}",
        persona=persona,
        target=target,
        sequence=int(sequence),
        cause=_cause(cause) if is_event else cause,
        event_id=event_id,
        kind=kind if kind in KINDS else "",
        fate=fate if is_event else "",
        asked=int(asks or 0),
        sent=int(sends or 0),
        accepted_at=int(accepted_at or 0),
        ended_at=at if is_event and fate else 0,
        joined=joined,
    )


def _cause(reason: str) -> str:
    read = reasons.read(reason)
    return "" if read is None else Cause(read.cause).value
