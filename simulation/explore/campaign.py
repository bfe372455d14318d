"""Explores for a given time: random runs in several processes, each with a server of its own."""

from __future__ import annotations

import itertools
import logging
import math
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from simulation.explore import random_runs
from simulation.explore.exhaustive import Searched, search
from simulation.explore.machine import Machine
from simulation.explore.mutation import Mutation
from simulation.explore.product import ExploredServer, Product
from simulation.explore.random_runs import Failure, Machines
from simulation.explore.shrinking import numbers, shrink
from simulation.explore.small_worlds import small_worlds
from simulation.explore.story import numbers_of, ranges, story
from simulation.explore.world import Choice, Scenario

# Further failures are only counted: most of them have one cause.
_TOLD = 3
# Pairs of events of the small worlds in which a fault is looked for.
_HUNTED_IN = ("inbound_chat + inbound_chat", "follow_up + stop")


@dataclass(frozen=True, slots=True)
class Found:
    """What was explored. ``worlds``: small ones. ``failures``: how many there were; ``stories``: of the first."""

    runs: int = 0
    worlds: int = 0
    steps: int = 0
    seconds: float = 0.0
    failures: int = 0
    stories: tuple[str, ...] = ()

    def __add__(self, other: Found) -> Found:
        return Found(
            self.runs + other.runs,
            self.worlds + other.worlds,
            self.steps + other.steps,
            max(self.seconds, other.seconds),
            self.failures + other.failures,
            (self.stories + other.stories)[:_TOLD],
        )


def quiet() -> None:
    """What the explored parts would log of their troubles is the story of a failure. For a process of its own."""
    logging.getLogger("parley").setLevel(logging.CRITICAL)


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"), initializer=quiet)


def explore(
    seed: int, seconds: float, processes: int, mutation: Mutation | None = None, most_failures: int = _TOLD
) -> Found:
    """Runs of the seeds from ``seed`` on, until ``seconds`` have passed or each process has met ``most_failures``."""
    if processes == 1:
        return _part(seed, 1, seconds, mutation, most_failures)
    with _pool(processes) as pool:
        parts = [
            pool.submit(_part, seed + number, processes, seconds, mutation, most_failures)
            for number in range(processes)
        ]
        return sum((part.result() for part in parts), Found())


def search_all(
    scenarios: Sequence[Scenario], seconds: float, processes: int, in_all: float = math.inf
) -> Iterator[Searched]:
    """Each of these worlds in every order of its steps. ``seconds``: at most for each; ``in_all``: for all of them."""
    until = time.monotonic() + in_all
    with _pool(processes) as pool:
        yield from pool.map(partial(_searched, seconds, until), scenarios)


def _searched(seconds: float, until: float, scenario: Scenario) -> Searched:
    with ExploredServer() as server:
        machine = Machine(Product(server.url, scenario.settings))
        found = search(machine, scenario, min(seconds, until - time.monotonic()))
        machine.product.close()
        return found


def hunt(mutations: Sequence[Mutation], seed: int, seconds: float, processes: int) -> Iterator[tuple[Mutation, Found]]:
    """What is found of each fault: by chance for half of the time, then in the first ways of small worlds.

    ``seconds``: at most for each fault.
    """
    with _pool(processes) as pool:
        parts = [pool.submit(_hunted, seed, seconds / 2, mutation) for mutation in mutations]
        for mutation, part in zip(mutations, parts, strict=True):
            yield mutation, part.result()


def _hunted(seed: int, seconds: float, mutation: Mutation) -> Found:
    found = _part(seed, 1, seconds, mutation, 1)
    if found.failures:
        return found
    in_worlds = _in_small_worlds(seconds, mutation)
    return replace(found + in_worlds, seconds=found.seconds + in_worlds.seconds)


def _in_small_worlds(seconds: float, mutation: Mutation) -> Found:
    begun_at, tried = time.monotonic(), 0
    worlds = [world for world in small_worlds(moves=0) if world.name.startswith(_HUNTED_IN)]
    stories: tuple[str, ...] = ()
    with ExploredServer() as server:
        machine = Machine(Product(server.url, mutation=mutation))
        for world in worlds:
            tried += 1
            failure = search(machine, world, seconds / len(worlds)).failure
            if failure:
                stories = (story(failure, f"in the small world {world.name}"),)
                break
        steps = machine.steps
        machine.product.close()
    return Found(0, tried, steps, time.monotonic() - begun_at, len(stories), stories)


def _part(seed: int, stride: int, seconds: float, mutation: Mutation | None, most_failures: int) -> Found:
    runs = steps = 0
    failures: list[Failure] = []
    with ExploredServer() as server:
        machines = Machines(server.url, mutation)
        begun_at = time.monotonic()
        for number in itertools.count(seed, stride):
            if time.monotonic() - begun_at > seconds or len(failures) >= most_failures:
                break
            runs += 1
            if failure := random_runs.run(machines.of(number), number):
                failures.append(failure)
        spent, steps = time.monotonic() - begun_at, machines.steps
        stories = tuple(told(machines.of(failure.seed), failure) for failure in failures[:_TOLD])
        machines.close()
        return Found(runs, 0, steps, spent, len(failures), stories)


def told(machine: Machine, failure: Failure) -> str:
    """A failure with as few steps as it needs, and the command that shows it again."""
    smaller = shrink(machine, random_runs.scenario_of(failure.seed), failure)
    kept = ranges(numbers(failure.steps, smaller.steps))
    return story(smaller, f"python -m simulation.explore --replay {failure.seed}:{kept}")


def replay(text: str) -> str:
    """Run a seed again, or only some of its steps: ``SEED`` or ``SEED:0-4,7``. Returns its story, '' = nothing breaks.

    Raises ``ValueError`` for another text.
    """
    seed, _, kept = text.partition(":")
    with ExploredServer() as server:
        machines = Machines(server.url)
        machine = machines.of(int(seed))
        steps: Sequence[Choice] = random_runs.steps_of(machine, int(seed))
        if kept:
            steps = [steps[number] for number in numbers_of(kept)]
        said, taken = random_runs.again(machine, random_runs.scenario_of(int(seed)), tuple(steps))
        machines.close()
    return story(Failure(int(seed), said, taken), f"python -m simulation.explore --replay {text}") if said else ""
