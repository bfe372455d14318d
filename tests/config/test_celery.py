"""Celery's options: the defaults that would lose or double work are changed."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys

import pytest
from celery import Celery
from kombu import Connection
from kombu.utils.scheduling import cycle_by_name

from config.celery import options


def test_every_route_and_every_beat_entry_uses_a_queue_that_workers_consume(make_settings):
    settings = options(make_settings())
    used = {route["queue"] for route in settings["task_routes"].values()}
    used |= {entry["options"]["queue"] for entry in settings["beat_schedule"].values()}
    assert used | {settings["task_default_queue"]} <= set(settings["task_queues"])
    assert set(settings["task_queues"]) == {"turns", "outreach", "schedule"}


def test_every_task_that_beat_sends_exists(make_settings):
    listing = subprocess.run(
        [sys.executable, "-c", "from worker.celery import app; app.loader.import_default_modules(); print(*app.tasks)"],
        capture_output=True,
        text=True,
        check=True,
        env={
            **os.environ,
            "PARLEY_REDIS_URL": "redis://localhost/0",
            "PARLEY_CAPTIVATE__ENVIRONMENT": "dev",
            "PARLEY_PERSONAS__AVA__API_KEY": "k",
        },
    )
    for entry in options(make_settings())["beat_schedule"].values():
        assert entry["task"] in listing.stdout.split()


def test_without_settings_the_command_says_what_is_missing_and_no_traceback():
    run = subprocess.run(
        [sys.executable, "-m", "celery", "-A", "worker", "report"], capture_output=True, text=True, check=False
    )
    assert run.returncode != 0
    assert "PARLEY_REDIS_URL" in run.stderr
    assert "Traceback" not in run.stderr


def test_no_clock_decides_whether_a_message_of_beat_counts(make_settings):
    """Celery compares `expires` and `eta` with the worker's time of day; test_scheduler.py has the bound."""
    for entry in options(make_settings())["beat_schedule"].values():
        assert entry["options"] == {"queue": "schedule"}


def test_doorbells_are_taken_without_emulated_acknowledgements_and_with_timeouts(make_settings):
    transport = options(make_settings())["broker_transport_options"]
    assert transport["ack_emulation"] is False
    assert transport["socket_timeout"] > 1, "must be longer than one blocking pop"


def test_only_json_and_no_results(make_settings):
    settings = options(make_settings())
    assert settings["accept_content"] == ["json"]
    assert settings["result_backend"] is None
    assert settings["task_ignore_result"] is True


def test_rabbitmq_gets_quorum_queues_and_confirmations_and_nobody_else_does(make_settings):
    over_amqp = options(make_settings(broker_url="amqp://localhost//"))
    assert {queue["queue_arguments"]["x-queue-type"] for queue in over_amqp["task_queues"].values()} == {"quorum"}
    assert over_amqp["broker_transport_options"] == {"confirm_publish": True}
    assert not any("queue_arguments" in queue for queue in options(make_settings())["task_queues"].values())


def test_sentinel_is_said_in_the_words_of_kombu(make_settings):
    url = "rediss+sentinel://user:p%40ss@a:1,b:2/3?service=main&sentinel_password=word"
    settings = options(make_settings(redis_url=url))
    assert settings["broker_url"] == "sentinel://user:p%40ss@a:1/3;sentinel://user:p%40ss@b:2/3"
    transport = settings["broker_transport_options"]
    assert transport["master_name"] == "main"
    assert transport["sentinel_kwargs"]["password"] == "word"
    assert transport["sentinel_kwargs"]["ssl"] is True
    assert settings["broker_use_ssl"]["ssl_cert_reqs"] == ssl.CERT_REQUIRED


@pytest.mark.parametrize("url", ["rediss://localhost", "amqps://localhost//"])
def test_certificates_are_always_checked(make_settings, url):
    given = options(make_settings(broker_url=url))["broker_use_ssl"]
    assert ssl.CERT_REQUIRED in given.values()
    assert options(make_settings())["broker_use_ssl"] is False


def test_a_worker_takes_what_beat_sends_first_then_leads_then_outreach(make_settings):
    settings = options(make_settings())
    app = Celery(set_as_current=False)
    app.config_from_object(settings)
    with Connection("memory://") as connection:
        consumed = [queue.name for queue in app.amqp.TaskConsumer(connection.channel()).queues]
    assert consumed == ["schedule", "turns", "outreach"]
    cycle = cycle_by_name(settings["broker_transport_options"]["queue_order_strategy"])()
    cycle.update(consumed)
    for taken in ("turns", "schedule", "turns"):
        cycle.rotate(taken)
    assert cycle.consume(3) == consumed
