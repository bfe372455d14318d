"""What docs/ingress.md shows is run: its requests with curl, and the answers have the members that it shows."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from simulation.servers.embedded_redis import free_port

PAGE = (Path(__file__).parents[2] / "docs" / "ingress.md").read_text(encoding="utf-8")
TOKEN = "token-of-the-reader-0123456789"


def blocks(language: str) -> list[str]:
    """The code blocks of the page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


SERVE, SEND, LOOK = blocks("sh")
README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
(FIRST,) = re.findall(r"```sh\n(curl .*?)```", README, re.DOTALL)
RECEIPT, ENVELOPE, STATE, PROBLEM = (json.loads(block) for block in blocks("json"))


@pytest.fixture(scope="module")
def port(start_example, redis_server):
    """The ingress, started with the words of the page on a free port."""
    number = str(free_port())
    variables = dict(re.findall(r"(PARLEY_\w+)=(\S+)", SERVE))
    assert "python -m worker.web" in SERVE
    assert set(variables) == {"PARLEY_REDIS_URL", "PARLEY_PERSONAS", "PARLEY_INGRESS__SOURCES__SHOP__TOKEN"}
    own = {"PARLEY_REDIS_URL": redis_server.url, "PARLEY_INGRESS__SOURCES__SHOP__TOKEN": TOKEN}
    start_example(
        "-m",
        "worker.web",
        ready="ingress on",
        PARLEY_INGRESS__PORT=number,
        PARLEY_METRICS__PORT="0",
        **{**variables, **own},
    )
    return number


@pytest.fixture
def run(port, need):
    """Run a block of the page in a shell; returns status line and body."""
    if shutil.which("curl") is None:
        need("curl is not installed")

    def in_shell(block: str, **variables: str) -> tuple[str, dict]:
        command = block.replace("127.0.0.1:8080", f"127.0.0.1:{port}").replace("curl ", "curl -s -i ", 1)
        environment = {**os.environ, "TOKEN": TOKEN, **variables}
        done = subprocess.run(["sh", "-c", command], env=environment, capture_output=True, text=True, check=True)
        head, _, body = done.stdout.partition("\n\n")
        return head.splitlines()[0], json.loads(body)

    return in_shell


def test_the_requests_of_the_page_get_the_answers_of_the_page(store, run):
    status, receipt = run(SEND)
    assert status.startswith("HTTP/1.1 202")
    assert receipt.keys() == RECEIPT.keys()
    assert {**receipt, "receipt": ""} == {**RECEIPT, "receipt": ""}
    status, state = run(LOOK, RECEIPT=receipt["receipt"])
    assert status.startswith("HTTP/1.1 200")
    assert (state.keys(), state["attempts"].keys()) == (STATE.keys(), STATE["attempts"].keys())
    assert state["event_id"] == STATE["event_id"]


def test_the_request_of_the_readme_is_the_same_event(store, run):
    assert run(FIRST)[1]["status"] == "accepted"
    assert run(SEND)[1]["status"] == "duplicate"


def test_the_envelope_of_the_page_is_the_same_event(store, run):
    first = run(SEND)[1]
    envelope = re.sub(r"-d '.*'", f"-d '{json.dumps(ENVELOPE)}'", SEND, flags=re.DOTALL)
    # Its words differ from those of the first block; its id says that it is the same event.
    assert run(envelope)[1] == {**first, "status": "duplicate"}


def test_the_problem_of_the_page_is_what_its_request_gets(store, run):
    status, problem = run(SEND.replace("@john_doe", ""))
    assert status.startswith("HTTP/1.1 422")
    assert problem == PROBLEM
