"""``parley status``: how everything is, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli import screen
from worker.cli.arguments import AsJson
from worker.cli.condition import Condition, PersonaCondition, persona_condition
from worker.cli.ending import No
from worker.cli.needs import needs, sentence
from worker.cli.session import Session, session
from worker.cli.times import relative, span
from worker.domain.sentences import of_stored
from worker.store.notices import NoticeFigures
from worker.store.queues.queue_figures import LOOK_SECONDS
from worker.store.redis.connection import clock_ms
from worker.store.views.figures import OTHER, Figures

if TYPE_CHECKING:
    from rich.console import RenderableType

# Of these the causes are told; to look at all of many would take long.
_LETTERS_OF_A_SHARD = 100
_CAUSES_NAMED = 3
_GONE_NAMED = 3
_STATES = {"frozen": "frozen", "dead": "dead", "silent": "frozen or dead"}


def status(
    check: Annotated[
        bool, typer.Option("--check", help="Exit status 1 when something needs a person, for scripts.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Say how everything is: what waits, each persona, workers and beats, dead letters; first what needs you.

    Example: parley status --check || page-me
    """
    with session(reads=True) as opened:
        condition = condition_of(opened)
    if json:
        screen.as_json(_plain(condition))
    else:
        screen.show(*drawn(condition))
    if check and needs(condition):
        raise No("Something needs you.")


def condition_of(opened: Session, *, walk_seconds: float = LOOK_SECONDS) -> Condition:
    """Read it: bounded work, however much is stored. ``walk_seconds``: of ``Measures.take``. Raises
    ``redis.RedisError``."""
    store, figures = opened.store, opened.store.measures.take(walk_seconds=walk_seconds)
    due, first = store.measures.touches_due()
    now = clock_ms(store.redis)
    personas = [
        persona_condition(name, figures, store.personas.gates(name), now) for name in sorted(opened.settings.personas)
    ]
    if any(persona == OTHER for persona, _ in figures.waiting):
        personas.append(persona_condition(OTHER, figures, {}, now))
    return Condition(
        now,
        figures,
        store.processes.alive(),
        tuple(personas),
        due,
        first,
        store.measures.only_counted(),
        store.parked.count(),
        opened.settings.metrics.patience_seconds,
        tuple(store.dead_letters.by_cause(most=_LETTERS_OF_A_SHARD)) if figures.dead_letters else (),
        store.drift.recent(),
        tuple(store.endpoints.all()),
    )


def drawn(condition: Condition) -> Iterator[RenderableType]:
    """The whole, to be printed part after part."""
    yield screen.lines([sentence(condition)])
    found = needs(condition)
    for number, need in enumerate(found, 1):
        page = f" ({need.page})" if need.page else ""
        yield screen.lines(["", f"{number}. {need.what}", f"   to do: {need.do}{page}"])
    yield screen.lines([""])
    yield screen.fields(_fields(condition))
    yield screen.lines([""])
    yield screen.grid(
        ["persona", "waiting", "oldest", "turns running", "closed gates"],
        [
            [
                persona.name if persona.name != OTHER else "(not configured)",
                persona.waiting,
                span(persona.oldest_seconds) if persona.waiting else "-",
                persona.running,
                _gates(persona, condition.now),
            ]
            for persona in condition.personas
        ],
    )


def _fields(condition: Condition) -> dict[str, str]:
    figures = condition.figures
    backlog = "nothing waits"
    if condition.waiting:
        about = "about " if figures.sampled else ""
        backlog = (
            f"{about}{condition.waiting} waiting in {condition.conversations} conversations, "
            f"the oldest for {span(condition.oldest_seconds)}"
        )
    lag = span(figures.agenda_lag_seconds)
    follow_ups = f"{figures.follow_ups} planned"
    if condition.follow_ups_due:
        follow_ups += f", {condition.follow_ups_due} due, the first for {span(figures.follow_up_lateness_seconds)}"
    elif condition.next_follow_up:
        follow_ups += f", the next {relative(condition.next_follow_up, condition.now)}"
    return {
        "events": backlog,
        "agenda": f"late by {lag}" if figures.agenda_lag_seconds >= 1 else "nothing is late",
        "processes": _processes(condition),
        "memory": _memory(figures),
        "queues": _queues(condition.figures),
        "follow-ups": follow_ups + _acks(figures),
        "dead letters": _dead_letters(condition),
        "taken over": f"{figures.taken_over} (parley claims)" if figures.taken_over else "0",
        "sealed": f"{figures.seals} (parley seals)" if figures.seals else "0",
        "consent": _consent(figures),
        **({"notices kept": _kept(figures.notices)} if figures.notices else {}),
        **({"notices pushed": _endpoints(condition)} if condition.endpoints else {}),
        **({"new in FluidTalk": _drift(condition)} if condition.drift else {}),
    }


def _acks(figures: Figures) -> str:
    owed = sum(figures.acks_owed.values())
    return f"; {owed} that FluidTalk wrote to be acknowledged" if owed else ""


