"""Servers that say what they are told, and connections to them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from tests.socket_server import Server
from tests.worker.clients.http.servers import OK, ServerFactory
from worker.clients.http.connections import Connections


@pytest.fixture
def serve() -> Iterator[ServerFactory]:
    """Start servers: ``serve(b"...")`` answers each request with these bytes, ``serve(function)`` talks as it says."""
    servers: list[Server] = []

    def start(answer: bytes | Callable[[Server, socket.socket], None] = OK) -> Server:
        def conversation(connection: socket.socket) -> None:
            if callable(answer):
                answer(servers[index], connection)
                return
            while servers[index].read_request(connection):
                connection.sendall(answer)

        index = len(servers)
        servers.append(Server(conversation))
        return servers[index]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def connections() -> Iterator[Connections]:
    connections = Connections()
    yield connections
    connections.close()
