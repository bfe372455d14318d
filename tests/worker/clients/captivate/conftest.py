"""A Captivate on loopback that records what arrives and answers whatever a test wants, broken answers included."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

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


@dataclass
class Server:
    """``reply``: the raw bytes of the next answers (b"" closes the connection without one). ``hang``: never answer."""

    origin: str = ""
    reply: bytes = b""
    hang: bool = False
    requests: list[Recorded] = field(default_factory=list)
    connections: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def answers(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Make the next answers complete ones."""
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.reply = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class _Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        server: Server = self.server.recorder  # type: ignore[attr-defined]
        server.connections += 1
        while (line := self.rfile.readline()).strip():
            headers = {}
            while (header := self.rfile.readline()).strip():
                name, _, value = header.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            body = self.rfile.read(int(headers.get("content-length", 0)))
            server.requests.append(Recorded(line.decode().strip(), headers, body))
            if server.hang:
                server.released.wait(30)
                return
            self.wfile.write(server.reply)
            if not server.reply or b"Content-Length" not in server.reply:
                return


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True


@pytest.fixture
def server() -> Iterator[Server]:
    """A running recorder; answers 200 with ``{"ok": true}`` until told otherwise."""
    with _TcpServer(("127.0.0.1", 0), _Handler) as tcp:
        recorder = Server(origin=f"http://127.0.0.1:{tcp.server_address[1]}")
        recorder.answers(200, b'{"ok": true}')
        tcp.recorder = recorder  # type: ignore[attr-defined]
        thread = threading.Thread(target=tcp.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield recorder
        shared_client("dev", recorder.origin).close()
        shared_downloads(True).close()
        recorder.released.set()
        tcp.shutdown()
        thread.join()


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
