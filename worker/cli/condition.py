"""How the whole system is at one moment, and what of it needs a person: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from worker.cli.gates import closed_gates
from worker.cli.times import span
from worker.domain.sentences import of_stored
from worker.domain.vocabulary import Gate
from worker.store.heartbeats import Alive
from worker.store.views.figures import OTHER, Figures, Waiting

# The same limits as the alerts (deploy/prometheus/parley.rules.yml), so that both say the same.
_LEADS_WAIT_SECONDS = 60
_AGENDA_LATE_SECONDS = 10
_FOLLOW_UPS_LATE_SECONDS = 300
_UNREAD_MESSAGES = 100

_PERSONAS_NAMED = 3
_QUEUES_NAMED = 5


class Need(NamedTuple):
    """Something that only a person can mend: what it is, and what to do."""

    what: str
    do: str


class ClosedGate(NamedTuple):
    """``until``: milliseconds of the store's clock when it opens or is probed by itself; 0 = a person opens it."""

    name: Gate
    reason: str
    until: int


@dataclass(frozen=True, slots=True)
class PersonaCondition:
    """``waiting``: events. ``oldest_seconds``: of the first one of each conversation the oldest. ``running``: turns."""

    name: str
    waiting: int
    conversations: int
    oldest_seconds: float
    running: int
    gates: tuple[ClosedGate, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """``follow_ups_due``: next touches whose moment has come; ``next_follow_up``: milliseconds, 0 = none is planned.
    ``only_counted``: refused events of which no letter is kept. ``parked``: messages that the store refuses to take."""

    now: int
    figures: Figures
    alive: Alive
    personas: tuple[PersonaCondition, ...]
    follow_ups_due: int
    next_follow_up: int
    only_counted: int = 0
    parked: int = 0

    @property
    def waiting(self) -> int:
        """Events that wait, of all personas."""
        return sum(persona.waiting for persona in self.personas)

    @property
    def conversations(self) -> int:
        """Conversations in which an event waits."""
        return sum(persona.conversations for persona in self.personas)

    @property
    def oldest_seconds(self) -> float:
        """Age of the oldest event that waits; 0 when none does."""
        return max((persona.oldest_seconds for persona in self.personas), default=0.0)


def persona_condition(name: str, figures: Figures, gates: Mapping[str, str], now: int) -> PersonaCondition:
    """One persona. ``gates``: its raw fields in the store."""
    rows = {reason: row for (persona, reason), row in figures.waiting.items() if persona == name}
    return PersonaCondition(
        name=name,
        waiting=sum(row.events for row in rows.values()),
        conversations=sum(row.conversations for row in rows.values()),
        oldest_seconds=max((row.oldest_seconds for row in rows.values()), default=0.0),
        running=rows["turn"].conversations if "turn" in rows else 0,
        gates=tuple(
            ClosedGate(gate, reason, int(gates.get(f"{gate}_until", "0")))
            for gate, reason in closed_gates(dict(gates), now).items()
        ),
    )


def needs(condition: Condition) -> list[Need]:
    """All that needs a person, the most pressing first."""
    found = [*_processes(condition), *_books(condition), *_channel(condition)]
    for persona in condition.personas:
        found += _of_persona(persona, condition)
    return [*found, *_queues(condition), *_leftovers(condition)]


def sentence(condition: Condition) -> str:
    """The whole in one plain sentence."""
    found = needs(condition)
    if found:
        things = "1 thing needs you" if len(found) == 1 else f"{len(found)} things need you"
        return f"{things}: {'; '.join(need.what for need in found)}."
    alive = f"{_count(condition.alive.workers, 'worker')}, {_count(condition.alive.beats, 'beat')}"
    if not condition.waiting:
        return f"All well: {alive}; nothing waits."
    about = "about " if condition.figures.sampled else ""
    waiting = _count(condition.waiting, "event")
    verb = "waits" if condition.waiting == 1 else "wait"
    return f"All well: {alive}; {about}{waiting} {verb}, the oldest for {span(condition.oldest_seconds)}."


def _processes(condition: Condition) -> Iterator[Need]:
    if not condition.alive.workers:
        yield Need("no worker is alive", "start one: celery -A worker worker (docs/alerts/no-worker.md)")
    lag_seconds = condition.figures.agenda_lag_seconds
    if not condition.alive.beats:
        yield Need("no beat is alive", "start one: celery -A worker beat (docs/alerts/no-scheduler.md)")
    elif lag_seconds > _AGENDA_LATE_SECONDS and condition.alive.workers:
        yield Need(
            f"doorbells for what is due are {span(lag_seconds)} late",
            "see whether workers take the queue schedule (docs/alerts/agenda-late.md)",
        )
    unread = condition.figures.queues.get("accept", 0)
    if unread > _UNREAD_MESSAGES and condition.alive.workers:
        yield Need(f"{unread} events in the queue accept are not read", "docs/alerts/accept-queue-unread.md")


def _queues(condition: Condition) -> Iterator[Need]:
    unread = condition.figures.unread
    if unread:
        named = [f"{name}: {messages}" for name, messages in list(unread.items())[:_QUEUES_NAMED]]
        if len(unread) > _QUEUES_NAMED:
            named.append(f"{len(unread) - _QUEUES_NAMED} more")
        messages = sum(unread.values())
        lie = "lies" if messages == 1 else "lie"
        yield Need(
            f"{_count(messages, 'message')} {lie} in queues that no worker reads ({', '.join(named)})",
            "have the sender use the queue accept, then move or delete them (docs/alerts/queue-unread.md)",
        )


def _books(condition: Condition) -> Iterator[Need]:
    figures = condition.figures
    for persona in figures.counters:
        if missing := figures.unexplained(persona):
            yield Need(f"{missing} events of {persona} are unexplained", "parley books (docs/alerts/books-wrong.md)")


def _channel(condition: Condition) -> Iterator[Need]:
    if name := condition.figures.channel:
        closed = f"{name}: {of_stored(condition.figures.channel_cause)}"
        rows = condition.figures.waiting.items()
        kept = sum(row.conversations for (_, reason), row in rows if reason == "channel")
        yield Need(
            f"the channel takes no messages ({closed}), {_count(kept, 'answer')} wait{'s' if kept == 1 else ''}",
            "look whether Captivate works and lets us in; it is tried every few seconds, then all go out "
            "(docs/alerts/channel-closed.md)",
        )


def _of_persona(persona: PersonaCondition, condition: Condition) -> Iterator[Need]:
    name, closed = persona.name, {gate.name: gate.reason for gate in persona.gates}
    waits = f"{_count(persona.waiting, 'event')} wait{'s' if persona.waiting == 1 else ''}"
    if name == OTHER:
        if persona.waiting:
            yield Need(
                f"{waits} for personas that are not in these settings{_named(condition.figures.unconfigured)}",
                "configure them again and restart the workers; or give their leads up: parley forget PERSONA TARGET",
            )
        return
    if Gate.QUARANTINED in closed:
        yield Need(
            f"persona {name} is quarantined ({closed[Gate.QUARANTINED]}), {waits}",
            f"correct its key, restart the workers, then: parley resume {name}",
        )
    if Gate.PAUSED in closed and persona.waiting:
        yield Need(f"persona {name} is paused ({closed[Gate.PAUSED]}), {waits}", f"parley resume {name}")
    if Gate.CREDITS in closed:
        yield Need(
            f"persona {name} has no credits for new leads ({closed[Gate.CREDITS]})",
            "buy credits; a probe finds out by itself",
        )
    if Gate.OUTREACH in closed:
        yield Need(
            f"persona {name} sends no openers and follow-ups ({closed[Gate.OUTREACH]})",
            f"find the cause (docs/alerts/outreach-stopped.md), then: parley resume {name} --gate outreach",
        )
    worker = condition.figures.waiting.get((name, "worker"))
    if worker and worker.oldest_seconds > _LEADS_WAIT_SECONDS and condition.alive.workers:
        yield Need(
            f"leads of {name} wait for a worker, the first for {span(worker.oldest_seconds)}",
            "more workers, or PARLEY_WORKER__CONCURRENCY (docs/alerts/leads-wait.md)",
        )


def _named(unconfigured: Mapping[str, Waiting]) -> str:
    most = sorted(unconfigured.items(), key=lambda each: -each[1].events)
    named = [
        f"{name}: {_count(row.events, 'event')} in {_count(row.conversations, 'conversation')}, "
        f"the oldest for {span(row.oldest_seconds)}"
        for name, row in most[:_PERSONAS_NAMED]
    ]
    if len(most) > _PERSONAS_NAMED:
        named.append(f"{len(most) - _PERSONAS_NAMED} more: parley books")
    return f" ({'; '.join(named)})" if named else ""


def _leftovers(condition: Condition) -> Iterator[Need]:
    figures = condition.figures
    if condition.parked:
        yield Need(
            f"{_count(condition.parked, 'message')} of the queue accept could not be stored",
            "docs/operations.md, Parked messages",
        )
    late_seconds = figures.follow_up_lateness_seconds
    if late_seconds > _FOLLOW_UPS_LATE_SECONDS and condition.alive.beats and condition.alive.workers:
        yield Need(f"follow-ups are {span(late_seconds)} late", "docs/alerts/follow-ups-late.md")
    if figures.dead_letters:
        yield Need(
            f"{_count(figures.dead_letters, 'event')} ended without an answer",
            "parley dead list, then parley dead replay or parley dead discard",
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
