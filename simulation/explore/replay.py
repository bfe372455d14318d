"""Runs a real turn up to its next call to the outside, from what all earlier calls answered.

A turn keeps nothing but what it was answered. So what it has come to is a value: the answers so far. Running it again
with them leads to the same call, and a search can go back to any state of a worker as it goes back to one of the store.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from simulation.explore.client import Command, ExploredRedis, Words
from worker.domain.answer import Answer
from worker.domain.events import ChannelContext, StoredEvent
from worker.domain.failures import CallFailed
from worker.domain.reply import Reply
from worker.store.conversations.leases import Lease, LeaseKeeper
from worker.store.conversations.turn_steps import Grant


class Suspended(BaseException):
    """The turn has come to a call that is not answered yet. No part of the product catches it."""


class Ask(NamedTuple):
    """A call of the persona about these events."""

    events: tuple[str, ...]
    kind: str


class Send(NamedTuple):
    """A delivery. ``key``: its idempotency key. ``text``: all bubbles of it, '' = only an action."""

    key: str
    text: str
    session: str


Request = Command | Ask | Send


class Answered(NamedTuple):
    """What a call was answered: an exception is raised. ``at``: when the turn came to it, in milliseconds as time
    passes for its process; ``renewals``: how many had come back by then."""

    answer: Any
    at: int
    renewals: int = 0


class Renewed(NamedTuple):
    """A renewal of the lease came back between two calls."""

    lost: bool
    at: int


Item = Answered | Renewed


class Came(NamedTuple):
    """How far a turn has come. ``request``: the call that it makes next; None = it is over, as ``told`` says.
    ``looked``: what it has read meanwhile. ``valid_until``: of the lease, as the process sees it."""

    request: Request | None
    looked: tuple[Item, ...]
    valid_until: int
    lost: bool
    told: str = ""


class LeaseOfTurn(Lease):
    """The lease of a turn that runs again. Time is what its answers say."""

    def __init__(self, keeper: LeaseKeeper, grant: Grant, begun_at: int, ttl_ms: int) -> None:
        super().__init__(keeper, grant, 0.0)
        self._began, self.at, self._ttl_ms = begun_at, begun_at, ttl_ms
        self.valid_until_ms = begun_at + ttl_ms
        self.called_at = begun_at

    def held(self) -> bool:
        """As the product has it."""
        return not self.lost and self.at < self.valid_until_ms

    def now(self) -> int:
        """As the product has it."""
        return self.grant.now + self.at - self._began

    def renewed(self, asked_at: float) -> None:
        """The last step has renewed it: it counts from when that was called."""
        self.renewed_at(self.called_at)

    def renewed_at(self, at: int) -> None:
        """A step that was made at this time has renewed it."""
        self.valid_until_ms = max(self.valid_until_ms, at + self._ttl_ms)


class Replay:
    """Answers a turn's calls from what is known, and stops it at the first other one."""

    def __init__(self, redis: ExploredRedis, lease: LeaseOfTurn, history: Sequence[Item], now: int) -> None:
        self._redis = redis
        self._lease = lease
        self._left = [item for item in reversed(history) if isinstance(item, Answered)]
        self._renewals = [item for item in history if isinstance(item, Renewed)]
        self._applied = 0
        self._now = now
        self.request: Request | None = None
        self.looked: list[Item] = []
        self._pass()

    def command(self, words: Words, options: dict[str, Any]) -> Any:
        """Stands in the place of the store's client."""
        if words[0] == "EVALSHA":
            return self._call(lambda: self._redis.known(words))
        if words[0] == "EVAL":
            return self._call(lambda: self._redis.loaded(words))
        if self._left:
            return self._next()
        if self.request is not None:
            raise Suspended
        # What only reads, or notes something beside the turn, is no step of its own.
        answer = self._redis.perform(words, options)
        self.looked.append(Answered(answer, self._now, self._applied))
        return answer

    def call(self, request: Request) -> Any:
        """A call to one of the upstreams."""
        return self._call(lambda: request)

    def _call(self, made: Any) -> Any:
        if self._left:
            return self._next()
        if self.request is None:
            self.request = made()
        raise Suspended

    def _next(self) -> Any:
        item = self._left.pop()
        self._lease.called_at = item.at
        self._pass()
        if isinstance(item.answer, Exception):
            raise item.answer
        return item.answer

    def _pass(self) -> None:
        # Up to its next call the turn runs at the time of that call, and knows what its process knew then.
        known = self._left[-1].renewals if self._left else len(self._renewals)
        for renewal in self._renewals[self._applied : known]:
            if renewal.lost:
                self._lease.lost = True
            else:
                self._lease.renewed_at(renewal.at)
        self._applied = max(self._applied, known)
        self._lease.at = self._left[-1].at if self._left else self._now


class Persona:
    """The persona of all turns: what it answers is asked of ``replay``."""

    replay: Replay | None = None

    def ask(self, group: tuple[StoredEvent, ...], image_url: str | None) -> Answer:
        """One call."""
        assert self.replay is not None, "a turn runs"
        answer: Answer = self.replay.call(Ask(tuple(event.event_id for event in group), group[0].kind))
        return answer

    def host(self, target: str, image: bytes, filename: str) -> str:
        """No lead sends an image that has to be hosted."""
        raise CallFailed("no lead of an exploration sends an image")

    def try_out(self) -> None:
        """No gate is tried."""

    def echo_of(self, group: tuple[StoredEvent, ...]) -> str:
        """It answers the same words again."""
        return ""


class Channel:
    """The channel of all turns, likewise."""

    replay: Replay | None = None

    def message_of(self, context: ChannelContext, reply: Reply, sent: int) -> dict[str, Any]:
        """What is sent, as the logs need it."""
        bubbles = reply.bubbles[sent : sent + 1] if reply.pauses else reply.bubbles
        return {"to": context.session_id, "text": " ".join(bubbles)}

    def send(self, message: dict[str, Any], idempotency_key: str) -> None:
        """One delivery."""
        assert self.replay is not None, "a turn runs"
        self.replay.call(Send(idempotency_key, message["text"], message["to"]))

    def reachable(self) -> bool:
        """Always."""
        return True


class Still(random.Random):
    """Chance that always says the same: a run is repeated by its choices alone."""

    def random(self) -> float:
        """Always the lower end."""
        return 0.0


Outcome = Literal["acts", "acts, answer lost", "answer lost, not acted", "unavailable", "refuses", "seals"]
