"""When a worker is taken to be stuck."""

from __future__ import annotations

import time

import pytest

from worker.processes.watchdog import EXIT_STATUS, Watchdog
from worker.store import StoreError


@pytest.fixture
def scene():
    """A watchdog over a queue and a clock of the test's."""

    class Scene:
        waiting, now, ended = 0, 1000.0, None
        away = False

        def backlog(self):
            self.asked.append(self.now)
            if self.away:
                raise StoreError
            return self.waiting

        def sign(self):
            if self.away:
                raise StoreError

        def end(self, status):
            self.ended = status

        def pass_seconds(self, seconds):
            self.now += seconds
            return self.watchdog.look()

    made = Scene()
    made.asked = []
    made.watchdog = Watchdog(made.backlog, 120, made.end, lambda: made.now, made.sign)
    return made


def test_an_idle_worker_with_an_empty_queue_lives(scene):
    assert not scene.pass_seconds(10_000)
    assert scene.ended is None


def test_a_worker_that_takes_nothing_while_doorbells_wait_ends(scene):
    scene.waiting = 3
    assert not scene.pass_seconds(119)
    assert scene.pass_seconds(2)
    assert scene.ended == EXIT_STATUS


def test_the_broker_is_only_asked_when_nothing_moves(scene):
    scene.waiting = 1
    for _ in range(5):
        scene.pass_seconds(11)
    assert scene.asked == []
    scene.pass_seconds(11)
    assert scene.asked == [scene.now]


def test_any_task_is_progress(scene):
    scene.waiting = 3
    for _ in range(10):
        assert not scene.pass_seconds(100)
        scene.watchdog.progress()


def test_doorbells_that_have_just_come_are_no_reproach(scene):
    scene.pass_seconds(10_000)
    scene.waiting = 3
    assert not scene.pass_seconds(5)


def test_without_a_store_there_is_nothing_to_do(scene):
    scene.waiting, scene.away = 3, True
    assert not scene.pass_seconds(10_000)
    scene.away = False
    assert not scene.pass_seconds(5)


def test_it_tells_how_long_there_was_no_progress(scene):
    scene.waiting = 3
    scene.pass_seconds(100)
    assert scene.watchdog.idle_seconds() == 100
    scene.watchdog.progress()
    assert scene.watchdog.idle_seconds() == 0
    scene.waiting = 0
    scene.pass_seconds(100)
    assert scene.watchdog.idle_seconds() == 0


def test_it_tells_whether_the_store_answered(scene):
    scene.away = True
    scene.pass_seconds(1)
    assert not scene.watchdog.store_answers
    scene.away = False
    scene.pass_seconds(1)
    assert scene.watchdog.store_answers


def test_one_that_may_not_end_its_process_only_tells(scene):
    telling = Watchdog(scene.backlog, 120, None, lambda: scene.now)
    scene.waiting = 3
    scene.now += 200
    assert not telling.look()
    assert telling.idle_seconds() == 200


@pytest.mark.parametrize("faulty", ["sign", "backlog"])
def test_no_unexpected_error_ends_the_watch(eventually, caplog, faulty):
    """Neither may it hide that the process is stuck."""
    calls, ended = [], []

    def fault_at_first(part, value):
        def answer():
            calls.append(part)
            if part == faulty and calls.count(part) <= 2:
                raise KeyError("PLANTED")
            return value

        return answer

    watchdog = Watchdog(fault_at_first("backlog", 3), 0.04, ended.append, time.monotonic, fault_at_first("sign", None))
    watchdog.start()
    eventually(lambda: ended and calls.count(faulty) > 2, "further looks, and the stuck process ends")
    watchdog.stop()
    said = [record.getMessage() for record in caplog.records if "unexpected" in record.getMessage()]
    assert len(said) == 1
    assert "in the watchdog: KeyError" in said[0]
    assert "PLANTED" not in caplog.text


def test_a_process_that_cannot_sign_is_found_stuck_all_the_same(scene):
    def fault():
        raise KeyError

    scene.watchdog = Watchdog(scene.backlog, 120, scene.end, lambda: scene.now, fault)
    scene.waiting = 3
    assert scene.pass_seconds(121)
    assert scene.ended == EXIT_STATUS
