"""What needs a person, each with its cure, and one sentence about the whole: pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

from worker.cli.condition import Condition, PersonaCondition
from worker.cli.times import span
from worker.domain.diagnoses import (
    Diagnosis,
    channel_closed,
    credits_out,
    doorbells_late,
    endpoint_given_up,
    endpoint_paused,
    follow_ups_late,
    gate_behind,
    key_refused,
    leads_held,
    leads_wait,
    no_process,
    notices_late,
    notices_unsent,
    outreach_stopped,
    paused,
    persona_silent,
    store_evicts,
    store_fills_up,
    store_refuses,
    unconfigured,
    unread_queues,
)
from worker.domain.sentences import of_stored
from worker.domain.vocabulary import Gate
from worker.store.endpoints import GAVE_UP
from worker.store.heartbeats import Alive, Role
from worker.store.redis.troubles import FULL
from worker.store.views.figures import OTHER, Waiting

if TYPE_CHECKING:
    from worker.store.operator.dead_letters import Deaths

# The same limits as the alerts (deploy/prometheus/parley.rules.yml), so that both say the same.
_AGENDA_LATE_SECONDS = 10
FOLLOW_UPS_LATE_SECONDS = 300
NOTICES_LATE_SECONDS = 300
_UNREAD_MESSAGES = 100

_PERSONAS_NAMED = 3
# What a lead waits for while the persona cannot be reached: the gate, the try, and the pause after it.
_UNREACHED = ("circuit", "turn", "hold")


class Need(NamedTuple):
    """Something that only a person can mend: what it is, and what to do. ``page``: the page of its alert, '' = it has
    none. ``about``: the part of the system."""

    what: str
    do: str
    page: str = ""
    about: str = ""


def needs(condition: Condition) -> list[Need]:
    """All that needs a person, the most pressing first."""
    found = [*_store(condition), *_processes(condition), *_books(condition), *_channel(condition)]
    for persona in condition.personas:
        found += _of_persona(persona, condition)
    return [*found, *_queues(condition), *_notices(condition), *_leftovers(condition)]


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


def _need(diagnosis: Diagnosis, more: str = "") -> Need:
    return Need(f"{diagnosis.what}{more}", diagnosis.do, f"docs/alerts/{diagnosis.page}.md", diagnosis.about)


def _store(condition: Condition) -> Iterator[Need]:
    refusal, memory = condition.figures.refusal, condition.figures.memory
    if refusal:
        full = refusal.code == FULL
        effect = "nothing new is accepted, no turn begins" if full else "nothing is accepted or answered"
        yield _need(store_refuses(refusal.code, refusal.means, refusal.remedy), f": {effect}")
    elif memory and memory.fills_up:
        yield _need(store_fills_up(memory.told))
    if memory and memory.evicts:
        yield _need(store_evicts(memory.eviction))


def _processes(condition: Condition) -> Iterator[Need]:
    if not condition.signs_tell:
        return
    alive, lag_seconds = condition.alive, condition.figures.agenda_lag_seconds
    yield from map(_need, missing(alive))
    if lag_seconds > _AGENDA_LATE_SECONDS and alive.beats and alive.workers:
        yield _need(doorbells_late(span(lag_seconds)))
    unread = condition.figures.queues.get("accept", 0)
    if unread > _UNREAD_MESSAGES and alive.workers:
        what = f"{unread} events in the queue accept are not read"
        yield Need(what, "start a worker for all queues", "docs/alerts/accept-queue-unread.md", "queues")


def missing(alive: Alive) -> list[Diagnosis]:
    """What is to be said when no worker or no beat is alive."""
    found = []
    for role, count in (("worker", alive.workers), ("beat", alive.beats)):
        if not count:
            last = alive.last(cast(Role, role))
            found.append(no_process(role, last.state if last else "", last.name if last else ""))
    return found


def _queues(condition: Condition) -> Iterator[Need]:
    if condition.figures.unread:
        yield _need(unread_queues(condition.figures.unread))


def _books(condition: Condition) -> Iterator[Need]:
    figures = condition.figures
    for persona in figures.counters:
        if lost := figures.unexplained(persona):
            what = f"{lost} events of {persona} are unexplained"
            yield Need(what, "parley books", "docs/alerts/books-wrong.md", "books")


def _channel(condition: Condition) -> Iterator[Need]:
    if condition.figures.channel:
        rows = condition.figures.waiting.items()
        kept = sum(row.conversations for (_, reason), row in rows if reason == "channel")
        diagnosis = channel_closed(condition.figures.channel_cause)
        yield _need(diagnosis, f", {_count(kept, 'answer')} wait{'s' if kept == 1 else ''}")


def _of_persona(persona: PersonaCondition, condition: Condition) -> Iterator[Need]:
    name, closed = persona.name, {gate.name: gate.stored for gate in persona.gates}
    if name == OTHER:
        if persona.waiting:
            yield from _unconfigured(condition)
        return
    waits = f", {_count(persona.waiting, 'event')} wait{'s' if persona.waiting == 1 else ''}"
    if Gate.QUARANTINED in closed:
        yield _need(key_refused(name, closed[Gate.QUARANTINED]), waits)
    if Gate.PAUSED in closed and persona.waiting:
        yield _need(paused(name, closed[Gate.PAUSED]), waits)
    if Gate.CREDITS in closed:
        yield _need(credits_out(name, closed[Gate.CREDITS]))
    if Gate.OUTREACH in closed:
        yield _need(outreach_stopped(name, closed[Gate.OUTREACH]))
    yield from _late(persona, closed, condition)


def _late(persona: PersonaCondition, closed: Mapping[Gate, str], condition: Condition) -> Iterator[Need]:
    def of(*reasons: str) -> Waiting:
        rows = condition.figures.waiting
        found = [rows[persona.name, reason] for reason in reasons if (persona.name, reason) in rows]
        return max(found, key=lambda row: row.oldest_seconds, default=Waiting())

    def late(row: Waiting) -> bool:
        return row.oldest_seconds > condition.patience_seconds

    closed_for_all = {*closed, *((Gate.CHANNEL,) if condition.figures.channel else ())}
    unreached, held, for_worker = of(*_UNREACHED), of("hold", "persona_hold"), of("worker")
    waits = f", {_count(persona.waiting, 'event')} wait{'s' if persona.waiting == 1 else ''}, the first for "
    if Gate.CIRCUIT in closed and late(unreached):
        yield _need(persona_silent(persona.name, closed[Gate.CIRCUIT]), f"{waits}{span(unreached.oldest_seconds)}")
    elif late(held) and gate_behind(held.held_for) not in closed_for_all:
        reason = held.held_for or closed.get(Gate.HOLD, "")
        yield _need(leads_held(persona.name, reason), f", the first for {span(held.oldest_seconds)}")
    # Else that is the cause, and more workers of the same kind would not help.
    rung = condition.figures.agenda_lag_seconds <= _AGENDA_LATE_SECONDS
    if late(for_worker) and rung and condition.alive.workers and condition.signs_tell:
        yield _need(leads_wait(persona.name), f", the first for {span(for_worker.oldest_seconds)}")


def _unconfigured(condition: Condition) -> Iterator[Need]:
    most = sorted(condition.figures.unconfigured.items(), key=lambda each: -each[1].events)
    for name, row in most[:_PERSONAS_NAMED]:
        waits = f"{_count(row.events, 'event')} wait{'s' if row.events == 1 else ''}"
        yield _need(
            unconfigured(name),
            f", {waits} in {_count(row.conversations, 'conversation')}, the first for {span(row.oldest_seconds)}",
        )
    if len(most) > _PERSONAS_NAMED:
        yield _need(Diagnosis(f"{len(most) - _PERSONAS_NAMED} more personas are not configured", *unconfigured("")[1:]))


def _notices(condition: Condition) -> Iterator[Need]:
    for state, behind in condition.endpoints:
        late_seconds = (condition.now - behind) / 1000 if behind else 0.0
        late = span(late_seconds)
        if state.paused == GAVE_UP:
            yield _need(endpoint_given_up(state.name, state.last_failure))
        elif late_seconds <= NOTICES_LATE_SECONDS:
            continue
        elif state.paused:
            yield _need(endpoint_paused(state.name, state.paused), f", they are {late} late")
        elif state.holder_until <= condition.now:
            yield _need(notices_unsent(state.name, late))
        else:
            yield _need(notices_late(state.name, late, state.last_failure if state.failing_since else ""))


def _leftovers(condition: Condition) -> Iterator[Need]:
    figures = condition.figures
    if condition.parked:
        what = f"{_count(condition.parked, 'message')} of the queue accept could not be stored"
        yield Need(what, "see Parked messages", "docs/operations.md", "queues")
    late_seconds = figures.follow_up_lateness_seconds
    if late_seconds > FOLLOW_UPS_LATE_SECONDS and condition.alive.beats and condition.alive.workers:
        yield _need(follow_ups_late(span(late_seconds)))
    if figures.dead_letters:
        what = f"{_count(figures.dead_letters, 'event')} ended without an answer{_most_died_of(condition.deaths)}"
        do = "parley dead causes, then parley dead replay-all or parley dead discard"
        yield Need(what, do, "docs/alerts/dead-letters.md", "dead letters")


def _most_died_of(deaths: Sequence[Deaths]) -> str:
    if not deaths:
        return ""
    most = max(deaths, key=lambda each: each.count)
    more = f", and {len(deaths) - 1} more causes" if len(deaths) > 2 else ", and 1 more cause" * (len(deaths) - 1)
    return f" ({most.count} of {most.persona}: {of_stored(most.cause)}{more})"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
