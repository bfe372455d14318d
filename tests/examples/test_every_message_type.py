"""The example of all message types, against a recorder on loopback."""

from __future__ import annotations

import json

import pytest

from tests.http_server import Handler, serving


class Recorder:
    """Keeps what was posted; answers with ``status``."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, bytes]] = []
        self.status = 200
        self.origin = ""


@pytest.fixture
def recorder():
    """A running recorder."""
    found = Recorder()

    class Recording(Handler):
        def respond(self) -> None:
            found.posts.append((self.path, self.body()))
            self.answer(found.status)

    with serving(Recording) as found.origin:
        yield found


@pytest.fixture
def run(run_example, recorder):
    """The example, sent to the recorder."""
    where = ("--base-url", recorder.origin, "--session-id", "session-1")
    return lambda: run_example("-m", "examples.every_message_type", *where)


def test_one_message_of_each_type_arrives_in_one_send(run, recorder):
    finished = run()
    assert (finished.returncode, finished.stdout) == (0, "sent 7 messages and 2 actions\n"), finished.stderr
    ((path, body),) = recorder.posts
    assert path == "/api/channel/v2/sendMessage"
    sent = json.loads(body)
    assert sent["session_id"] == "session-1"
    kinds = [message["type"] for message in sent["response"]]
    assert kinds == ["text", "button", "table", "cards", "html", "files", "custom"]
    assert [action["id"] for action in sent["outgoing_action"]] == ["navigate", "submit"]
    channel_metadata = sent["metadata"]["internal"]["channelMetadata"]
    assert channel_metadata["custom"]["conversation_title"] == "Lord of the rings"
    assert channel_metadata["private"] == {"score": 7}


def test_a_refusal_is_one_line_and_not_a_traceback(run, recorder):
    recorder.status = 422
    finished = run()
    assert finished.returncode == 1
    assert finished.stderr.startswith("not sent: Captivate refused the message with 422")
    assert "Traceback" not in finished.stderr


def test_it_does_not_guess_where_to_send(run_example):
    finished = run_example("-m", "examples.every_message_type", "--session-id", "session-1")
    assert finished.returncode == 2
    assert "--environment" in finished.stderr
