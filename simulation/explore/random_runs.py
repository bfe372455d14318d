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


# How often something of each kind happens, when it may happen, and not how many choices there are of it. Each run draws
# its own, so that some are mostly about time, others about faults, others about operators. `begin`: of a turn whose
# conversation is free; `knock`: of another one; `unheard`: of one whose answer is lost, or that comes again; `slow`:
# steps of worker A, which in some runs lags behind the others; `outside`: what goes wrong without any turn, and so is
# possible at each step.
_WEIGHTS: dict[str, tuple[float, ...]] = {
    "producer": (0.5, 2.0, 6.0),
    "operator": (0.5, 2.0, 6.0),
    "beat": (0.1, 0.3),
    "network": (1.0, 6.0),
    "clock": (0.3, 1.0, 4.0),
    "begin": (6.0,),
    "knock": (0.1, 1.0),
    "unheard": (0.5, 2.0),
    "worker": (6.0,),
    "slow": (0.5, 6.0),
    "fault": (1.0, 3.0, 6.0),
    "outside": (0.1, 0.3),
}
# Most promises can only be broken in the middle of a turn. So acts and faults are saved for one.
_WITHOUT_A_TURN = {"producer": 1.0, "operator": 0.2, "outside": 0.1}
# What runs of different seeds are set to, in turn.
VARIANTS: tuple[Mapping[str, Any], ...] = (
    {},
    {"join": {"settle_seconds": 1.2, "max_events": 3}},
    {"pacing": {"enabled": True}, "personas": _personas(interruptions="stop_rest")},
    {"personas": _personas(unknown={"delivery": "hold"}), "join": {"settle_seconds": 0, "max_events": 1}},
)
# In how much of its kinds of trouble, and of its acts, a run takes part.
_SHARES = (0.0, 0.2, 0.5, 0.5, 0.5, 0.8)
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
        acts=_some(ACTS, chance),
        faults=_some(FAULTS, chance),
        budget=Budget(chance.randint(2, 8), chance.randint(1, 8), chance.randint(1, 8), chance.randint(4, 20)),
        moves=("next", *(move for move in MOVES if chance.random() < 0.5)),
    )


def _some(words: tuple[str, ...], chance: random.Random) -> tuple[str, ...]:
    # Each of them in half of the runs that have any: two that only break a promise together meet in every fourth.
    share = chance.choice(_SHARES)
    return tuple(word for word in words if chance.random() < share)


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
        choice = _one_of(world, found, weights, chance)
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


def _one_of(world: World, found: list[Choice], weights: Mapping[str, float], chance: random.Random) -> Choice:
    idle = all(worker.idle for worker in world.workers)
    kinds: dict[str, list[Choice]] = {}
    for choice in found:
        kinds.setdefault(_kind(choice, world), []).append(choice)
    shares = {**weights, **_WITHOUT_A_TURN} if idle else weights
    these = kinds[chance.choices(list(kinds), [shares[kind] for kind in kinds])[0]]
    return chance.choices(these, [_share(choice, world, idle) for choice in these])[0]


def _kind(choice: Choice, world: World) -> str:
    if choice.what == "begins":
        return "begin" if _is_free(Conversation.of_name(choice.about), world) else "knock"
    if choice.what.startswith("begins,"):
        return "unheard"
    if is_fault(choice):
        return "outside" if choice.who in ("producer", "clock") else "fault"
    if choice.who == "A":
        return "slow"
    return choice.who if choice.who in _WEIGHTS else "worker"


def _is_free(lead: Conversation, world: World) -> bool:
    if (lead, "taken_over") in world.ledger.since or world.holds.get(lead.name, 0) > world.now:
        return False
    turns = [worker.turn for worker in world.workers if worker.turn and worker.turn.lead == lead]
    return all(world.passed >= turn.came.valid_until for turn in turns)


def _share(choice: Choice, world: World, idle: bool) -> float:
    if choice.what == "sends stop":
        # Once a lead has opted out, little happens any more.
        return 0.2 if idle else 2.0
    if choice.who == "operator":
        return 1.0 if _leads_on(choice.what, Conversation.of_name(choice.about), world) else 0.2
    return 1.0


def _leads_on(act: str, lead: Conversation, world: World) -> bool:
    taken_over, sealed = ((lead, stop) in world.ledger.since for stop in ("taken_over", "sealed"))
    if act.startswith("hand back") or act == "say":
        return taken_over
    return not {"claim": taken_over, "seal": sealed, "unseal": not sealed, "forget": True}.get(act, False)
