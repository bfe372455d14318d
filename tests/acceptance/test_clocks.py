"""Clocks that are wrong, and beats without workers: the store's clock is the only one that decides."""

from __future__ import annotations

from contextlib import closing
from types import SimpleNamespace

import pytest
from celery import Celery
from redis import Redis

from config.celery import options
from simulation.servers.system import wrong_clock
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer
from worker.processes import scheduler
from worker.processes.scheduler import MOST_WAITING, SteadyScheduler

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

DAY = 86_400


@pytest.mark.parametrize("seconds", [DAY, -DAY])
def test_a_lone_worker_whose_clock_is_wrong_recovers_what_lost_its_doorbell(start, channel, eventually, seconds):
    system, settings = start(settings={"PARLEY_JOIN__SETTLE_SECONDS": "0"}, workers=0)
    with Producer(settings) as producer, Redis.from_url(system.redis.url) as redis:
        producer.enqueue(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
        assert redis.delete("turns") == 1
        system.start_worker(wrong_clock(seconds))
        eventually(lambda: system.upstreams.deliveries("session-1"), "an answer, rung for by the agenda")


def test_over_rabbitmq_too_what_piles_up_while_no_worker_runs_is_bounded(rabbitmq, make_settings, monkeypatch):
    monkeypatch.setattr(scheduler, "time", clock := SimpleNamespace(now=0.0, monotonic=lambda: clock.now))
    with Celery(set_as_current=False) as app:
        app.conf.update(options(make_settings(broker_url=rabbitmq.url)))
        with closing(SteadyScheduler(app)) as first, closing(SteadyScheduler(app)) as second:
            for _ in range(100):
                first.tick()
                second.tick()
                clock.now += 0.5
            with app.connection_for_read() as connection:
                queue = app.amqp.queues["schedule"](connection.default_channel)
                waiting = queue.queue_declare().message_count
                queue.purge()
    assert MOST_WAITING <= waiting < MOST_WAITING + 8
