"""A real worker keeps its threads together, and leaves processes that it forks alone."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest

from config.settings import load
from simulation.load import run_load
from simulation.servers.system import RunningSystem
from worker.processes.cpu_affinity import claim_core

pytestmark = [pytest.mark.acceptance, pytest.mark.slow, pytest.mark.alone]

ALLOWED = os.sched_getaffinity(0)


@pytest.fixture
def free_cores():
    """Cores that no worker on this machine has taken."""
    claims = {core: claim_core(core) for core in ALLOWED}
    free = sorted(core for core, claim in claims.items() if claim)
    for claim in filter(None, claims.values()):
        claim.close()
    if not free:
        pytest.skip("every core of this machine has a worker already: stop one of them")
    return free


def cores_of(pid: int) -> set[frozenset[int]]:
    found = set()
    for thread in Path(f"/proc/{pid}/task").iterdir():
        # Some end while we look.
        with suppress(ProcessLookupError):
            found.add(frozenset(os.sched_getaffinity(int(thread.name))))
    return found


@pytest.fixture
def settings_of(monkeypatch):
    """The settings of a system, for a producer in this process."""

    def read(system):
        for name, value in system.environment.items():
            monkeypatch.setenv(name, value)
        return load(env_file=None)

    return read


def test_threads_of_a_worker_are_on_one_core_also_those_that_begin_later(free_cores, settings_of, eventually):
    with RunningSystem(settings={"PARLEY_JOIN__SETTLE_SECONDS": "0"}, latency_seconds=0.2) as system:
        (worker,) = system.workers
        eventually(lambda: {len(cores) for cores in cores_of(worker.pid)} == {1}, "each thread is on one core", 20)
        before = len(list(Path(f"/proc/{worker.pid}/task").iterdir()))
        assert run_load(system, settings_of(system), messages=100, conversations=100).verdict.clean
        assert len(list(Path(f"/proc/{worker.pid}/task").iterdir())) > before
        eventually(lambda: len(cores_of(worker.pid)) == 1, "all of them are on the same core")


@pytest.mark.skipif(len(ALLOWED) == 1, reason="one core only")
def test_workers_of_one_machine_take_different_cores(free_cores, eventually):
    with RunningSystem(workers=3, beats=0) as system:

        def cores():
            found = [cores_of(worker.pid) for worker in system.workers]
            return [core for one in found if len(one) == 1 for (core, *more) in one if not more]

        wanted = min(3, len(free_cores))
        eventually(
            lambda: len(cores()) == len(set(cores())) == wanted, "each has a core of its own while there is one", 20
        )
        assert set(cores()) <= set(free_cores)


@pytest.mark.parametrize(
    ("options", "settings"),
    [(("-P", "processes", "-c", "2"), {}), ((), {"PARLEY_WORKER__ONE_CORE": "false"})],
    ids=["prefork", "switched off"],
)
def test_others_run_wherever_the_kernel_puts_them(options, settings, settings_of):
    settings = {"PARLEY_JOIN__SETTLE_SECONDS": "0", **settings}
    with RunningSystem(worker_options=options, settings=settings, latency_seconds=2.0) as system:
        # Longer than the first look takes.
        assert run_load(system, settings_of(system), messages=2, conversations=2).verdict.clean
        (worker,) = system.workers
        assert cores_of(worker.pid) == {frozenset(ALLOWED)}
