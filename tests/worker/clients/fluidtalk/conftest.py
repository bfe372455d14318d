"""A server on loopback that answers every call with the bytes a test has chosen and keeps what it was asked."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from worker.clients.fluidtalk import FluidTalk


@dataclass
class Server:
    """``wire`` is sent after each complete request; then the connection is closed."""

    url: str
    wire: bytes = b""
    requests: list[bytes] = field(default_factory=list)

    def answers(self, status: int, body: Any = b"", **headers: str) -> None:
        """Answer with ``body``: bytes as they are, anything else as JSON. Underscores in header names become dashes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.wire = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content

    def receive(self, connection: socket.socket) -> None:
        data = b""
        while b"\r\n\r\n" not in data:
            data += connection.recv(65536) or b"\r\n\r\n"
        head, _, body = data.partition(b"\r\n\r\n")
        lengths = [int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        while lengths and len(body) < lengths[0]:
            body += connection.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)

    @property
    def last_form(self) -> dict[str, str]:
        _, _, body = self.requests[-1].partition(b"\r\n\r\n")
        return dict(httpx.QueryParams(body.decode()))


@pytest.fixture(scope="session")
def _listening() -> Iterator[Server]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    server = Server(f"http://127.0.0.1:{listener.getsockname()[1]}")

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.settimeout(5)
                server.receive(connection)
                connection.sendall(server.wire)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield server
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(timeout=5)


@pytest.fixture
def server(_listening: Server) -> Server:
    _listening.answers(200, {})
    _listening.requests.clear()
    return _listening


@pytest.fixture
def fluidtalk(server: Server) -> Iterator[FluidTalk]:
    with FluidTalk("ft_sk_" + "0123456789", base_url=server.url, own_username="@our_account", timeout=5) as client:
        yield client
