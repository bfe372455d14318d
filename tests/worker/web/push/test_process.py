"""The web process that pushes: with or without an ingress, and how it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest

from simulation.servers.embedded_redis import free_port
from tests.notice_receiver import SECRET, slowly

PROJECT = Path(__file__).parents[4]


@pytest.fixture
def start(redis_server, store, tmp_path):
    """Start web processes with an endpoint; they end with the test."""
    started = []

    def begin(url, **variables):
        given = {
            "PARLEY_REDIS_URL": redis_server.url,
            "PARLEY_PERSONAS": "ava,bea",
            "PARLEY_METRICS__PORT": "0",
            "PARLEY_NOTICES__ENDPOINTS__CRM__URL": url,
            "PARLEY_NOTICES__ENDPOINTS__CRM__SECRET": SECRET,
            "PARLEY_NOTICES__ENDPOINTS__CRM__ALLOW_PRIVATE_ADDRESSES": "true",
            **variables,
        }
        log = tmp_path / f"web{len(started)}.log"
        command = [sys.executable, "-m", "worker.web"]
        with log.open("wb") as output:
            process = subprocess.Popen(command, cwd=PROJECT, env={**os.environ, **given}, stderr=output)
        started.append(process)
        return process, log

    yield begin
    for process in started:
        process.kill()
        process.wait(10)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_without_a_source_it_only_pushes(start, receiver, note, eventually, number, heeds_ctrl_c):
    metrics = free_port()
    process, log = start(receiver.url, PARLEY_METRICS__PORT=str(metrics))
    noted = note(3)
    eventually(lambda: len(receiver.got) == noted, "all arrive")
    assert "this process listens to nobody, and pushes notices" in log.read_text()
    assert "ingress on" not in log.read_text()
    assert httpx.get(f"http://127.0.0.1:{metrics}/live").status_code == 200
    assert httpx.get(f"http://127.0.0.1:{metrics}/ready").status_code == 200
    process.send_signal(number)
    assert process.wait(60) == 0
    assert "Traceback" not in log.read_text()


def test_with_a_source_it_is_the_ingress_too(start, receiver, note, eventually):
    process, log = start(
        receiver.url, PARLEY_INGRESS__PORT="0", PARLEY_INGRESS__SOURCES__SHOP__TOKEN="token-of-the-shop-0123456789"
    )
    noted = note(3)
    eventually(lambda: len(receiver.got) == noted, "all arrive")
    (port,) = re.findall(r"ingress on 127.0.0.1 port (\d+)", log.read_text())
    assert httpx.get(f"http://127.0.0.1:{port}/health/ready").status_code == 200
    process.terminate()
    assert process.wait(60) == 0
    assert "Traceback" not in log.read_text()


def test_it_waits_at_its_end_for_the_calls_under_way_so_that_nothing_comes_twice(
    start, make_receiver, note, store, eventually
):
    receiver = make_receiver(slowly(1.0))
    process, _ = start(receiver.url)
    noted = sum(note(1, lead) for lead in ("@one", "@two", "@three"))
    eventually(lambda: receiver.at_once == noted, "all are under way")
    process.terminate()
    assert process.wait(60) == 0
    assert len(receiver.got) == noted
    state = store.endpoints.state("crm")
    assert state.sent == noted
    # The right was given back: the next process need not wait for its end.
    assert store.endpoints.take("crm", "another") is not None


def test_it_does_not_wait_for_ever_for_a_receiver_that_hangs(start, make_receiver, note, eventually):
    over = threading.Event()
    receiver = make_receiver(lambda event: 204 if over.wait(120) else 500)
    process, _ = start(receiver.url, PARLEY_NOTICES__ENDPOINTS__CRM__TIMEOUT_SECONDS="60")
    note(1)
    eventually(lambda: receiver.at_once, "it is called")
    process.terminate()
    try:
        assert process.wait(45) == 0
        assert receiver.at_once, "the call has not ended yet"
    finally:
        over.set()


def test_an_endpoint_that_cannot_be_ends_it_with_what_to_do(start):
    process, log = start("http://host..name/")
    assert process.wait(60) == 2
    assert "PARLEY_NOTICES__ENDPOINTS__CRM__URL" in log.read_text()
    assert "host..name" not in log.read_text()
