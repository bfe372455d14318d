"""The example of all message types, against a recorder on loopback."""

from __future__ import annotations

import http.server
import json
import threading

import pytest


class Recorder(http.server.ThreadingHTTPServer):
    """Keeps what was posted; answers with ``status``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts: list[tuple[str, bytes]] = []
        self.status = 200


class Handler(http.server.BaseHTTPRequestHandler):
    server: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append((self.path, body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def recorder():
    """A running recorder."""
    with Recorder() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def run(run_example, recorder):
    """The example, sent to the recorder."""
    url = f"http://127.0.0.1:{recorder.server_port}"
    return lambda: run_example("-m", "examples.every_message_type", "--base-url", url, "--session-id", "session-1")


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