def _consent(figures: Figures) -> str:
    out = sum(figures.opted_out.values())
    return f"opt-outs {out}, opt-ins {figures.consents - out} (parley consent list)" if figures.consents else "0"


def _kept(notices: NoticeFigures) -> str:
    dropped = f", {notices.dropped} dropped so far" if notices.dropped else ""
    oldest = f", the oldest {span(notices.oldest_seconds)} old" if notices.kept else ""
    return f"{notices.kept}{oldest}{dropped} (parley notices list)"


def _endpoints(condition: Condition) -> str:
    told = [
        f"{state.name} is {span((condition.now - behind) / 1000)} late" if behind else f"{state.name} has all"
        for state, behind in condition.endpoints
    ]
    return "; ".join(told) + " (parley notices endpoints)"


def _drift(condition: Condition) -> str:
    named = [f"{name} {count}" for name, count in list(condition.drift.items())[:_CAUSES_NAMED]]
    more = len(condition.drift) - len(named)
    return ", ".join([*named, *([f"{more} more"] if more else [])])


def _queues(figures: Figures) -> str:
    if not figures.queues:
        return "the broker cannot be looked into: see parley check"
    unread = [f"{name} {messages} (read by no worker)" for name, messages in figures.unread.items()]
    return ", ".join([f"{name} {messages}" for name, messages in figures.queues.items()] + unread)


def _processes(condition: Condition) -> str:
    if not condition.signs_tell:
        return "not known while the store takes no writes"
    alive = condition.alive
    gone = [each for each in alive.gone if each.state != "stopped"][:_GONE_NAMED]
    named = [f"{each.role} {each.name} is {_STATES[each.state]}, {_since(each.at, condition)}" for each in gone]
    return "; ".join([f"workers {alive.workers}, beats {alive.beats}", *named])


def _since(at: int, condition: Condition) -> str:
    return f"its sign of life ran out {relative(at, condition.now)}"


def _memory(figures: Figures) -> str:
    memory = figures.memory
    if memory is None:
        return "the store does not tell"
    return f"{memory.told}, {memory.eviction or 'maxmemory-policy not told'}"


def _dead_letters(condition: Condition) -> str:
    named = [
        f"{each.count} of {each.persona} {of_stored(each.cause)}, {_between(each.first, each.last)}"
        for each in condition.deaths[:_CAUSES_NAMED]
    ]
    more = len(condition.deaths) - len(named)
    count = f"{condition.figures.dead_letters}{_only_counted(condition)}"
    return "; ".join([count, *named, *([f"{more} more causes"] if more else [])])


def _between(first: datetime, last: datetime) -> str:
    return screen.moment(first) + ("" if first == last else f" to {screen.moment(last)}")


def _only_counted(condition: Condition) -> str:
    return f"; {condition.only_counted} refused events were only counted" if condition.only_counted else ""


def _gates(persona: PersonaCondition, now: int) -> str:
    return (
        "; ".join(
            f"{gate.name} ({gate.reason})" + (f", again {relative(max(gate.until, now), now)}" if gate.until else "")
            for gate in persona.gates
        )
        or "none"
    )


def _plain(condition: Condition) -> dict[str, Any]:
    from worker.cli.dead import plain_deaths

    figures = condition.figures
    return {
        "sentence": sentence(condition),
        "needs": [need._asdict() for need in needs(condition)],
        "now_ms": condition.now,
        "waiting": {
            "events": condition.waiting,
            "conversations": condition.conversations,
            "oldest_seconds": condition.oldest_seconds,
            "estimated": figures.sampled,
        },
        "unconfigured": {name: asdict(row) for name, row in figures.unconfigured.items()},
        "agenda": {"conversations": figures.agenda, "lag_seconds": figures.agenda_lag_seconds},
        "alive": asdict(condition.alive),
        "store": {
            "refuses_writes": figures.refusal.code if figures.refusal else None,
            "memory": asdict(figures.memory) if figures.memory else None,
        },
        "queues": figures.queues,
        "unread": figures.unread,
        "follow_ups": {
            "planned": figures.follow_ups,
            "due": condition.follow_ups_due,
            "next_at_ms": condition.next_follow_up or None,
            "late_seconds": figures.follow_up_lateness_seconds,
            "acknowledgements_owed": figures.acks_owed,
        },
        "dead_letters": figures.dead_letters,
        "dead_letters_by_cause": plain_deaths(condition.deaths),
        "refused_only_counted": condition.only_counted,
        "parked": condition.parked,
        "taken_over": figures.taken_over,
        "sealed": figures.seals,
        "opted_out": figures.opted_out,
        "opted_out_or_in": figures.consents,
        "notices": asdict(figures.notices) if figures.notices else None,
        "endpoints": {state.name: {**asdict(state), "behind_ms": behind} for state, behind in condition.endpoints},
        "unknown_to_contract": dict(condition.drift),
        "personas": [
            {**asdict(persona), "gates": [gate._asdict() for gate in persona.gates]} for persona in condition.personas
        ],
    }
