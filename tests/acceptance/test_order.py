"""Order, singleness and completeness, judged from outside by the logs of the simulated upstreams."""

from __future__ import annotations

import time

import pytest
from redis import Redis

from simulation.load import run_load

pytestmark = pytest.mark.acceptance

NO_JOINING = {"PARLEY_JOIN__MAX_EVENTS": "1", "PARLEY_JOIN__SETTLE_SECONDS": "0"}


@pytest.mark.slow
def test_many_conversations_at_once(start):
    system, settings = start(latency_seconds=0.5, settings=NO_JOINING)
    run = run_load(system, settings, messages=2000, conversations=400)
    assert run.verdict.clean, run.verdict
    assert (run.verdict.turns, run.waiting, run.unexplained) == (2000, 0, 0)
    assert system.upstreams.summary()["fluidtalk"].max_in_flight > 100, "slow calls wait side by side"


@pytest.mark.slow
def test_few_hot_conversations_in_bursts(start):
    system, settings = start(latency_seconds=0.02, settings=NO_JOINING, workers=2)
    run = run_load(system, settings, messages=1000, conversations=20, burst=5)
    assert run.verdict.clean, run.verdict
    assert (run.verdict.turns, run.waiting, run.unexplained) == (1000, 0, 0)


def test_joined_messages_are_all_answered_in_order(start):
    system, settings = start(latency_seconds=(0.01, 0.05), settings={"PARLEY_JOIN__SETTLE_SECONDS": "0.3"})
    run = run_load(system, settings, messages=300, conversations=30, burst=5)
    assert run.verdict.clean, run.verdict
    assert run.verdict.turns < 300
    assert (run.waiting, run.unexplained) == (0, 0)


@pytest.mark.slow
def test_deleting_every_queue_in_the_middle_loses_nothing(start):
    system, settings = start(latency_seconds=0.1, settings=NO_JOINING)
    deleted = []
    with Redis.from_url(system.redis.url) as redis:

        def delete_queues():
            if len(deleted) < 20:
                deleted.append(redis.llen("turns"))
                redis.delete("turns", "outreach", "schedule", "_kombu.binding.turns")
                time.sleep(0.05)

        run = run_load(system, settings, messages=1500, conversations=300, meanwhile=delete_queues)
    assert any(deleted), "doorbells were lost"
    assert run.verdict.clean, run.verdict
    assert (run.waiting, run.unexplained) == (0, 0)


def test_a_killed_worker_loses_and_overtakes_nothing(start):
    system, settings = start(latency_seconds=0.2, settings=NO_JOINING, workers=2)
    killed = []

    def kill_one():
        if not killed and system.upstreams.summary()["fluidtalk"].calls > 50:
            system.workers[0].kill()
            killed.append(time.monotonic())

    run = run_load(system, settings, messages=300, conversations=60, meanwhile=kill_one)
    verdict = run.verdict
    assert killed
    assert (verdict.lost, verdict.undelivered, verdict.overtaken) == (0, 0, 0), verdict
    assert (run.waiting, run.unexplained) == (0, 0)
    assert verdict.doubled <= verdict.asked_twice + verdict.resent, "only what was in the killed worker's hands"
