"""The receiver of a chaos run verifies what it gets and writes down what it answers, and a kill takes nothing away."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from simulation.chaos.notice_receiver import PATH, SECRET, is_refused
from simulation.judge.pushed import read_received
from simulation.processes import end, start
from simulation.servers.embedded_redis import free_port
from worker.web.push.signing import Signer, envelope

ROOT = Path(__file__).parents[2]
OTHER_SECRET = "whsec_" + "b3RoZXIg" * 6
TAKEN, REFUSED = (
    next(f"01-{number}" for number in range(1000) if is_refused(f"01-{number}") is refused) for refused in (False, True)
)


@pytest.fixture
def receiver(tmp_path, eventually):
    """Starts it at one address with one log. ``start()`` returns the process, when it listens."""
    log, port, running = tmp_path / "received.jsonl", free_port(), []

    class Receiving:
        url = f"http://127.0.0.1:{port}{PATH}"

        def start(self):
            command = [sys.executable, "-m", "simulation.chaos.notice_receiver", str(port), str(log)]
            running.append(start(command, cwd=ROOT, log=tmp_path / "receiver.log"))
            eventually(self.listens, "the receiver listens")
            return running[-1]

        def listens(self):
            try:
                return httpx.get(self.url).status_code == 501
            except httpx.TransportError:
                return False

        def received(self):
            return [(each.told.id, each.status, each.forged) for each in read_received(log)]

    yield Receiving()
    end(*running)


def post(url, notice_id, secret=SECRET, ago=timedelta()):
    notice = {"id": notice_id, "time": "now", "type": "parley.event.answered", "persona": "ava", "target": "@lead",
              "sequence": 1, "event_id": "e", "fate": "answered"}  # fmt: skip
    body = envelope(notice)
    signed = Signer([secret]).headers(notice_id, body, datetime.now(UTC) - ago)
    while True:
        status = httpx.post(url, content=body, headers=signed).status_code
        # One of a hundred calls fails, as it is meant to.
        if status != 503:
            return status


def test_it_takes_what_is_signed_and_always_refuses_the_same(receiver):
    receiver.start()
    calls = [(TAKEN, {}), (REFUSED, {}), (REFUSED, {}), (TAKEN, {"secret": OTHER_SECRET}),
             (TAKEN, {"ago": timedelta(minutes=6)})]  # fmt: skip
    answers = [post(receiver.url, notice, **more) for notice, more in calls]
    assert answers == [204, 410, 410, 401, 401]
    written = [(notice, status, forged) for notice, status, forged in receiver.received() if status != 503]
    assert written == [
        (TAKEN, 204, False),
        (REFUSED, 410, False),
        (REFUSED, 410, False),
        (TAKEN, 401, True),
        (TAKEN, 401, True),
    ]


def test_a_kill_takes_nothing_away_that_was_answered(receiver):
    first = receiver.start()
    assert post(receiver.url, TAKEN) == 204
    first.kill()
    first.wait()
    receiver.start()
    assert post(receiver.url, TAKEN) == 204
    assert [each for each in receiver.received() if each[1] == 204] == [(TAKEN, 204, False)] * 2
