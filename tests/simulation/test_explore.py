"""The exploration: it breaks no promise of the product, finds what is wrong on purpose, repeats a run by its seed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from simulation.explore import campaign, random_runs
from simulation.explore.exhaustive import search
from simulation.explore.machine import Machine
from simulation.explore.mutation import Mutation
from simulation.explore.product import ExploredServer, Product
from simulation.explore.random_runs import Machines
from simulation.explore.seeded_mutations import MANY, THREE
from simulation.explore.shrinking import numbers, shrink
from simulation.explore.small_worlds import small_worlds
from simulation.explore.story import numbers_of, ranges, story


@pytest.fixture(scope="module")
def server() -> Iterator[ExploredServer]:
    with ExploredServer() as started:
        yield started


@pytest.fixture
def searched(server):
    """A small world of the given events, fault and act, taken through every order of its steps."""

    def run(name, mutation=None):
        product = Product(server.url, mutation=mutation)
        (world,) = (world for world in small_worlds(moves=0) if world.name == name)
        found = search(Machine(product), world, 150.0)
        product.close()
        return found

    return run


@pytest.fixture
def make_machines(server):
    made = []

    def make(mutation=None):
        made.append(Machines(server.url, mutation))
        return made[-1]

    yield make
    for machines in made:
        machines.close()


def test_runs_by_chance_break_no_promise(make_machines):
    machines = make_machines()
    failures = [failure for seed in range(12) if (failure := random_runs.run(machines.of(seed), seed))]
    assert failures == []
    assert machines.steps > 200


def test_a_small_world_is_taken_through_every_order(searched):
    found = searched("inbound_chat + stop, lost answer, no act")
    assert (found.failure, found.complete) == (None, True)
    assert found.states > 100
    assert found.ends > 10


@pytest.mark.parametrize(
    ("mutation", "world"),
    [
        (THREE[0], "inbound_chat + inbound_chat, lost answer, no act"),
        (THREE[1], "inbound_chat + inbound_chat, repeated script, no act"),
        (THREE[2], "inbound_chat + inbound_chat, crash, takeover"),
    ],
    ids=["begin", "settle", "record"],
)
def test_a_fault_that_was_put_into_a_script_is_found_and_told(searched, mutation, world):
    found = searched(world, mutation)
    assert found.failure is not None
    told = story(found.failure, "again")
    assert told.splitlines()[0] == "  1. the producer sends inbound_chat ava:@one"
    assert f"BROKEN: {found.failure.said}" in told


def test_a_failure_is_seen_again_by_its_seed_and_the_numbers_of_its_steps(make_machines):
    machines = make_machines(THREE[0])
    failure = next(found for seed in range(400) if (found := random_runs.run(machines.of(seed), seed)))
    machine, scenario = machines.of(failure.seed), random_runs.scenario_of(failure.seed)
    assert random_runs.run(machine, failure.seed) == failure
    smaller = shrink(machine, scenario, failure)
    assert len(smaller.steps) <= len(failure.steps)
    kept = numbers_of(ranges(numbers(failure.steps, smaller.steps)))
    steps = random_runs.steps_of(machine, failure.seed)
    assert random_runs.again(machine, scenario, tuple(steps[number] for number in kept))[0] == smaller.said


def test_a_seed_is_replayed_in_a_process_of_its_own():
    assert campaign.replay("3") == ""


def test_numbers_of_steps_are_written_short():
    assert ranges([0, 1, 2, 5, 7, 8]) == "0-2,5,7-8"
    assert numbers_of("0-2,5,7-8") == [0, 1, 2, 5, 7, 8]


@pytest.mark.parametrize("mutation", MANY, ids=lambda mutation: f"{mutation.file}: {mutation.says}")
def test_each_mutation_has_one_place_in_its_script(mutation):
    assert mutation.of("") == ""


def test_a_mutation_of_what_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"begin\.lua has 0 places"):
        Mutation("begin", "no such line", "", "nothing").of("")


def test_the_command_takes_the_worlds_with_these_words_through_every_order():
    world = "inbound_chat + stop, crash, no act"
    ended = _command("--exhaustive", "--moves", "0", "--processes", "1", "--only", world)
    assert ended.returncode == 0, ended.stderr
    told, in_all = ended.stdout.splitlines()
    assert (told.split(":")[0], told.split()[-1]) == (world, "complete")
    assert in_all.endswith("promises broken in 0 worlds")


@pytest.mark.parametrize("what", ["--exhaustive", "--mutations"])
def test_the_command_refuses_words_that_nothing_has(what):
    ended = _command(what, "--only", "no such word")
    assert ended.returncode == 2
    assert "nothing has 'no such word' in its words" in ended.stderr


def _command(*arguments):
    command = [sys.executable, "-m", "simulation.explore", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


# Two minutes in all, on a machine of its own.
@pytest.mark.slow
@pytest.mark.alone
def test_runs_by_chance_in_two_processes_break_no_promise():
    found = campaign.explore(seed=1, seconds=40, processes=2)
    assert found.stories == ()
    assert found.runs > 50


@pytest.mark.slow
@pytest.mark.alone
def test_small_worlds_in_every_order_break_no_promise():
    found = list(campaign.search_all(small_worlds(moves=0), seconds=40, processes=2, in_all=75))
    assert [story(each.failure, each.name) for each in found if each.failure] == []
    assert sum(each.complete for each in found) >= 3
