"""The exploration: it breaks no promise of the product, finds what is wrong on purpose, repeats a run by its seed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simulation.explore import campaign, random_runs
from simulation.explore.machine import Machine
from simulation.explore.mutation import Mutation
from simulation.explore.product import ExploredServer, Product
from simulation.explore.seeded_mutations import THREE
from simulation.explore.shrinking import numbers, shrink
from simulation.explore.story import numbers_of, ranges, story


@pytest.fixture(scope="module")
def server() -> Iterator[ExploredServer]:
    with ExploredServer() as started:
        yield started


@pytest.fixture
def make_machine(server):
    products = []

    def make(mutation=None):
        products.append(Product(server.url, mutation=mutation))
        return Machine(products[-1])

    yield make
    for product in products:
        product.close()


def test_runs_by_chance_break_no_promise(make_machine):
    machine = make_machine()
    failures = [failure for seed in range(12) if (failure := random_runs.run(machine, seed))]
    assert failures == []
    assert machine.steps > 200


@pytest.mark.parametrize("mutation", THREE, ids=lambda mutation: mutation.file)
def test_a_fault_that_was_put_into_a_script_is_found_and_told(make_machine, mutation):
    machine = make_machine(mutation)
    failure = next(found for seed in range(400) if (found := random_runs.run(machine, seed)))
    smaller = shrink(machine, random_runs.scenario_of(failure.seed), failure)
    assert len(smaller.steps) <= len(failure.steps)
    told = story(smaller, "again")
    assert told.splitlines()[0].startswith("  1. the producer sends")
    assert f"BROKEN: {smaller.said}" in told


def test_a_failure_is_seen_again_by_its_seed_and_the_numbers_of_its_steps(make_machine):
    machine = make_machine(THREE[0])
    failure = next(found for seed in range(400) if (found := random_runs.run(machine, seed)))
    assert random_runs.run(machine, failure.seed) == failure
    scenario = random_runs.scenario_of(failure.seed)
    smaller = shrink(machine, scenario, failure)
    kept = numbers_of(ranges(numbers(failure.steps, smaller.steps)))
    steps = random_runs.steps_of(machine, failure.seed)
    assert random_runs.again(machine, scenario, tuple(steps[number] for number in kept))[0] == smaller.said


def test_a_seed_is_replayed_in_a_process_of_its_own():
    assert campaign.replay("3") == ""


def test_numbers_of_steps_are_written_short():
    assert ranges([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"
    assert numbers_of("0-2,5,7-8") == [0, 1, 2, 5, 7, 8]


def test_a_mutation_of_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"begin\.lua has 0 places"):
        Mutation("begin", "no such line", "", "nothing").of("")


@pytest.mark.slow
def test_a_minute_of_runs_in_two_processes_breaks_no_promise():
    found = campaign.explore(seed=1, seconds=60, processes=2)
    assert found.stories == ()
    assert found.runs > 100
