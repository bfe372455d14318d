"""The ramp of a persona's openers: so many an hour, more each day; and the count of how they ended.

Everything of it lives in the persona's home shard, so one script decides for all processes.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from redis import Redis

from config.sections import Outreach as Rules
from worker.domain.conversation import Conversation
from worker.domain.vocabulary import Cause, stored
from worker.store.keys import Keys, Shard
from worker.store.personas.persona_gates import PersonaGates
from worker.store.redis.connection import clock_ms
from worker.store.redis.scripts import Scripts

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Count:
    """The last openers of a persona: how many are counted, how many of them ended badly.

    ``closed``: why the gate "outreach" is closed, or ''. ``closed_now``: this very opener closed it.
    """

    counted: int
    bad: int
    closed: str
    closed_now: bool


@dataclass(frozen=True, slots=True)
class OutreachState:
    """Where a persona's outreach stands. Times are milliseconds of the store's clock.

    ``per_hour``: openers an hour now, None without a ramp. ``next_free``: the next moment that is free, 0 without a
    ramp. ``waiting``: openers with a moment to come. ``ready``: conversations, follow-ups included, that are rung for
    as soon as workers have room. ``gone_today``: openers let go by the ramp since midnight UTC. ``counted`` and
    ``bad``: outcomes of the last openers. ``closed``: why the gate "outreach" is closed, or ''.
    """

    persona: str
    now: int
    per_hour: float | None
    next_free: int
    waiting: int
    ready: int
    gone_today: int
    counted: int
    bad: int
    closed: str


class Outreach:
    """Hands out moments to openers and counts their outcomes."""

    def __init__(
        self, redis: Redis, keys: Keys, scripts: Scripts, personas: PersonaGates, rules: Mapping[str, Rules]
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._ramp = scripts.ramp
        self._outcome = scripts.outcome
        self._personas = personas
        self._rules = rules
        self._jitter = random.Random()
        self._without_ramp: set[str] = set()

    def wait_of(self, conversation: Conversation, event_id: str, valid_seconds: float) -> float:
        """Whether an opener may go now by its persona's ramp: 0.0, or seconds to wait.

        ``valid_seconds``: how much longer it may wait before it is too old. An opener that waits has its moment
        reserved, or, when none is free before it is too old, waits until then. One that went may go again, so a retry
        costs no further moment. When the ramp's settings have changed, the moments of the old ones are void and all
        that wait for one ask again.
        """
        persona = conversation.persona
        rules = self._rules[persona]
        if rules.openers_per_hour is None and persona in self._without_ramp:
            return 0.0
        keys = self._keys.persona(persona)
        wait_ms, _, woken = self._ramp.run(
            keys,
            opener=_opener(conversation, event_id),
            settings=_as_text(rules),
            openers_per_hour=rules.openers_per_hour or 0,
            growth_per_day=rules.growth_per_day,
            most_per_hour=rules.most_per_hour,
            jitter=1 + rules.jitter * self._jitter.uniform(-1, 1),
            valid_ms=max(0, int(valid_seconds * 1000)),
        )
        if not woken:
            self._personas.wake(persona, stored(Cause.RAMP))
            self._redis.hset(keys.ramp, "woken", _as_text(rules))
        if rules.openers_per_hour is None:
            # What an earlier ramp has left behind is settled; no opener has to ask again.
            self._without_ramp.add(persona)
        return float(wait_ms) / 1000

    def count(
        self, conversation: Conversation, event_id: str, ended: Literal["good", "bad"], begun_at: int | None = None
    ) -> Count:
        """Count how an opener ended, once, among the last ``stop_window``; close the gate when too many ended badly.

        ``begun_at``: milliseconds when it was asked, if known. One that was begun before a person opened the gate is
        not counted.
        """
        persona = conversation.persona
        rules = self._rules[persona]
        counted, bad, closed, closed_now = self._outcome.run(
            self._keys.persona(persona),
            opener=_opener(conversation, event_id),
            ended=ended,
            window=rules.stop_window,
            share=rules.stop_share,
            minimum=rules.stop_minimum,
            begun_at="" if begun_at is None else begun_at,
        )
        if closed:
            # The script closed it in the home shard; also when that process died before the others.
            self._close_everywhere(persona, closed)
        return Count(counted, bad, closed, bool(closed_now))

    def _close_everywhere(self, persona: str, reason: str) -> None:
        home = self._keys.home(persona)
        others = [shard.persona(persona) for shard in self._keys.shards if shard != home]
        with self._redis.pipeline(transaction=False) as pipeline:
            for key in others:
                pipeline.hset(key, "outreach", reason)
            pipeline.execute()
        if self._redis.hexists(home.persona(persona), "outreach"):
            return
        # A person has opened it in between, the home shard first: what was written after that is undone.
        with self._redis.pipeline(transaction=False) as pipeline:
            for key in others:
                pipeline.hdel(key, "outreach")
            pipeline.execute()
        self._personas.wake(persona)

    def state(self, persona: str) -> OutreachState:
        """Read it without touching anything; costs a look at all that became ready since the last tick."""
        rules, keys = self._rules[persona], self._keys.persona(persona)
        now = clock_ms(self._redis)
        settings, since, free, delay = self._redis.hmget(keys.ramp, "settings", "since", "next", "delay")
        late = float(delay or 0)
        in_force = rules.openers_per_hour is not None
        # Until the first opener asks, the moments of older settings are still there, but void.
        current = settings == _as_text(rules)
        outcomes: list[str] = self._redis.lrange(keys.outcomes, 0, -1)  # type: ignore[assignment]
        closed: str | None = self._redis.hget(keys.persona, "outreach")  # type: ignore[assignment]
        return OutreachState(
            persona=persona,
            now=now,
            per_hour=rules.per_hour_after((now - int(float(since or now))) // _DAY_MS) if in_force else None,
            next_free=max(now, int(float(free or 0) + late) if current else 0) if in_force else 0,
            waiting=int(self._redis.zcount(keys.moments, now - late, "+inf")),
            ready=sum(self._ready(shard, persona) for shard in self._keys.shards),
            gone_today=int(self._redis.zcount(keys.gone, now - now % _DAY_MS, "+inf")),
            counted=len(outcomes),
            bad=sum(line.startswith("bad ") for line in outcomes),
            closed=closed or "",
        )

    def _ready(self, shard: Shard, persona: str) -> int:
        since_last_tick = sum(1 for _ in self._redis.zscan_iter(shard.ready, f"{persona}:*"))
        return since_last_tick + int(self._redis.zcard(shard.queue(persona)))


def _opener(conversation: Conversation, event_id: str) -> str:
    return f"{event_id} {conversation.name}"


def _as_text(rules: Rules) -> str:
    if rules.openers_per_hour is None:
        return ""
    return f"{rules.openers_per_hour:g} an hour, x {rules.growth_per_day:g} a day, at most {rules.most_per_hour:g}"
