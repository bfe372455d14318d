"""Servers on loopback that talk as a test tells them to: what they send need not be HTTP."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress

Conversation = Callable[[socket.socket], None]


class Server:
    """Accepts on loopback and holds ``conversation`` with each connection, in a thread of its own.

    ``received``: the requests that were read; ``ended``: how many connections are over.
    """

    def __init__(self, conversation: Conversation) -> None:
        self.accepted: list[socket.socket] = []
        self.received: list[bytes] = []
        self.ended = 0
        self._conversation = conversation
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
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
        length = re.search(rb"(?i)content-length: *([0-9]+)", head)
        while length and len(body) < int(length[1]):
            piece = connection.recv(65536)
            if not piece:
                return b""
            body += piece
        self.received.append(head + b"\r\n\r\n" + body)
        return self.received[-1]

    def close(self) -> None:
        """End all connections. Harmless when they have ended."""
        # A thread blocked in accept() or recv() is woken by shutdown, not by close.
        for each in (self._listener, *self.accepted):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
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
