"""What must never change while anything is stored, kept beside it: the number of shards.

A conversation's keys carry its shard, so with another number the same conversation is looked for elsewhere: it has two
inboxes and two leases, and what was accepted before is never found.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import NoPermissionError, ResponseError

from config.secret_files import SettingsError
from worker.store.keys import MOST_SHARDS, Shard, shard_of
from worker.store.redis.cluster import LateCluster
from worker.store.redis.failures import is_own_fault

KEY = "parley:layout"
_SHARDS = "shards"

# To tell from what is stored: names of so many conversations of each index, and so many steps through the keys.
_NAMES = 20
_SCANS = 10
_SCANNED_AT_ONCE = 1000


class WrongLayout(SettingsError):
    """The store was made with another number of shards than these settings have: nothing may be done with it."""


@dataclass(frozen=True, slots=True)
class Layout:
    """``made_with``: the number of shards of the store; None = not told by what it holds, but not ``wanted``.
    ``wanted``: that of the settings."""

    made_with: int | None
    wanted: int

    @property
    def agrees(self) -> bool:
        """Whether these settings may work with the store."""
        return self.made_with == self.wanted

    @property
    def fault(self) -> str:
        """What is wrong and what it would do, as a sentence; '' = nothing."""
        if self.agrees:
            return ""
        made_with = "another number of shards" if self.made_with is None else f"{self.made_with} shards"
        return (
            f"the store was made with {made_with}, PARLEY_AGENDA__SHARDS is {self.wanted}: conversations would be "
            "looked for in the wrong place, so nothing is accepted and no turn begins"
        )

    @property
    def remedy(self) -> str:
        """What to do about it."""
        number = "the number that was set before" if self.made_with is None else str(self.made_with)
        return f"set PARLEY_AGENDA__SHARDS to {number} in all processes; another number needs an empty store"


class LayoutGuard:
    """Sees to it that these settings fit the store, once for each process."""

    def __init__(self, redis: Redis, shards: int) -> None:
        self._redis = redis
        self._wanted = shards
        self._agreed = False

    def ensure(self) -> None:
        """Raises ``WrongLayout`` when the store was made with another number of shards, ``redis.RedisError`` when it
        cannot be asked. The first call that finds them agree is the last one that asks the store."""
        if not self._agreed:
            _refuse_unless_it_agrees(self.look())
            self._agreed = True

    def ensure_as_written(self) -> None:
        """The same for a command that only looks: it goes by what a process has written down, and writes nothing."""
        stored = self._stored()
        if stored is not None:
            _refuse_unless_it_agrees(Layout(stored, self._wanted))

    def look(self) -> Layout:
        """What the store was made with. The first one that uses an empty store writes that down, and so does the first
        one that uses a store of 0.1.0, if what it holds agrees. Raises ``redis.RedisError``."""
        stored = self._stored()
        if stored is None:
            fitting = self._fitting()
            if self._wanted not in fitting:
                return Layout(fitting[0] if len(fitting) == 1 else None, self._wanted)
            with suppress(ResponseError):
                # A full store refuses it. What it holds agrees, and it must be possible to empty it.
                self._redis.hsetnx(KEY, _SHARDS, str(self._wanted))
            # Another process may have been first, with another number.
            stored = self._stored()
        return Layout(stored or self._wanted, self._wanted)

    def _stored(self) -> int | None:
        stored: str | None = self._redis.hget(KEY, _SHARDS)  # type: ignore[assignment]
        return None if stored is None else int(stored)

    def _fitting(self) -> list[int]:
        """All numbers of shards with which what is stored would be where it is."""
        samples = list(self._samples())
        least = max((shard + 1 for shard, _ in samples), default=1)
        return [
            number
            for number in range(least, MOST_SHARDS + 1)
            if all(not name or shard_of(name, number) == shard for shard, name in samples)
        ]

    def _samples(self) -> Iterator[tuple[int, str]]:
        """Numbers of shards that hold anything, each with the name of a conversation in it, '' = only a counter."""
        shards = [Shard.numbered(number) for number in range(MOST_SHARDS)]
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in shards:
                pipeline.exists(shard.books)
                for index in (shard.agenda, shard.follow_ups, shard.dead):
                    pipeline.zrange(index, 0, _NAMES - 1)
                for index in (shard.sealed, shard.taken_over):
                    pipeline.hscan(index, count=_NAMES)
            found = pipeline.execute(raise_on_error=False)
        # What is of another type than it should be tells nothing here; the part that uses it says so.
        nothing: tuple[Any, ...] = (0, [], [], [], (0, {}), (0, {}))
        _raise_unless_own(found)
        answers: Iterator[Any] = iter(
            nothing[place % len(nothing)] if isinstance(answer, ResponseError) else answer
            for place, answer in enumerate(found)
        )
        for number in range(MOST_SHARDS):
            if next(answers):
                yield number, ""
            for _ in range(2):
                yield from ((number, name) for name in next(answers))
            # "<event id> <conversation>"
            yield from ((number, letter.partition(" ")[2]) for letter in next(answers))
            for _ in range(2):
                yield from ((number, name) for name in next(answers)[1])
        # Conversations in which nothing waits are in no index.
        with suppress(NoPermissionError):
            yield from self._scanned()

    def _scanned(self) -> Iterator[tuple[int, str]]:
        if isinstance(self._redis, LateCluster):
            return
        cursor: Any = 0
        for _ in range(_SCANS):
            answer: Any = self._redis.scan(cursor, match="parley:{*}:conversation:*", count=_SCANNED_AT_ONCE)
            cursor, keys = answer
            for key in keys:
                tag, _, name = str(key).removeprefix("parley:{").partition("}:conversation:")
                yield int(tag), name
            if not cursor:
                return


def _refuse_unless_it_agrees(layout: Layout) -> None:
    if not layout.agrees:
        raise WrongLayout(f"{layout.fault}; to do: {layout.remedy}")


def _raise_unless_own(answers: list[Any]) -> None:
    for answer in answers:
        if isinstance(answer, Exception) and not (isinstance(answer, ResponseError) and is_own_fault(answer)):
            raise answer
