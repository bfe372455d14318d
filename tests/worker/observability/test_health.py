"""What an orchestrator is told."""

from __future__ import annotations

import pytest

from worker.observability.health import BeatHealth, WorkerHealth


class Progress:
    stuck_seconds = 240.0
    store_answers = True
    idle = 0.0

    def idle_seconds(self):
        return self.idle


@pytest.fixture
def progress():
    return Progress()


@pytest.fixture
def broker():
    """Whether the consumer has its connection."""
    return {"up": True}


@pytest.fixture
def worker(progress, broker):
    """A worker that is up."""
    health = WorkerHealth()
    health.checks_store(lambda: True)
    health.takes_messages(progress, lambda: broker["up"])
    return health


def test_a_worker_that_starts_lives_and_is_not_ready():
    health = WorkerHealth()
    assert health.live().good
    assert not health.ready().good
    health.checks_store(lambda: True)
    assert health.ready() == (False, "starting: no connection to the broker yet")


def test_a_worker_that_is_up_is_ready(worker):
    assert worker.live().good
    assert worker.ready() == (True, "takes doorbells")


def test_without_progress_it_does_not_live(worker, progress):
    progress.idle = 239.0
    assert worker.live().good
    progress.idle = 240.0
    assert worker.live() == (False, "no progress for 240 s while doorbells wait: restart this worker")


def test_what_a_restart_would_not_mend_is_not_ready_but_lives(worker, progress, broker):
    broker["up"] = False
    assert worker.ready() == (False, "the broker is unreachable")
    broker["up"] = True
    progress.store_answers = False
    assert worker.ready() == (False, "the store is unreachable")
    assert worker.live().good


def test_a_store_that_has_not_passed_is_not_ready(worker):
    worker.checks_store(lambda: False)
    assert not worker.ready().good
    assert worker.live().good


def test_a_worker_that_stops_takes_nothing_more(worker):
    worker.stops()
    assert worker.ready() == (False, "stopping")
    assert worker.live().good


@pytest.fixture
def scene():
    """A scheduler, its clock and its store."""

    class Scene:
        now, ticked_at, store_answers, broker_answers = 1000.0, 1000.0, True, True

    made = Scene()
    made.health = BeatHealth(
        lambda: made.ticked_at, lambda: made.store_answers, lambda: made.broker_answers, 30.0, lambda: made.now
    )
    return made


def test_a_scheduler_lives_while_it_goes_round(scene):
    scene.now = 1029.0
    assert scene.health.live().good
    assert scene.health.ready().good
    scene.now = 1030.0
    assert scene.health.live() == (False, "no round for 30 s: restart this scheduler")
    assert not scene.health.ready().good
    scene.ticked_at = 1030.0
    assert scene.health.live().good


def test_a_scheduler_that_waits_for_the_store_is_not_restarted(scene):
    scene.now, scene.store_answers = 2000.0, False
    assert scene.health.live().good
    assert scene.health.ready() == (False, "the store is unreachable")


def test_a_scheduler_without_its_broker_is_live_and_not_ready(scene):
    scene.broker_answers = False
    assert scene.health.live().good
    assert scene.health.ready() == (False, "the broker is unreachable, or refuses")
