"""What an endpoint gets next: the notices that were read and are not done, in the order of each conversation. Pure.

A notice that fails holds up its own conversation only. When those of several conversations fail and none succeeds, the
endpoint itself is down: then one call at a time tries it, after pauses that grow.
"""

from __future__ import annotations

import random
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from worker.store.endpoints import before, milliseconds
from worker.web.push.backoff import GIVE_UP_SECONDS, pause_seconds

# Notices of one shard that are read ahead: a failing one holds up none of the others among them.
MOST_OF_A_SHARD = 256

# So many conversations without a success between them are no fault of a single notice.
_DOWN_AFTER = 3

N = TypeVar("N")


@dataclass(slots=True, eq=False)
class Item(Generic[N]):
    """One notice. ``place``: of its stream. ``at``: its id there. ``owner``: its conversation. ``notice``: None for one
    that the endpoint does not want. ``read_ms``, ``began_ms``: when it was read, and when it was last sent."""

    place: int
    at: str
    owner: str
    notice: N | None
    read_ms: int = 0
    began_ms: int = 0
    is_done: bool = False


@dataclass(slots=True)
class Failing:
    """A conversation whose first notice fails. Times are milliseconds; ``since``: of the first failure."""

    since: int
    at: tuple[int, str]
    failures: int = 0
    due: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """How an endpoint fails, as the store keeps it for the next process. Times are milliseconds, 0 = it does not fail.

    ``since``: the first failure of the notice that has failed for the longest time; ``at``: where that one is.
    ``tries``: calls in a row to an endpoint that is down. ``until``: no call before.
    """

    since: int = 0
    at: tuple[int, str] = (0, "")
    tries: int = 0
    until: int = 0


class Line(Generic[N]):
    """All that was read for one endpoint. ``positions``: up to where each stream is done. ``trouble``: as the last
    process left it. Methods take ``now`` in milliseconds of the store's clock."""

    def __init__(self, positions: list[str], trouble: Trouble, jitter: random.Random) -> None:
        self.positions = positions
        self.read_to = list(positions)
        self._jitter = jitter
        self._streams: list[deque[Item[N]]] = [deque() for _ in positions]
        self._waiting: dict[str, deque[Item[N]]] = {}
        # Conversations that may be called for, the one that has waited longest first.
        self._ready: OrderedDict[str, None] = OrderedDict()
        self._failing: dict[str, Failing] = {}
        self._running: set[str] = set()
        self._unheard: set[str] = set()
        self._known = trouble
        self._is_down = trouble.tries > 0
        self._tries, self._until = trouble.tries, trouble.until

    def has_room(self, place: int) -> bool:
        """Whether more of a stream may be read."""
        return len(self._streams[place]) < MOST_OF_A_SHARD

    def add(self, place: int, items: Sequence[Item[N]], read_to: str, has_lost: bool = False) -> None:
        """Take what was read of a stream. ``read_to``: where to read on. ``has_lost``: what came before is gone, and
        has been counted."""
        if has_lost and items and not self._streams[place]:
            self.positions[place] = before(items[0].at)
        for item in items:
            self._streams[place].append(item)
            if item.notice is None:
                item.is_done = True
                continue
            self._waiting.setdefault(item.owner, deque()).append(item)
            if (place, item.at) == self._known.at and item.owner not in self._failing:
                self._failing[item.owner] = Failing(self._known.since, self._known.at, due=self._until)
            elif item.owner not in self._running and item.owner not in self._failing:
                self._ready[item.owner] = None
        self.read_to[place] = read_to
        self._move(place)

    def next(self, now: int) -> Item[N] | None:
        """The notice to send now, None = there is none yet. It runs until ``done`` or ``failed`` is told."""
        if now < self._until or (self._is_down and self._running):
            return None
        owner = self._next_owner(now)
        if owner is None:
            return None
        self._ready.pop(owner, None)
        self._running.add(owner)
        item = self._waiting[owner][0]
        item.began_ms = now
        return item

    def done(self, item: Item[N], now: int, *, was_called: bool = True) -> None:
        """The receiver has it, or refuses it for good. ``was_called`` False: it is gone, and was not sent."""
        self._running.discard(item.owner)
        self._failing.pop(item.owner, None)
        if was_called:
            self._unheard.clear()
            if item.began_ms >= self._until:
                self._come_back(now)
        waiting = self._waiting[item.owner]
        waiting.popleft()
        if waiting:
            self._ready[item.owner] = None
        else:
            del self._waiting[item.owner]
        item.is_done = True
        self._move(item.place)

    def failed(self, item: Item[N], now: int, retry_after: float | None = None) -> bool:
        """The receiver may not have it: it is sent again. Returns whether the endpoint has to be given up."""
        self._running.discard(item.owner)
        failing = self._failing.setdefault(item.owner, Failing(now, (item.place, item.at)))
        failing.failures += 1
        failing.due = now + self._pause_ms(failing.failures, retry_after)
        if retry_after is not None:
            # It speaks for the receiver as a whole.
            self._until = max(self._until, failing.due)
        self._unheard.add(item.owner)
        self._is_down = self._is_down or len(self._unheard) >= _DOWN_AFTER
        # A call that began before the pause says nothing new.
        if self._is_down and item.began_ms >= self._until:
            self._tries += 1
            self._until = now + self._pause_ms(self._tries, None)
        return now - self.trouble.since >= GIVE_UP_SECONDS * 1000

    @property
    def trouble(self) -> Trouble:
        """How the endpoint fails at this moment."""
        first = min(self._failing.values(), key=lambda each: each.since, default=None)
        if first is None:
            return Trouble(0, (0, ""), self._tries, self._until)
        return Trouble(first.since, first.at, self._tries, self._until)

    @property
    def running(self) -> int:
        """Calls under way."""
        return len(self._running)

    @property
    def oldest(self) -> str:
        """The id, in its stream, of the oldest notice that is not done; '' = all are."""
        heads = [stream[0].at for stream in self._streams if stream]
        return min(heads, key=milliseconds, default="")

    def wait_ms(self, now: int, longest: int) -> int:
        """How long nothing can be sent unless a call ends or something new is read, at most ``longest``."""
        due = list(self._dues())
        return max(0, min([longest, *(at - now for at in due)]))

    def _dues(self) -> Iterator[int]:
        if self._is_down and self._running:
            return
        if self._ready or (self._is_down and self._failing):
            yield self._until
        for owner, failing in self._failing.items():
            if owner not in self._running:
                yield max(failing.due, self._until)

    def _next_owner(self, now: int) -> str | None:
        idle = [(each.due, owner) for owner, each in self._failing.items() if owner not in self._running]
        due, owner = min(idle, default=(0, None))
        if self._is_down:
            # One that has not failed yet tells more of the endpoint.
            return next(iter(self._ready), owner)
        return owner if owner is not None and due <= now else next(iter(self._ready), None)

    def _come_back(self, now: int) -> None:
        if self._is_down:
            for failing in self._failing.values():
                failing.due = min(failing.due, now)
        self._is_down, self._tries, self._until = False, 0, 0

    def _move(self, place: int) -> None:
        stream = self._streams[place]
        while stream and stream[0].is_done:
            self.positions[place] = stream.popleft().at
        if not stream:
            self.positions[place] = self.read_to[place]

    def _pause_ms(self, failures: int, retry_after: float | None) -> int:
        return round(pause_seconds(failures, retry_after, self._jitter) * 1000)
