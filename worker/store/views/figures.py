"""Measures the store for metrics, checks and status: bounded work, however much is stored."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from redis import Redis

from worker.domain.vocabulary import FATES
from worker.store.conversations.consents import ALL_PERSONAS
from worker.store.endpoints import Endpoints
from worker.store.heartbeats import Processes, Served
from worker.store.keys import Keys
from worker.store.notices import NoticeFigures
from worker.store.personas.apis import KEY as APIS
from worker.store.queues.queue_figures import LOOK_SECONDS, QueueLook
from worker.store.redis import writes
from worker.store.redis.connection import clock_ms
from worker.store.redis.scripts import Scripts
from worker.store.redis.troubles import Trouble
from worker.store.redis.writes import Memory

# Looking at one conversation costs the server about 8 microseconds, and it does nothing else meanwhile: 4 ms.
LOOK_AT_MOST = 500

# All personas that are not configured. Refused events can name any, and no sender may make new labels.
OTHER = "other"

# What their conversations wait for.
UNCONFIGURED = "unconfigured"

# A gate, and the field that says that it is closed.
_GATE_FIELDS = {
    "paused": "paused",
    "quarantined": "quarantined",
    "hold": "hold_until",
    "outreach": "outreach",
    "circuit": "circuit_until",
    "credits": "credits_until",
}
GATES = tuple(_GATE_FIELDS)


@dataclass(slots=True)
class Waiting:
    """What waits for one reason (``lua/measure.lua``). ``oldest_seconds``: age of the oldest event that is first in its
    conversation; ``held_for``: why that one is held, as the store keeps it, '' = it is not."""

    conversations: int = 0
    events: int = 0
    oldest_seconds: float = 0.0
    held_for: str = ""

    def add(self, more: Waiting) -> None:
        """Count ``more`` in."""
        self.conversations += more.conversations
        self.events += more.events
        if more.oldest_seconds >= self.oldest_seconds:
            self.oldest_seconds, self.held_for = more.oldest_seconds, more.held_for


@dataclass(frozen=True, slots=True)
class EndpointFigures:
    """An endpoint that notices are pushed to: how many it got, refused for good, lost before they were sent; how many
    calls failed. ``late_seconds``: age of the oldest that it has not got, 0 = none."""

    sent: int
    refused: int
    lost: int
    failed: int
    late_seconds: float
    is_paused: bool


@dataclass(slots=True)
class Figures:
    """The store at one moment, give or take the second that measuring takes.

    ``counters``: by persona (a configured one or ``other``) and by word (``accepted`` and the fates). ``waiting``: by
    persona and reason; when ``sampled``, more waited than may be looked at: these are estimates from a sample drawn by
    lot, and no age is too high. ``..._lag_seconds``, ``..._lateness_seconds``: how long ago the first of them was due;
    0 when none is.
    ``unconfigured``: what waits for personas that are not configured, by their names: only accepted events wait, and
    their personas were configured once.
    ``consents``: what leads have said, out or in. ``opted_out``: how many are out, by persona; ``ALL_PERSONAS``: of all
    that share what leads say. ``acks_owed``: follow-ups of FluidTalk that have their fate and are not yet acknowledged,
    by persona of the Characters API.
    ``endpoints``: those that notices are pushed to, by name. ``gates``: the closed ones of each persona. ``channel``:
    its name when its gate is closed, '' = it is open; ``channel_cause``: why, as the store keeps it. ``notices``: those
    that are kept; None = they are off.
    ``queues``: messages in each queue that workers read; empty when the broker cannot be looked into. ``unread``: in
    queues that no worker reads, by their names.
    ``refusal``: why the store takes no writes, None = it takes them. ``memory``: of the store; None = it does not tell.
    """

    counters: dict[str, dict[str, int]]
    waiting: dict[tuple[str, str], Waiting]
    gates: dict[str, list[str]]
    channel: str = ""
    channel_cause: str = ""
    unconfigured: dict[str, Waiting] = field(default_factory=dict)
    sampled: bool = False
    agenda: int = 0
    agenda_lag_seconds: float = 0.0
    follow_ups: int = 0
    follow_up_lateness_seconds: float = 0.0
    dead_letters: int = 0
    seals: int = 0
    consents: int = 0
    opted_out: dict[str, int] = field(default_factory=dict)
    taken_over: int = 0
    acks_owed: dict[str, int] = field(default_factory=dict)
    notices: NoticeFigures | None = None
    endpoints: dict[str, EndpointFigures] = field(default_factory=dict)
    queues: dict[str, int] = field(default_factory=dict)
    unread: dict[str, int] = field(default_factory=dict)
    refusal: Trouble | None = None
    memory: Memory | None = None
    measuring_seconds: float = 0.0

    def unaccounted(self, persona: str) -> int:
        """Accepted events of a persona that have no fate: they wait, if the books are in order."""
        counted = self.counters.get(persona, {})
        return counted.get("accepted", 0) - sum(counted.get(fate, 0) for fate in FATES)

    def unexplained(self, persona: str) -> int | None:
        """Accepted events that neither have a fate nor wait; None when not all that waits was counted."""
        if self.sampled:
            return None
        counted = sum(row.events for (owner, _), row in self.waiting.items() if owner == persona)
        return self.unaccounted(persona) - counted


class Measures:
    """Takes ``Figures``."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        scripts: Scripts,
        queues: QueueLook,
        own: Served,
        processes: Processes,
        notices: Callable[[], NoticeFigures | None],
        *,
        asks_workers: bool,
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._endpoints = Endpoints(redis, keys, scripts)
        self._own = own
        self._served = processes.served if asks_workers else Served
        self._personas = sorted(own.personas)
        self._queues = queues
        self._measure = scripts.measure
        self._channel = own.channel
        self._notices = notices

    def take(self, look_at_most: int = LOOK_AT_MOST, *, walk_seconds: float = LOOK_SECONDS) -> Figures:
        """Measure all shards, one after the other so that the server serves others in between.

        ``look_at_most``: conversations of one shard. ``walk_seconds``: how long queues that no worker reads are looked
        for; the next call goes on where this one stops. Raises ``redis.RedisError``.
        """
        started_at = time.perf_counter()
        figures = Figures({}, {}, {})
        served = self._served()
        self._personas = sorted({*self._own.personas, *served.personas})
        self._channel = self._own.channel or served.channel
        for shard in self._keys.shards:
            self._add(figures, self._measure.run(shard, channel=shard.channel(self._channel), most=look_at_most))
        figures.gates = self._gates()
        figures.acks_owed = self._acks_owed()
        figures.endpoints = self._endpoint_figures()
        figures.channel, figures.channel_cause = self._channel_closed()
        figures.refusal = writes.refusal(self._redis, self._keys.shards)
        figures.memory = writes.memory(self._redis)
        figures.notices = self._notices()
        found = self._queues.look(walk_seconds)
        figures.queues, figures.unread = found.waiting, found.unread
        figures.measuring_seconds = time.perf_counter() - started_at
        return figures

    def only_counted(self, persona: str | None = None) -> int:
        """How many refused events were only counted so far, because there was no room for their letters.

        ``persona``: only of this one.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.hgetall(shard.only_counted)
            found: list[dict[str, str]] = pipeline.execute()
        return sum(
            int(number)
            for counters in found
            for name, number in counters.items()
            if name != ":last" and persona in (None, name)
        )

    def touches_due(self) -> tuple[int, int]:
        """How many touches are due, and when the first of all is looked at (ms; 0 = none is planned)."""
        now_ms = clock_ms(self._redis)
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.zcount(shard.follow_ups, "-inf", now_ms)
                pipeline.zrange(shard.follow_ups, 0, 0, withscores=True)
            answers = pipeline.execute()
        firsts = [int(at) for found in answers[1::2] for _, at in found]
        return sum(answers[::2]), min(firsts, default=0)

    def _gates(self) -> dict[str, list[str]]:
        now = clock_ms(self._redis)
        with self._redis.pipeline(transaction=False) as pipeline:
            for persona in self._personas:
                pipeline.hmget(self._keys.home(persona).persona(persona), list(_GATE_FIELDS.values()))
            answers = pipeline.execute()
        closed = {}
        for persona, values in zip(self._personas, answers, strict=True):
            fields = dict(zip(_GATE_FIELDS, values, strict=True))
            if int(fields["hold"] or 0) <= now:
                # The only gate that time alone opens.
                fields["hold"] = None
            closed[persona] = [gate for gate, value in fields.items() if value is not None]
        return closed

    def _endpoint_figures(self) -> dict[str, EndpointFigures]:
        found = self._endpoints.all()
        now = clock_ms(self._redis) if found else 0
        return {
            state.name: EndpointFigures(
                state.sent,
                state.dropped,
                state.lost,
                state.failed,
                max(0.0, (now - behind) / 1000) if behind else 0.0,
                bool(state.paused),
            )
            for state, behind in found
        }

    def _acks_owed(self) -> dict[str, int]:
        personas = sorted(map(str, self._redis.hkeys(APIS)))
        owed: dict[str, int] = {}
        for persona in personas:
            with self._redis.pipeline(transaction=False) as pipeline:
                for shard in self._keys.shards:
                    # Waiting for a fate is infinite, acknowledged is negative.
                    pipeline.zcount(shard.pulled(persona), "(0", "(inf")
                owed[self._known(persona)] = owed.get(self._known(persona), 0) + sum(pipeline.execute())
        return owed

    def _channel_closed(self) -> tuple[str, str]:
        key = self._keys.home(self._channel).channel(self._channel)
        until, reason = self._redis.hmget(key, "channel_until", "channel_reason")
        return (self._channel, str(reason)) if until else ("", "")

    def _add(self, figures: Figures, answer: list[Any]) -> None:
        now, counters, waiting, looked_at, due, planned, planned_due, dead, seals, *rest = answer
        consents, out, taken_over, rows = rest
        for name, count in zip(counters[::2], counters[1::2], strict=True):
            persona, _, word = name.partition(":")
            counted = figures.counters.setdefault(self._known(persona), {})
            counted[word] = counted.get(word, 0) + int(count)
        scale = waiting / looked_at if looked_at else 1
        for start in range(0, len(rows), 6):
            persona, reason, conversations, events, oldest, held_for = rows[start : start + 6]
            more = Waiting(round(conversations * scale), round(events * scale), (now - oldest) / 1000, held_for)
            if persona not in self._personas:
                reason = reason if reason == "turn" else UNCONFIGURED
                figures.unconfigured.setdefault(persona, Waiting()).add(more)
            figures.waiting.setdefault((self._known(persona), reason), Waiting()).add(more)
        figures.sampled = figures.sampled or waiting > looked_at
        figures.agenda += waiting
        figures.agenda_lag_seconds = max(figures.agenda_lag_seconds, (now - due) / 1000)
        figures.follow_ups += planned
        figures.follow_up_lateness_seconds = max(figures.follow_up_lateness_seconds, (now - planned_due) / 1000)
        figures.dead_letters += dead
        figures.seals += seals
        figures.consents += consents
        for owner, leads in zip(out[::2], out[1::2], strict=True):
            whose = owner if owner == ALL_PERSONAS else self._known(owner)
            figures.opted_out[whose] = figures.opted_out.get(whose, 0) + int(leads)
        figures.taken_over += taken_over

    def _known(self, persona: str) -> str:
        return persona if persona in self._personas else OTHER
