"""Takes a small world through every order of its steps. What was seen before is not gone into again."""

from __future__ import annotations

import time
from dataclasses import dataclass

from simulation.explore import ending
from simulation.explore.choices import choices
from simulation.explore.ledger import Violation
from simulation.explore.likeness import state_of
from simulation.explore.machine import Machine
from simulation.explore.random_runs import Failure
from simulation.explore.world import Budget, Choice, Scenario, World


@dataclass(frozen=True, slots=True)
class Searched:
    """``complete``: every order was taken. ``states``: that are different; ``deepest``: steps of the longest way."""

    name: str
    states: int
    steps: int
    ends: int
    deepest: int
    seconds: float
    complete: bool
    failure: Failure | None


def search(machine: Machine, scenario: Scenario, seconds: float) -> Searched:
    """All orders of the steps of a scenario, until a promise is broken or ``seconds`` have passed."""
    return _Search(machine, scenario, seconds).run()


class _Search:
    def __init__(self, machine: Machine, scenario: Scenario, seconds: float) -> None:
        self._machine = machine
        self._scenario = scenario
        self._until = time.monotonic() + seconds
        self._seconds = seconds
        # Of each state the budgets with which it was seen, as far as none of them is within another.
        self._seen: dict[int, list[Budget]] = {}
        self._way: list[Choice] = []
        self._steps = self._ends = self._deepest = 0

    def run(self) -> Searched:
        machine = self._machine
        steps, failure = machine.steps, None
        machine.product.redis.copies = True
        machine.product.begin()
        try:
            complete = self._from(self._scenario.world())
        except Violation as broken:
            complete, failure = False, Failure(-1, str(broken), tuple(self._way))
        machine.product.redis.copies = False
        spent = time.monotonic() - self._until + self._seconds
        found = machine.steps - steps
        return Searched(
            self._scenario.name, len(self._seen), found, self._ends, self._deepest, spent, complete, failure
        )

    def _from(self, first: World) -> bool:
        # Depth first: of each state on the way the keys, and the choices that are left.
        product = self._machine.product
        ways = [(first, product.redis.copy_keys(), list(reversed(choices(self._scenario, first))))]
        fresh = True
        while ways:
            world, copy, left = ways[-1]
            if not left:
                ways.pop()
                fresh = False
                if self._way:
                    self._way.pop()
                continue
            if time.monotonic() > self._until:
                return False
            if not fresh:
                product.go_back(copy, world.now)
            fresh = False
            choice = left.pop()
            self._way.append(choice)
            after = self._machine.take(world, choice)
            state = state_of(after, product.look())
            if not self._is_new(state, after.budget):
                self._way.pop()
                continue
            self._deepest = max(self._deepest, len(self._way))
            kept = product.redis.copy_keys()
            ways.append((after, kept, list(reversed(choices(self._scenario, after)))))
            fresh = not self._ended(after)
        return True

    def _is_new(self, state: int, budget: Budget) -> bool:
        # Whatever may still happen with a budget may also happen with a larger one.
        known = self._seen.setdefault(state, [])
        if any(_is_within(budget, other) for other in known):
            return False
        known[:] = [other for other in known if not _is_within(other, budget)] + [budget]
        return True

    def _ended(self, world: World) -> bool:
        # Turns under way come to their ends by steps of their own, so the end is judged where none is.
        if not all(worker.idle for worker in world.workers) or not world.ledger.events:
            return False
        self._ends += 1
        ending.end(self._machine, world)
        return True


def _is_within(budget: Budget, other: Budget) -> bool:
    return all(own <= more for own, more in zip(budget, other, strict=True))
