"""What may happen next in a world. Pure: the same world has the same choices in the same order."""

from __future__ import annotations

from collections.abc import Iterator

from simulation.explore.client import Command
from simulation.explore.replay import Ask, Send
from simulation.explore.world import Choice, Running, Scenario, Worker, World

CRASH = "crashes"
HAND_OVER = "hands over"
LOST = "answer lost"
TWICE = "arrives twice"
FROZEN = "goes on late"
STEP = "clock set back"
# What an upstream may do instead of answering. The first word of each is what the step is called.
OUTCOMES = {
    "acts, answer lost": "acts, and the answer is lost",
    "nothing, answer lost": "does nothing, and no answer comes",
    "unavailable": "is unavailable",
    "refuses": "refuses",
    "ends it": "ends the conversation",
}
FAULTS = (CRASH, HAND_OVER, LOST, TWICE, FROZEN, STEP, *OUTCOMES)
ACTS = ("claim", "hand back joined", "hand back last", "hand back none", "seal", "unseal", "forget", "say")
# How far the clock may move, in milliseconds; the next moment is that of the agenda.
MOVES = {"little": 2_100, "lease": 6_100, "far": 11_000}
STEP_BACK_MS = 7_000
# The interval at which a process renews its leases.
_RENEWAL_MS = 1_000


def choices(scenario: Scenario, world: World) -> list[Choice]:
    """All steps that may be taken now."""
    return [*_arrivals(scenario, world), *_of_workers(scenario, world), *_of_others(scenario, world)]


def _arrivals(scenario: Scenario, world: World) -> Iterator[Choice]:
    sent = [event for event in world.ledger.events if event.kind != "operator_message"]
    if world.budget.events:
        if scenario.in_order:
            kind, lead = scenario.events[len(sent)]
            yield Choice("producer", f"sends {kind}", lead.name)
        else:
            for kind, lead in scenario.events:
                yield Choice("producer", f"sends {kind}", lead.name)
    if sent and TWICE in scenario.faults and world.budget.faults:
        yield Choice("producer", "sends again", sent[-1].event_id)


def _of_workers(scenario: Scenario, world: World) -> Iterator[Choice]:
    # Workers with nothing in hand are all alike: one of them stands for all.
    idle = next((worker for worker in world.workers if worker.idle), None)
    faults = scenario.faults if world.budget.faults else ()
    for worker in world.workers:
        if worker is idle:
            for lead in world.waiting:
                if lead in world.futile:
                    continue
                yield Choice(worker.name, "begins", lead.name)
                for fault in (LOST, TWICE):
                    if fault in faults:
                        yield Choice(worker.name, f"begins, {fault}", lead.name)
        elif worker.beginning:
            yield Choice(worker.name, "begins again")
        elif worker.turn:
            yield from _of_turn(worker, worker.turn, world, faults)
        if not worker.idle and CRASH in faults:
            yield Choice(worker.name, CRASH)


def _of_turn(worker: Worker, turn: Running, world: World, faults: tuple[str, ...]) -> Iterator[Choice]:
    request, came = turn.came.request, turn.came
    if isinstance(request, Command):
        yield Choice(worker.name, request.name)
        for fault in (LOST, TWICE):
            if fault in faults:
                yield Choice(worker.name, f"{request.name}, {fault}")
    else:
        verb = "asks" if isinstance(request, Ask) else "sends"
        held = not came.lost and world.passed < came.valid_until
        yield Choice(worker.name, verb) if held else Choice(worker.name, "looks at its lease")
        if held:
            for outcome in faults:
                if outcome in OUTCOMES and (outcome != "ends it" or not isinstance(request, Send)):
                    yield Choice(worker.name, verb, outcome)
        elif FROZEN in faults:
            yield Choice(worker.name, f"{verb} late")
    renewed_at = came.valid_until - 6_000
    if not came.lost and world.passed - renewed_at >= _RENEWAL_MS:
        yield Choice(worker.name, "renews")
    if HAND_OVER in faults:
        yield Choice(worker.name, HAND_OVER)


def _of_others(scenario: Scenario, world: World) -> Iterator[Choice]:
    for number, packet in enumerate(world.late):
        yield Choice("network", "brings again", f"{packet.command.name} of {packet.by} ({number})")
    if world.budget.acts and world.ledger.events:
        for lead in scenario.leads:
            for act in scenario.acts:
                yield Choice("operator", act, lead.name)
    if world.due and world.due[0] <= world.now:
        yield Choice("beat", "rings")
    if STEP in scenario.faults and world.budget.faults:
        yield Choice("clock", "set back")
    if world.budget.moves:
        yield from _moves(scenario, world)


def _moves(scenario: Scenario, world: World) -> Iterator[Choice]:
    for move in scenario.moves:
        if move == "next" and any(at > world.now for at in world.due):
            yield Choice("clock", "next")
        if move in MOVES and not all(worker.idle for worker in world.workers):
            yield Choice("clock", move)
