"""Deep runs by chance: one seed is one run, with many events, faults and acts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from simulation.explore import ending
from simulation.explore.choices import ACTS, FAULTS, MOVES, choices
from simulation.explore.ledger import Violation
from simulation.explore.machine import Machine, is_fault
from simulation.explore.mutation import Mutation
from simulation.explore.product import PERSONAS, Product
from simulation.explore.world import Budget, Choice, Scenario, World
from worker.domain.conversation import Conversation

ONE, TWO = Conversation("ava", "@one"), Conversation("bea", "@two")
_KINDS = ("inbound_chat", "inbound_chat", "inbound_chat", "ai_opener", "event_trigger", "follow_up", "stop", "start")


def _personas(**own: Any) -> dict[str, Any]:
    return {name: {"api_key": f"ft_sk_{name}", **own} for name in PERSONAS}


# How often something of each kind happens, of what may happen. Each run draws its own, so that some runs are mostly
# about time, others about faults, others about operators.
_WEIGHTS: dict[str, tuple[float, ...]] = {
    "producer": (0.5, 2.0, 6.0),
    "operator": (0.1, 0.5, 2.0),
    "beat": (0.1, 0.5),
    "network": (0.5, 2.0),
    "clock": (0.3, 1.0, 4.0),
    "worker": (4.0, 8.0),
    "fault": (0.1, 0.5, 2.0),
}
# What runs of different seeds are set to, in turn.
VARIANTS: tuple[Mapping[str, Any], ...] = (
    {},
    {"join": {"settle_seconds": 1.2, "max_events": 3}},
    {"pacing": {"enabled": True}, "personas": _personas(interruptions="stop_rest")},
    {"personas": _personas(unknown={"delivery": "hold"}), "join": {"settle_seconds": 0, "max_events": 1}},
)
# Steps before the end of a run.
_LONGEST = 100


@dataclass(frozen=True)
class Failure:
    """A promise that a run has broken: what, and the steps that led to it."""

    seed: int
    said: str
    steps: tuple[Choice, ...]


class Machines:
    """A machine for each variant of the settings, on one server. ``mutation``: a fault in its scripts."""

    def __init__(self, url: str, mutation: Mutation | None = None) -> None:
        self._products = [Product(url, settings, mutation) for settings in VARIANTS]
        self._machines = [Machine(product) for product in self._products]

    def of(self, seed: int) -> Machine:
        """The one for runs of this seed."""
        return self._machines[seed % len(VARIANTS)]

    @property
    def steps(self) -> int:
        """How many steps they took."""
        return sum(machine.steps for machine in self._machines)

    def close(self) -> None:
        """Close all connections."""
        for product in self._products:
            product.close()


def scenario_of(seed: int) -> Scenario:
    """What a run of this seed is about."""
    chance = random.Random(seed)
    leads = (ONE,) if chance.random() < 0.5 else (ONE, TWO)
    kinds = chance.sample(_KINDS, chance.randint(1, 4))
    if not any(kind in ("inbound_chat", "event_trigger") for kind in kinds):
        kinds.append("inbound_chat")
    return Scenario(
        name=f"seed {seed}",
        leads=leads,
        workers=chance.randint(1, 3),
        events=tuple((kind, lead) for kind in kinds for lead in leads),
        in_order=False,
        acts=tuple(chance.sample(ACTS, chance.randint(0, len(ACTS)))),
        faults=tuple(chance.sample(FAULTS, chance.randint(0, 4))),
        budget=Budget(chance.randint(2, 8), chance.randint(0, 6), chance.randint(0, 6), chance.randint(4, 20)),
        moves=("next", *(move for move in MOVES if chance.random() < 0.5)),
    )


def run(machine: Machine, seed: int) -> Failure | None:
    """One run to its end. None: no promise was broken."""
    steps: list[Choice] = []
    try:
        world = _by_chance(machine, seed, steps)
        ending.end(machine, world)
    except Violation as broken:
        return Failure(seed, str(broken), tuple(steps))
    return None


def steps_of(machine: Machine, seed: int) -> tuple[Choice, ...]:
    """The steps of a run before its end, as far as it comes."""
    steps: list[Choice] = []
    with suppress(Violation):
        _by_chance(machine, seed, steps)
    return tuple(steps)


def _by_chance(machine: Machine, seed: int, steps: list[Choice]) -> World:
    scenario, chance = scenario_of(seed), random.Random(seed + 1)
    weights = {name: chance.choice(these) for name, these in _WEIGHTS.items()}
    machine.product.begin()
    world = scenario.world()
    for _ in range(chance.randint(10, _LONGEST)):
        found = choices(scenario, world)
        if not found:
            break
        choice = chance.choices(found, [_weight(each, weights) for each in found])[0]
        steps.append(choice)
        world = machine.take(world, choice)
    return world


def again(machine: Machine, scenario: Scenario, steps: tuple[Choice, ...]) -> tuple[str, tuple[Choice, ...]]:
    """Take these steps, as far as each is possible when its turn comes. Returns what was broken, '' = nothing, and the
    steps that were taken, those of the end included."""
    machine.product.begin()
    world: World = scenario.world()
    taken: list[Choice] = []
    try:
        for choice in steps:
            if choice in choices(scenario, world):
                taken.append(choice)
                world = machine.take(world, choice)
        ending.end(machine, world, taken.append)
    except Violation as broken:
        return str(broken), tuple(taken)
    return "", tuple(taken)


def _weight(choice: Choice, weights: Mapping[str, float]) -> float:
    if is_fault(choice):
        return weights["fault"]
    return weights.get(choice.who, weights["worker"])
