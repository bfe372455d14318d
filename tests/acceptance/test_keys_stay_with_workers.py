"""A scheduler, Flower and a producer know the store, and no key: real processes with the variables that they need."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from config.settings import load
from simulation.servers.embedded_redis import free_port
from simulation.tied_process import tied_command
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer

pytestmark = pytest.mark.acceptance

PROJECT = Path(__file__).parents[2]
CELERY = [sys.executable, "-m", "celery", "-A", "worker"]


def without_settings() -> dict[str, str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    return {**outside, "PYTHONPATH": str(PROJECT)}


def test_a_scheduler_with_the_store_alone_lets_leads_be_answered_and_measures_every_persona(
    start, channel, eventually, tmp_path, monkeypatch
):
    system, _ = start(
        beats=0, personas={"ava": "ft_sk_ava", "bea": "ft_sk_bea"}, settings={"PARLEY_JOIN__SETTLE_SECONDS": "0.3"}
    )
    port, log = free_port(), tmp_path / "beat.log"
    own = {"PARLEY_REDIS_URL": system.redis.url, "PARLEY_METRICS__PORT": str(port)}
    own["PARLEY_METRICS__MEASURE_SECONDS"] = "0.3"
    with log.open("wb") as output:
        beat = subprocess.Popen(
            tied_command([*CELERY, "beat"]),
            env={**without_settings(), **own},
            cwd=tmp_path,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        for name in [name for name in os.environ if name.startswith("PARLEY_")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("PARLEY_REDIS_URL", system.redis.url)
        monkeypatch.setenv("PARLEY_PERSONAS", "ava,bea")
        monkeypatch.setenv("PARLEY_JOIN__SETTLE_SECONDS", "0.3")
        with Producer(load(env_file=None, role="producer")) as producer:
            # A message that may be followed by others has no doorbell: the scheduler rings.
            producer.enqueue(InboundChat(persona="ava", target="@lead", message="hi", channel=channel))
        eventually(lambda: system.upstreams.deliveries("session-1"), "the answer")

        def gates() -> set[str]:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                return set(
                    re.findall(r'parley_store_gate_closed\{gate="paused",persona="(\w+)"\}', answer.read().decode())
                )
            return set()

        eventually(lambda: gates() == {"ava", "bea"}, f"the gates of both personas: {gates()}")
    finally:
        beat.terminate()
        beat.wait(60)
    assert "Traceback" not in log.read_text()


def test_flower_with_the_store_alone_is_up(redis_server, open_dashboard):
    pytest.importorskip("flower")
    dashboard = open_dashboard({**without_settings(), "PARLEY_REDIS_URL": redis_server.url}, "of-an-operator")
    assert dashboard.answers()


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        pytest.param({}, "PARLEY_REDIS_URL: is missing: set it", marks=pytest.mark.slow),
        (
            {"PARLEY_REDIS_URL": "redis://127.0.0.1:1/0", "PARLEY_PERSONAS": "ava"},
            "PARLEY_PERSONAS__AVA__API_KEY is missing",
        ),
        ({"PARLEY_REDIS_URL": "redis://127.0.0.1:1/0"}, "no persona is configured"),
    ],
)
def test_a_worker_without_what_it_needs_ends_with_a_sentence(tmp_path, variables, says):
    ended = subprocess.run(
        [*CELERY, "worker"],
        env={**without_settings(), **variables},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode != 0
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout
