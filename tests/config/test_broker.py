"""Celery's options: the defaults that would lose or double work are changed."""

from __future__ import annotations

import os
import subprocess
import sys

from config.broker import options


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
    assert "PARLEY_CAPTIVATE__ENVIRONMENT" in run.stderr
    assert "Traceback" not in run.stderr


def test_what_piles_up_while_no_worker_runs_is_thrown_away(make_settings):
    for entry in options(make_settings())["beat_schedule"].values():
        assert entry["options"]["expires"] > entry["schedule"] or entry["schedule"] >= 600


def test_doorbells_are_taken_without_emulated_acknowledgements_and_with_timeouts(make_settings):
    transport = options(make_settings())["broker_transport_options"]
    assert transport["ack_emulation"] is False
    assert transport["socket_timeout"] > 1, "must be longer than one blocking pop"


def test_only_json_and_no_results(make_settings):
    settings = options(make_settings())
    assert settings["accept_content"] == ["json"]
    assert settings["result_backend"] is None
    assert settings["task_ignore_result"] is True
