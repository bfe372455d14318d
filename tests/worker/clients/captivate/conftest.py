"""A Captivate on loopback that records what arrives and answers whatever a test wants, broken answers included."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.socket_server import Server as SocketServer
from worker.clients.captivate import Captivate, CaptivateClient
from worker.clients.captivate.client import shared_client
from worker.clients.captivate.files import shared_downloads


@dataclass
class Recorded:
    """One request as it arrived."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server(SocketServer):
    """``reply``: the raw bytes of the next answers (b"" closes the connection without one). ``hang``: never answer.

    ``let_go``: how many calls that hung were left without an answer after half a minute.
    """

    def __init__(self) -> None:
        self.reply = b""
        self.hang = False
        self.let_go = 0
        self.requests: list[Recorded] = []
        self.released = threading.Event()
        super().__init__(self._answer)

    @property
    def origin(self) -> str:
        return self.url

    @property
    def connections(self) -> int:
        return len(self.accepted)

    def answers(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Make the next answers complete ones."""
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.reply = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body

    def _answer(self, connection: socket.socket) -> None:
        while request := self.read_request(connection):
            head, _, body = request.partition(b"\r\n\r\n")
            line, *fields = head.decode("latin-1").split("\r\n")
            pairs = (field.partition(":") for field in fields)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            self.requests.append(Recorded(line, headers, body))
            if self.hang:
                self.let_go += not self.released.wait(30)
                return
            connection.sendall(self.reply)
            if b"Content-Length" not in self.reply:
                return


@pytest.fixture
def server() -> Iterator[Server]:
    """A running recorder; answers 200 with ``{"ok": true}`` until told otherwise."""
    recorder = Server()
    recorder.answers(200, b'{"ok": true}')
    yield recorder
    shared_client("dev", recorder.origin).close()
    shared_downloads(True).close()
    recorder.released.set()
    recorder.close()


@pytest.fixture
def make_client(server: Server) -> Iterator[Callable[..., CaptivateClient]]:
    """Clients of the recorder, closed after the test; every argument can be replaced."""
    clients: list[CaptivateClient] = []

    def make(**arguments: Any) -> CaptivateClient:
        clients.append(CaptivateClient(**{"base_url": server.origin, **arguments}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def payload() -> dict[str, Any]:
    """A request with everything in it, unknown keys included."""
    return {
        "session_id": "session-secret-1",
        "endpoint": "action",
        "user_input": "hello-secret",
        "files": [{"type": "image/png", "url": "https://files.example.com/a.png"}],
        "incoming_action": [{"id": "sendEmail", "payload": {"email": "a@example.com"}}],
        "metadata": {
            "internal": {
                "channelMetadata": {
                    "course_id": "abc",
                    "phoneNumber": None,
                    "channelMetadata": {"channel": "custom-channel", "channelData": {}},
                    "user": {"firstName": "Lance", "lastName": "Safa", "email": "l@example.com", "nick": "lan"},
                    "custom": {"mode": "plain", "title": {"type": "title", "title": "Old title"}},
                    "private": {"score": 7},
                    "conversationCreatedAt": "2026-01-01T00:00:00Z",
                    "conversationUpdatedAt": "2026-01-02T00:00:00Z",
                },
                "tenant": "t-1",
            },
            "trace": "x",
        },
        "hasLivechat": True,
    }


@pytest.fixture
def captivate(payload: dict[str, Any]) -> Captivate:
    """The conversation of ``payload``."""
    return Captivate.parse(payload)
