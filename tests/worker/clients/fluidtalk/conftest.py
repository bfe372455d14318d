"""A server on loopback that answers every call with the bytes a test has chosen and keeps what it was asked."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.socket_server import Server as SocketServer
from worker.clients.fluidtalk import FluidTalk


class Server(SocketServer):
    """``wire`` is sent after each complete request; then the connection is closed."""

    def __init__(self) -> None:
        self.wire = b""
        super().__init__(self._answer)

    @property
    def requests(self) -> list[bytes]:
        return self.received

    def answers(self, status: int, body: Any = b"", **headers: str) -> None:
        """Answer with ``body``: bytes as they are, anything else as JSON. Underscores in header names become dashes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(content)}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.wire = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + content

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        if self.read_request(connection):
            connection.sendall(self.wire)

    @property
    def last_form(self) -> dict[str, str]:
        _, _, body = self.requests[-1].partition(b"\r\n\r\n")
        return dict(httpx.QueryParams(body.decode()))


@pytest.fixture(scope="session")
def _listening() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


@pytest.fixture
def server(_listening: Server) -> Server:
    _listening.answers(200, {})
    _listening.requests.clear()
    return _listening


@pytest.fixture
def fluidtalk(server: Server) -> Iterator[FluidTalk]:
    with FluidTalk("ft_sk_" + "0123456789", base_url=server.url, own_username="@our_account", timeout=5) as client:
        yield client
