"""What docs/notices-push.md shows is run: its receiver gets what its web process pushes, in the form that it shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import httpx
import pytest

from simulation.servers.embedded_redis import free_port
from worker.domain.conversation import Conversation
from worker.domain.handles import Handles
from worker.domain.notices import Notice
from worker.web.push.signing import envelope

PAGE = (Path(__file__).parents[2] / "docs" / "notices-push.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of the page in one language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


SERVE, COMMANDS = blocks("sh")
(EXAMPLE,) = (json.loads(block) for block in blocks("json"))
(RECEIVER,) = blocks("python")
(SECRET,) = re.findall(r'SECRET = "(whsec_.*)"', RECEIVER)


@pytest.fixture
def store(make_store):
    """Keeps notices."""
    return make_store(notices={"keep": True})


@pytest.fixture(scope="module")
def receiver(start_example, tmp_path_factory):
    """The receiver of the page: its port and its log."""
    folder, port = tmp_path_factory.mktemp("receiver"), free_port()
    (folder / "receiver.py").write_text(RECEIVER)
    words = ("-m", "uvicorn", "receiver:app", "--app-dir", str(folder), "--port", str(port))
    return port, start_example(*words, ready="Uvicorn running")


@pytest.fixture(scope="module")
def pusher(start_example, receiver, redis_server):
    """The web process of the page, with a receiver on this machine."""
    variables = dict(re.findall(r"(PARLEY_\w+)=(\S+)", SERVE))
    assert "python -m worker.web" in SERVE
    path = variables["PARLEY_NOTICES__ENDPOINTS__CRM__URL"].removeprefix("https://crm.example.com")
    own = {
        "PARLEY_REDIS_URL": redis_server.url,
        "PARLEY_METRICS__PORT": "0",
        "PARLEY_NOTICES__ENDPOINTS__CRM__URL": f"http://127.0.0.1:{receiver[0]}{path}",
        "PARLEY_NOTICES__ENDPOINTS__CRM__SECRET": SECRET,
        "PARLEY_NOTICES__ENDPOINTS__CRM__ALLOW_PRIVATE_ADDRESSES": "true",
    }
    return start_example("-m", "worker.web", ready="notices go to: crm", **{**variables, **own})


def test_the_receiver_gets_each_notice_once_and_in_order(store, receiver, pusher, eventually):
    lead = Conversation("ava", "@john_doe")
    for state in ("out", "in", "out"):
        store.consents.write(lead, state, "zoe")
    _, log = receiver
    told = [f"ava/@john_doe parley.conversation.opted_{state}" for state in ("out", "in", "out")]

    def printed() -> list[str]:
        return [line for line in log.read_text().splitlines() if line.startswith("ava/")]

    eventually(lambda: printed() == told, "it prints all")


def test_the_receiver_takes_nothing_without_a_signature(receiver):
    assert httpx.post(f"http://127.0.0.1:{receiver[0]}/parley", json=EXAMPLE).status_code == 401


def test_the_example_has_the_members_of_a_notice(make_settings):
    notice = Notice("00-1-1", 1, "parley.event.answered", "ava", "@john_doe", 1, event_id="msg-8841")
    told = json.loads(envelope(notice.document(Handles(make_settings().privacy))))
    assert told.keys() == EXAMPLE.keys()
    assert told["data"].keys() == EXAMPLE["data"].keys()


@pytest.mark.parametrize("line", COMMANDS.splitlines())
def test_each_command_of_the_page_is_one(run_example, line):
    words = line.partition("#")[0].split()
    assert words[:2] == ["parley", "notices"]
    done = run_example("-m", "worker.cli", *words[1:3], "--help")
    assert done.returncode == 0, done.stderr
    for option in re.findall(r"--\w+", line):
        assert option in done.stdout
