"""Requests, answers and times for the tests of connections."""

from __future__ import annotations

import socket
from collections.abc import Callable

import httpx

from tests.socket_server import Server
from worker.clients.http.connections import Timeouts

PATIENT = Timeouts(connect=5, read=5, total=10)
KEY = "ft_sk_" + "0123456789"  # in two parts, so that a traceback's line of source does not hold it
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

ServerFactory = Callable[..., Server]


def post(url: str, content: bytes = b"hello", **headers: str) -> httpx.Request:
    return httpx.Request("POST", url, content=content, headers=headers)


def then_close(answer: bytes) -> Callable[[Server, socket.socket], None]:
    def conversation(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(answer)

    return conversation
