"""The examples for Node and Go send to a real ingress, with a token and with a signature, and repeat what is safe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from simulation.servers.embedded_redis import free_port
from tests.http_server import Handler, serving
from worker.domain.conversation import Conversation

# Go compiles its library first.
pytestmark = pytest.mark.timeout(600)

PROJECT = Path(__file__).parents[2]
TOKEN = "token-of-the-shop-0123456789"
SECRET = "whsec_" + "c2VjcmV0" * 6
JOHN = Conversation("ava", "@john_doe")
EVENT = ["msg-8841", "@john_doe", "hey, größer 🎉"]


@pytest.fixture(scope="module")
def address(start_example, redis_server):
    """The ingress on a free port, with a source that has a token and one that signs."""
    number = str(free_port())
    start_example(
        "-m",
        "worker.web",
        ready="ingress on",
        PARLEY_REDIS_URL=redis_server.url,
        PARLEY_PERSONAS="ava",
        PARLEY_INGRESS__PORT=number,
        PARLEY_METRICS__PORT="0",
        PARLEY_INGRESS__SOURCES__SHOP__TOKEN=TOKEN,
        PARLEY_INGRESS__SOURCES__CRM__SIGNING_SECRET=SECRET,
    )
    return f"http://127.0.0.1:{number}"


@pytest.fixture(scope="module")
def go_program(tmp_path_factory):
    """The example for Go, compiled; skipped on a machine without Go."""
    if shutil.which("go") is None:
        pytest.skip("go is not installed")
    program = tmp_path_factory.mktemp("go") / "send_event"
    environment = {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GO111MODULE": "off"}
    source = str(PROJECT / "examples" / "go" / "send_event.go")
    subprocess.run(["go", "build", "-o", str(program), source], env=environment, check=True, timeout=500)
    return [str(program)]


@pytest.fixture(params=["node", "go"])
def run(request, need):
    """Run an example; ``variables`` are its settings."""
    if request.param == "node":
        if shutil.which("node") is None:
            need("node is not installed")
        program = ["node", str(PROJECT / "examples" / "node" / "send_event.mjs")]
    else:
        program = request.getfixturevalue("go_program")

    def example(**variables):
        environment = {**os.environ, **variables}
        return subprocess.run(
            [*program, *EVENT], env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    return example


@pytest.mark.parametrize(
    "credentials", [{"INGRESS_TOKEN": TOKEN}, {"INGRESS_SIGNING_SECRET": SECRET}], ids=["token", "signed"]
)
def test_an_example_sends_an_event_and_sends_it_again(run, address, store, credentials):
    said = [run(INGRESS_URL=address, **credentials) for _ in range(2)]
    receipts = [json.loads(each.stdout) for each in said]
    assert [(each["event_id"], each["status"]) for each in receipts] == [
        ("msg-8841", "accepted"),
        ("msg-8841", "duplicate"),
    ]
    payload = store.redis.hget(store.keys.of(JOHN).journal(JOHN, "msg-8841"), "payload")
    assert json.loads(payload)["message"] == EVENT[2]


def test_an_example_is_refused_with_another_token(run, address, store):
    ended = run(INGRESS_URL=address, INGRESS_TOKEN="another-token-0123456789")
    assert ended.returncode == 1
    assert "401" in ended.stderr
    assert "another-token" not in ended.stderr


def test_an_example_repeats_the_same_bytes_after_the_time_that_it_is_told(run):
    bodies = []

    class AwayFirst(Handler):
        def respond(self) -> None:
            bodies.append(self.body())
            if len(bodies) == 1:
                self.answer(503, b"{}", {"Retry-After": "1"})
            else:
                self.answer(202, json.dumps({"event_id": "msg-8841", "status": "accepted"}).encode())

    with serving(AwayFirst) as origin:
        ended = run(INGRESS_URL=origin, INGRESS_TOKEN=TOKEN)
    assert ended.returncode == 0
    assert len(bodies) == 2
    assert bodies[0] == bodies[1]
