"""Servers on loopback that say what a test tells them to, for the tests of connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import httpx

from worker.clients.http.connections import Timeouts

PATIENT = Timeouts(connect=5, read=5, total=10)
KEY = "ft_sk_" + "0123456789"  # in two parts, so that a traceback's line of source does not hold it
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Conversation = Callable[[socket.socket], None]


class Server:
    """Accepts on loopback and holds ``conversation`` with each connection, in a thread of its own."""

    def __init__(self, conversation: Conversation) -> None:
        self.accepted: list[socket.socket] = []
        self.received: list[bytes] = []
        self.ended = 0
        self._conversation = conversation
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def read_request(self, connection: socket.socket) -> bytes:
        """One request, head and body; empty if the other side has closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return b""
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(httpx.Headers([line.split(b": ", 1) for line in head.split(b"\r\n")[1:]])["content-length"])
        while len(body) < length:
            body += connection.recv(65536)
        self.received.append(head + b"\r\n\r\n" + body)
        return self.received[-1]

    def close(self) -> None:
        # A thread blocked in accept() is woken by shutdown, not by close.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.accepted:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted.append(connection)
            thread = threading.Thread(target=self._converse, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self._conversation(connection)
        self.ended += 1


ServerFactory = Callable[..., Server]


def post(url: str, content: bytes = b"hello", **headers: str) -> httpx.Request:
    return httpx.Request("POST", url, content=content, headers=headers)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, f"waited 5 s in vain until {what}"
        time.sleep(0.005)


def then_close(answer: bytes) -> Callable[[Server, socket.socket], None]:
    def conversation(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(answer)

    return conversation
