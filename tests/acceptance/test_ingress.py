"""From Captivate's request over the ingress to the reply of the persona, through real processes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from simulation.servers.embedded_redis import free_port
from simulation.servers.system import RunningSystem

pytestmark = pytest.mark.acceptance

PROJECT = Path(__file__).parents[2]
TOKEN = "token-of-the-platform-0123456789"
PAYLOAD = {
    "session_id": "session-PLANTED",
    "user_input": "PLANTED hi",
    "metadata": {"internal": {"channelMetadata": {"channelMetadata": {"channel": "c"}}}},
    "hasLivechat": False,
}


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """A worker, a beat, and their logs."""
    with RunningSystem(settings={"PARLEY_JOIN__SETTLE_SECONDS": "0"}, logs=tmp_path_factory.mktemp("logs")) as running:
        yield running


@pytest.fixture
def ask(system, eventually):
    """Send a request to a web process beside them."""
    port = str(free_port())
    own = {"PARLEY_INGRESS__PORT": port, "PARLEY_INGRESS__SOURCES__PLATFORM__TOKEN": TOKEN}
    with (system.logs / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "worker.web"],
            cwd=PROJECT,
            env={**os.environ, **system.environment, **own},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30) as client:

        def is_ready() -> bool:
            assert process.poll() is None
            try:
                return client.get("/health/ready").status_code == 200
            except httpx.TransportError:
                return False

        eventually(is_ready, "the ingress is ready")
        yield client.request
    process.terminate()
    process.wait(60)


def test_a_lead_who_writes_over_the_ingress_is_answered_and_the_receipt_says_so(system, ask, eventually):
    answer = ask("POST", "/v1/captivate/ava", json=PAYLOAD)
    assert (answer.status_code, answer.json()["response"]) == (200, [])
    said = eventually(
        lambda: [
            message["text"]
            for delivery in system.upstreams.deliveries(PAYLOAD["session_id"])
            for message in delivery.messages
        ],
        "the reply is delivered",
    )
    assert said == ["You said: PLANTED hi"]

    def state():
        return ask("GET", f"/v1/receipts/{answer.headers['Parley-Receipt']}").json()

    ended = eventually(lambda: state()["ended_at"] and state(), "the event has its fate")
    assert (ended["status"], ended["attempts"]) == ("answered", {"asked": 1, "sent": 1})
    # A repetition is known also when it has been answered.
    again = ask("POST", "/v1/captivate/ava", json=PAYLOAD, headers={"Idempotency-Key": ended["event_id"]})
    assert again.headers["Parley-Status"] == "duplicate"
    logs = "".join(file.read_text(errors="replace") for file in system.logs.glob("*.log"))
    assert "ingress on" in logs
    assert not any(secret in logs for secret in ("PLANTED", TOKEN, "/v1/"))
