"""How the whole system is at one moment: pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from worker.cli.gates import closed_gates, stored_reason
from worker.domain.vocabulary import Gate
from worker.store.heartbeats import Alive
from worker.store.redis.troubles import FULL
from worker.store.views.figures import Figures

if TYPE_CHECKING:
    from worker.store.endpoints import EndpointState
    from worker.store.operator.dead_letters import Deaths


class ClosedGate(NamedTuple):
    """``until``: milliseconds of the store's clock when it opens or is probed by itself; 0 = a person opens it.
    ``stored``: its reason as the store keeps it."""

    name: Gate
    reason: str
    until: int
    stored: str = ""


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
    ``only_counted``: refused events of which no letter is kept. ``parked``: messages that the store refuses to take.
    ``patience_seconds``: a lead who waits longer needs a person. ``deaths``: what dead letters died of.
    ``drift``: what FluidTalk answered beyond its contract in the last days, by name. ``endpoints``: those that notices
    are pushed to, each with the milliseconds of the oldest that it has not got, 0 = none."""

    now: int
    figures: Figures
    alive: Alive
    personas: tuple[PersonaCondition, ...]
    follow_ups_due: int
    next_follow_up: int
    only_counted: int = 0
    parked: int = 0
    patience_seconds: float = 60.0
    deaths: tuple[Deaths, ...] = ()
    drift: Mapping[str, int] = field(default_factory=dict)
    endpoints: tuple[tuple[EndpointState, int], ...] = ()

    @property
    def signs_tell(self) -> bool:
        """Whether signs of life tell who is alive: while the store takes no writes no process can give one."""
        return self.figures.refusal is None or self.figures.refusal.code == FULL

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
            ClosedGate(gate, reason, int(gates.get(f"{gate}_until", "0")), stored_reason(gates, gate))
            for gate, reason in closed_gates(dict(gates), now).items()
        ),
    )
