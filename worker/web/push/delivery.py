"""Sends notices to one endpoint for as long as this process has the right to: reads, sends, stores how far it is.

The position of a notice is stored when the receiver has answered, so after a crash some come a second time, and none is
left out. One thread has all of this; the calls are made by threads of their own.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Generic, Protocol, TypeVar

from worker.adapters.notice_calls import Called
from worker.store import StoreError
from worker.store.endpoints import GAVE_UP, LEASE_MS, START, Endpoints, EndpointState, Held, Progress, Refusal
from worker.web.push.line import Item, Line, Trouble
from worker.web.push.reports import Reports

READ_SECONDS = 0.25
_RENEW_SECONDS = 1.0
_READ_AT_ONCE = 64
# A call begins only while the right holds for so much longer.
_SPARE_SECONDS = 1.0
# What was read longer ago may be erased since, with the lead that it names.
_FRESH_MS = 2000
# What the time of a call makes of two readings of the clock is no step of it.
_STEP_MS = 1000

N = TypeVar("N")


@dataclass(frozen=True, slots=True)
class Read(Generic[N]):
    """A part of a stream. ``items``: id, conversation and notice of each; the notice is None for one that the endpoint
    does not want. ``read_to``: where to read on. ``lost``: how many were dropped before they were read. ``is_all``:
    there are no more."""

    items: list[tuple[str, str, N | None]]
    read_to: str
    lost: int
    is_all: bool


class Stream(Protocol[N]):
    """The notices of all shards, as an endpoint wants them."""

    @property
    def shards(self) -> int:
        """How many there are."""
        ...

    def read(self, place: int, after: str, most: int) -> Read[N]:
        """What comes after a position."""
        ...

    def told(self, notice: N) -> tuple[str, str]:
        """Id and type of a notice."""
        ...


class Moved(Exception):
    """The right has gone, the endpoint is paused, or an operator has moved it: what was read is of no use."""


class Delivery(Generic[N]):
    """One endpoint, from taking the right until ``Moved``. ``call``: posts a notice; it blocks, and raises nothing.
    ``from_now_on``: where an endpoint begins that is new."""

    def __init__(
        self,
        name: str,
        holder: str,
        held: Held,
        endpoints: Endpoints,
        stream: Stream[N],
        call: Callable[[N], Called],
        at_once: int,
        reports: Reports,
        jitter: Random | None = None,
        *,
        from_now_on: bool = False,
    ) -> None:
        self._name = name
        self._holder = holder
        self._endpoints = endpoints
        self._stream = stream
        self._call = call
        self._at_once = at_once
        self._reports = reports
        # By how much the time of this delivery is ahead of the store's clock: it goes on when that steps back.
        self._ahead_ms = 0
        self._took(held, time.monotonic())
        state = endpoints.state(name)
        first = [] if all(state.positions) else endpoints.ends() if from_now_on else endpoints.beginnings()
        positions = [at or first[place] for place, at in enumerate(state.positions)]
        self._line: Line[N] = Line(positions, _trouble_of(state, held.now), jitter or Random())
        self._stored = list(state.positions)
        self._stored_trouble = self._line.trouble
        self._progress = Progress()
        self._writing: tuple[str, Progress] | None = None
        self._has_more = set(range(stream.shards))
        self._read_at = 0.0
        self._ended: queue.SimpleQueue[tuple[Item[N], Called]] = queue.SimpleQueue()
        self._is_given_up = False

    def step(self) -> None:
        """Do what can be done now, or wait for a moment until there is something. Raises ``Moved``, ``StoreError``."""
        self._renew()
        self._take_ended()
        if not self._is_given_up:
            # Before the store is asked: the next call and that take their time together.
            self._start()
        self._keep()
        if self._is_given_up:
            raise Moved
        self._read()
        self._start()
        self._wait()

    def end(self, seconds: float) -> None:
        """Wait for the calls under way, at most so long, and store what became of them. The right is given back."""
        until = time.monotonic() + seconds
        while self._line.running and time.monotonic() < until:
            with suppress(queue.Empty):
                self._note(*self._ended.get(timeout=max(0.0, until - time.monotonic())))
        with suppress(StoreError, Moved):
            self._keep()
            self._endpoints.give_back(self._name, self._held)

    def _took(self, held: Held, asked_at: float) -> None:
        self._held = held
        self._holds_until = asked_at + LEASE_MS / 1000
        self._renew_at = asked_at + _RENEW_SECONDS
        self._heard_at = time.monotonic()

    def _now(self) -> int:
        return self._held.now + self._ahead_ms + round((time.monotonic() - self._heard_at) * 1000)

    def _renew(self) -> None:
        asked_at = time.monotonic()
        if asked_at < self._renew_at:
            return
        held, own = self._endpoints.take(self._name, self._holder), self._held
        if held is None or held.is_paused or (held.fence, held.revision) != (own.fence, own.revision):
            raise Moved
        expected = self._now()
        self._took(held, asked_at)
        if expected - self._now() > _STEP_MS:
            self._ahead_ms += expected - self._now()

    def _take_ended(self) -> None:
        with suppress(queue.Empty):
            while True:
                self._note(*self._ended.get_nowait())

    def _note(self, item: Item[N], called: Called) -> None:
        now, progress = self._now(), self._progress
        if called.ending == "failed":
            progress.failed += 1
            progress.fields |= {"last_failed_at": self._stored_ms(now), "last_failure": called.said}
            gives_up = self._line.failed(item, now, called.retry_after)
            self._reports.failed(called.said, self._line.trouble, now)
            if gives_up and not self._is_given_up:
                self._give_up(now, called.said)
            return
        self._line.done(item, now)
        if called.ending == "sent":
            progress.sent += 1
            progress.fields["last_sent_at"] = self._stored_ms(now)
        else:
            assert item.notice is not None  # noqa: S101 - it was sent
            progress.dropped += 1
            progress.refusals.append(Refusal(now - self._ahead_ms, *self._stream.told(item.notice), called.status))
            self._reports.dropped(called.said)
        self._reports.answered(self._line.trouble)

    def _give_up(self, now: int, said: str) -> None:
        self._is_given_up = True
        self._progress.fields |= {"paused": GAVE_UP, "paused_at": self._stored_ms(now), "paused_by": ""}
        self._reports.gave_up(said)

    def _keep(self) -> None:
        while self._writing is not None or self._has_news():
            if self._writing is None:
                self._writing = uuid.uuid4().hex, self._news()
            call, progress = self._writing
            # Again under the same name when its answer was lost, so that it counts once.
            if not self._endpoints.keep(self._name, self._held, progress, call):
                raise Moved
            self._writing = None

    def _has_news(self) -> bool:
        return (
            self._progress != Progress()
            or self._line.positions != self._stored
            or self._line.trouble != self._stored_trouble
        )

    def _news(self) -> Progress:
        news, self._progress = self._progress, Progress()
        pairs = zip(self._line.positions, self._stored, strict=True)
        news.positions = {place: at for place, (at, stored) in enumerate(pairs) if at != stored}
        self._stored = list(self._line.positions)
        if self._line.trouble != self._stored_trouble:
            self._stored_trouble = self._line.trouble
            news.fields |= self._fields_of(self._stored_trouble)
        return news

    def _read(self) -> None:
        is_due = time.monotonic() >= self._read_at
        places = range(self._stream.shards) if is_due else sorted(self._has_more)
        if is_due:
            self._read_at = time.monotonic() + READ_SECONDS
        for place in places:
            if self._line.has_room(place):
                self._read_one(place)

    def _read_one(self, place: int) -> None:
        now, after = self._now(), self._line.read_to[place]
        found = self._stream.read(place, after, _READ_AT_ONCE)
        if found.lost:
            self._progress.lost += found.lost
            self._reports.lost(found.lost)
        items = [Item(place, at, owner, notice, now) for at, owner, notice in found.items]
        self._line.add(place, items, found.read_to, has_lost=found.lost > 0 or after == START)
        (self._has_more.discard if found.is_all else self._has_more.add)(place)

    def _start(self) -> None:
        while self._line.running < self._at_once and time.monotonic() < self._holds_until - _SPARE_SECONDS:
            item = self._line.next(self._now())
            if item is None:
                return
            if self._now() - item.read_ms > _FRESH_MS and not self._endpoints.is_kept(item.place, item.at):
                self._line.done(item, self._now(), was_called=False)
                self._progress.lost += 1
                continue
            # A thread that hangs in a call must not keep the process from ending.
            threading.Thread(target=self._make, args=(item,), name=f"parley-notice-{self._name}", daemon=True).start()

    def _make(self, item: Item[N]) -> None:
        assert item.notice is not None  # noqa: S101 - what is not wanted is not sent
        try:
            called = self._call(item.notice)
        except Exception as error:
            self._reports.unexpected(error)
            called = Called("failed", "internal_error")
        self._ended.put((item, called))

    def _stored_ms(self, at: int) -> str:
        return str(at - self._ahead_ms) if at else ""

    def _fields_of(self, trouble: Trouble) -> dict[str, str]:
        place, at = trouble.at
        return {
            "since": self._stored_ms(trouble.since),
            "since_at": f"{place} {at}" if at else "",
            "tries": str(trouble.tries or ""),
            "not_before": self._stored_ms(trouble.until),
        }

    def _wait(self) -> None:
        if any(self._line.has_room(place) for place in self._has_more):
            return
        is_full = self._line.running >= self._at_once
        longest = round(READ_SECONDS * 1000)
        wait_ms = longest if is_full else self._line.wait_ms(self._now(), longest)
        with suppress(queue.Empty):
            self._note(*self._ended.get(timeout=max(wait_ms, 1) / 1000))


def _trouble_of(state: EndpointState, now: int) -> Trouble:
    place, _, at = state.failing_at.partition(" ")
    where = (int(place), at) if at else (0, "")
    # The clock may have stepped back since the last failure.
    back = max(0, state.last_failed_at - now)
    return Trouble(max(0, state.failing_since - back), where, state.tries, max(0, state.not_before - back))
