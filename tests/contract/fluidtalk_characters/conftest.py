"""A recorder on loopback for the Characters API: keeps what each call put on the wire and answers as told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

# The headers that say something: the others are those of an HTTP library.
TELLING = ("x-connector-token", "x-fluidtalk-mode", "accept", "content-type", "authorization", "x-api-key", "cookie")


@dataclass
class Recorder:
    """``requests``: method, path, query, telling headers, body as JSON. ``answer``: status, body, headers."""

    url: str
    requests: list[dict[str, Any]] = field(default_factory=list)
    answer: tuple[int, bytes, dict[str, str]] = (200, b'{"data": {}, "request_id": "req_1"}', {})

    def will_answer(self, body: Any, status: int = 200, **headers: str) -> None:
        """Answer every further call: bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answer = (status, content, {name.replace("_", "-"): value for name, value in headers.items()})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recorder: Recorder

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        self.recorder.requests.append(
            {
                "method": self.command,
                "path": address.path,
                "query": sorted(parse_qsl(address.query, keep_blank_values=True)),
                "headers": {name: value for name in TELLING if (value := self.headers.get(name)) is not None},
                "body": json.loads(body) if body else None,
            }
        )
        status, content, headers = self.recorder.answer
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="session")
def _recording() -> Iterator[Recorder]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        _Handler.recorder = Recorder(f"http://127.0.0.1:{server.server_address[1]}")
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield _Handler.recorder
        server.shutdown()


@pytest.fixture
def recorder(_recording: Recorder) -> Recorder:
    _recording.requests.clear()
    _recording.answer = Recorder.answer
    return _recording
