"""All threads share the core that others leave most of."""

from __future__ import annotations

import os
import threading
from contextlib import suppress

import pytest

from worker.processes.cpu_affinity import OneCore, best_core, claim_core, seconds_worked


def test_at_first_it_is_a_core_that_others_leave():
    assert best_core(None, {0: 0.9, 1: 0.1, 2: 0.8}, 0.3) == 1


def test_idle_cores_are_shared_out_by_chance():
    assert {best_core(None, {0: 0.95, 1: 0.0, 2: 0.05, 3: 0.02}, 0.0) for _ in range(200)} == {1, 2, 3}


def test_workers_in_each_others_way_do_not_all_leave():
    """Else they would meet again on the next core."""
    assert {best_core(0, {0: 1.0, 1: 0.7}, 0.5) for _ in range(200)} == {0, 1}


@pytest.mark.parametrize(
    ("busy", "own"),
    [
        pytest.param({0: 1.0, 1: 0.0}, 1.0, id="all of it is ours"),
        pytest.param({0: 0.8, 1: 0.0}, 0.2, id="there is room"),
        pytest.param({0: 1.0, 1: 0.95}, 0.4, id="there is none elsewhere"),
    ],
)
def test_nobody_moves_for_nothing(busy, own):
    assert {best_core(0, busy, own) for _ in range(50)} == {0}


def test_a_core_that_may_not_be_used_any_more_is_left():
    assert best_core(7, {0: 0.5, 1: 0.0}, 0.5) == 1


def claim(core):
    """Workers of Parley on this machine have cores of their own."""
    return claim_core(core, group=f"test {os.getpid()}")


@pytest.fixture
def waiting_threads():
    """Threads that were there before anybody looked."""
    go_home = threading.Event()
    threads = [threading.Thread(target=go_home.wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    yield threads
    go_home.set()
    for thread in threads:
        thread.join()


def cores_of_all() -> set[frozenset[int]]:
    found = set()
    for thread in os.listdir("/proc/self/task"):
        # Some end while we look.
        with suppress(ProcessLookupError):
            found.add(frozenset(os.sched_getaffinity(int(thread))))
    return found


def test_all_threads_are_on_one_core_until_it_stops(waiting_threads, eventually):
    allowed = frozenset(os.sched_getaffinity(0))
    one_core = OneCore(0.02, claim)
    one_core.start()
    try:
        eventually(lambda: {len(cores) for cores in cores_of_all()} == {1}, "each thread is on one core")
        eventually(lambda: len(cores_of_all()) == 1, "they are on the same core")
        assert cores_of_all() < {frozenset({core}) for core in allowed} or len(allowed) == 1
    finally:
        one_core.stop()
    assert cores_of_all() == {allowed}


def test_a_core_that_another_worker_has_is_not_taken(eventually):
    allowed = os.sched_getaffinity(0)
    claims = [claim(core) for core in allowed]
    assert [claim(core) for core in allowed] == [None] * len(allowed)
    looks = []
    one_core = OneCore(0.01, claim, lambda: looks.append(1) or dict.fromkeys(allowed, 0.0))
    one_core.start()
    try:
        eventually(lambda: len(looks) > 5, "some looks")
        assert cores_of_all() == {frozenset(allowed)}
        claims[0].close()
        eventually(lambda: {len(cores) for cores in cores_of_all()} == {1} or len(allowed) == 1, "one is free")
    finally:
        one_core.stop()
        for each in claims:
            each.close()


def test_the_system_tells_how_long_each_core_has_worked(tmp_path):
    assert os.sched_getaffinity(0) <= seconds_worked().keys()
    (stat := tmp_path / "stat").write_text("cpu 1 1 1 1 1 1 1 1 0\ncpu0 100 0 50 9 9 0 0 50 0\nintr 7 8\n")
    assert seconds_worked(stat) == {0: 200 / os.sysconf("SC_CLK_TCK")}


def test_a_system_that_does_not_tell_is_left_alone(tmp_path, caplog):
    allowed = os.sched_getaffinity(0)
    one_core = OneCore(0.01, claim, lambda: seconds_worked(tmp_path / "none"))
    with caplog.at_level("INFO"):
        one_core.start()
        one_core.stop()
    assert "stay on all cores (FileNotFoundError)" in caplog.text
    assert os.sched_getaffinity(0) == allowed


def test_a_system_that_does_not_let_us_gets_all_threads_back(monkeypatch, waiting_threads, eventually, caplog):
    allowed = os.sched_getaffinity(0)
    set_affinity, calls = os.sched_setaffinity, []

    def refuse_the_second(thread, cores):
        calls.append(thread)
        if len(calls) == 2:
            raise PermissionError
        set_affinity(thread, cores)

    monkeypatch.setattr(os, "sched_setaffinity", refuse_the_second)
    one_core = OneCore(0.02, claim)
    with caplog.at_level("INFO"):
        one_core.start()
        eventually(lambda: "stay on all cores (PermissionError)" in caplog.text or len(allowed) == 1, "it gives up")
        one_core.stop()
    assert cores_of_all() == {frozenset(allowed)}
