"""kill -9 of the processes that push notices, and a receiver that fails: each notice arrives, in order."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from simulation.until import until
from tests.notice_receiver import SECRET, receiving
from worker.domain.conversation import Conversation

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

PROJECT = Path(__file__).parents[2]
LEADS = [Conversation("ava", f"@lead{number}") for number in range(20)]
KILLS = 6


@pytest.fixture
def store(make_store):
    """Keeps notices."""
    return make_store(notices={"keep": True})


def start(redis_url: str, url: str, log: Path) -> subprocess.Popen[bytes]:
    """A web process without an ingress."""
    variables = {
        "PARLEY_REDIS_URL": redis_url,
        "PARLEY_PERSONAS": "ava,bea",
        "PARLEY_METRICS__PORT": "0",
        "PARLEY_NOTICES__ENDPOINTS__CRM__URL": url,
        "PARLEY_NOTICES__ENDPOINTS__CRM__SECRET": SECRET,
        "PARLEY_NOTICES__ENDPOINTS__CRM__ALLOW_PRIVATE_ADDRESSES": "true",
    }
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "worker.web"], cwd=PROJECT, env={**os.environ, **variables}, stderr=output
        )


def test_kills_of_the_sender_lose_nothing_and_keep_the_order(store, redis_server, tmp_path):
    luck = random.Random(7)

    def says(_):
        time.sleep(luck.uniform(0, 0.03))
        # An endpoint that is never quite well, so that kills find calls under way and notices that wait.
        return 500 if luck.random() < 0.02 else 200

    log = tmp_path / "web.log"
    with receiving(says) as receiver:
        senders = [start(redis_server.url, receiver.url, log) for _ in range(2)]
        noted = dict.fromkeys(LEADS, 0)

        def note() -> None:
            for lead in LEADS:
                store.consents.write(lead, "in" if noted[lead] % 2 else "out", "zoe")
                noted[lead] += 1

        try:
            note()
            until(lambda: receiver.got, "it has begun")
            for kill in range(KILLS):
                until_next = time.monotonic() + 1.5
                while time.monotonic() < until_next:
                    note()
                    time.sleep(0.1)
                victim = senders[kill % 2]
                victim.send_signal(signal.SIGKILL)
                victim.wait(10)
                had = len(receiver.asked)
                note()
                until(lambda: len(receiver.asked) > had, "another one goes on")  # noqa: B023 - used at once
                senders[kill % 2] = start(redis_server.url, receiver.url, log)
            wanted = {f"ava/{lead.target}": count for lead, count in noted.items()}

            def got() -> dict[str, int]:
                return {name: len(receiver.sequences(name)) for name in wanted}

            until(lambda: got() == wanted, "all have arrived", seconds=90)
        finally:
            for sender in senders:
                sender.terminate()
            ended = [sender.wait(60) for sender in senders]
    assert ended == [0, 0]
    for name in wanted:
        sequences = receiver.sequences(name)
        assert sequences == list(range(sequences[0], sequences[0] + wanted[name]))
    assert receiver.forged == 0
    state = store.endpoints.state("crm")
    assert (state.lost, state.dropped) == (0, 0)
    assert "Traceback" not in log.read_text()
    assert "@lead" not in log.read_text()
    assert receiver.url not in log.read_text()
