"""What the broker's queues hold, and which of them no worker reads. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from redis import Redis

from config.celery import ACCEPT, NO_QUEUE, OUTREACH, SCHEDULE, TURNS
from worker.store.queues.accept_queue import MISSING, OTHERS, PASSED_OVER
from worker.store.queues.broker import Broker, BrokerAway
from worker.store.queues.celery_messages import is_event
from worker.store.queues.queue_lists import CONSUMED, EVENTS, SHARED, shown
from worker.store.redis.connection import StoreError

# In one look, whatever else is stored; the server serves others after each part.
LOOK_SECONDS = 0.5
_KEYS_AT_ONCE = 2000
# Of a shared queue so many are read; behind them all are taken to be alike.
_READ_AT_MOST = 100
_NAMED_AT_MOST = 100
_OWN_KEYS = "parley:"
# Lists of kombu that end by themselves.
_OF_KOMBU = (".pidbox", "unacked")


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """Messages by queue. ``waiting``: in the queues that workers read; empty when that cannot be seen. ``unread``: in
    all others, and what is no event in those that are shared. ``complete``: whether all others could be looked at."""

    waiting: dict[str, int] = field(default_factory=dict)
    unread: dict[str, int] = field(default_factory=dict)
    complete: bool = False


class QueueLook(Protocol):
    """Looks into the queues of one kind of broker."""

    def look(self, seconds: float = LOOK_SECONDS) -> QueueFigures:
        """What lies there now; looks for other queues at most for so long. Raises ``StoreError`` when the broker is the
        store, else what cannot be seen is left out."""
        ...


class ListLook:
    """The queues are lists of a Redis server. ``is_store``: that server is the store. Others than ours are found by a
    walk over the names of all keys, which goes on where the last one stopped."""

    def __init__(self, redis: Redis, *, is_store: bool) -> None:
        self._redis = redis
        self._is_store = is_store
        self._cursor = 0
        self._found: set[str] = set()
        self._walked = False

    def look(self, seconds: float = LOOK_SECONDS) -> QueueFigures:
        """What lies there now."""
        try:
            return self._look(seconds)
        except StoreError:
            if self._is_store:
                raise
            return QueueFigures()

    def _look(self, seconds: float) -> QueueFigures:
        waiting = dict(zip(CONSUMED, self._lengths(CONSUMED), strict=True))
        waiting[ACCEPT] = sum(self._lengths(EVENTS))
        unread = {}
        for name, length in zip(SHARED, self._lengths(SHARED), strict=True):
            others = self._others(name, length) if length else 0
            waiting[ACCEPT] += length - others
            unread[name] = others
        self._walk(seconds)
        names = sorted(self._found)[:_NAMED_AT_MOST]
        unread |= dict(zip(names, self._lengths(names), strict=True))
        self._found -= {name for name in names if not unread[name]}
        return QueueFigures(waiting, {shown(name): count for name, count in unread.items() if count}, self._walked)

    def _lengths(self, names: Iterable[str]) -> list[int]:
        with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.llen(name)
            answers = pipeline.execute(raise_on_error=False)
        return [_number(answer) for answer in answers]

    def _others(self, name: str, length: int) -> int:
        oldest: list[str] = self._redis.lrange(name, -_READ_AT_MOST, -1)  # type: ignore[assignment]
        others = sum(not is_event(message) for message in oldest)
        return length if others == _READ_AT_MOST else others

    def _walk(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        # A user with few rights may not: then only queues of known names are seen.
        with suppress(StoreError):
            while True:
                answer: Any = self._redis.scan(self._cursor, count=_KEYS_AT_ONCE, _type="list")
                self._cursor, names = int(answer[0]), answer[1]
                self._found.update(name for name in names if _may_be_unread(name) and self._is_queue(name))
                if not self._cursor:
                    self._walked = True
                    return
                if time.monotonic() >= until:
                    return

    def _is_queue(self, name: str) -> bool:
        with suppress(StoreError):
            message: Any = self._redis.lindex(name, -1)
            # Of what else lies in this database nothing is said.
            return bool(message) and message.startswith("{") and '"properties"' in message and '"body"' in message
        return False


def _number(answer: Any) -> int:
    # No right to look, or no list.
    return 0 if isinstance(answer, Exception) else int(answer)


def _may_be_unread(name: str) -> bool:
    known = (*CONSUMED, *EVENTS, *SHARED)
    return not name.startswith(_OWN_KEYS) and name not in known and not any(part in name for part in _OF_KOMBU)


class BrokerLook:
    """The queues are those of another broker, which does not list its queues: only known names are looked at.

    ``redis``: the store, where the reader of events says what it has found.
    """

    def __init__(self, redis: Redis, broker: Broker) -> None:
        self._redis = redis
        self._broker = broker

    def look(self, seconds: float = LOOK_SECONDS) -> QueueFigures:
        """What lies there now."""
        waiting, unread = {}, {}
        found = self._redis.get(PASSED_OVER)
        try:
            for queue in (TURNS, OUTREACH, SCHEDULE, ACCEPT):
                waiting[queue] = self._broker.waiting(queue)
            depth = None if found == MISSING else self._broker.depth(NO_QUEUE)
        except BrokerAway:
            return QueueFigures()
        if depth is not None and depth.messages and not depth.consumers:
            # Until a reader has found otherwise they are events.
            if found == OTHERS:
                unread[NO_QUEUE] = depth.messages
            else:
                waiting[ACCEPT] += depth.messages
        return QueueFigures(waiting, unread)
