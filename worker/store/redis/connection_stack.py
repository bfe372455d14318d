"""Connections for the scripts of the hot path: a stack, one of them for each call while it lasts.

Redis' client takes a connection out of its pool, looks whether it is alive, counts and times each call; that costs more
than the call. Here the call itself is the look: whatever fails is sent again by the client, with all its retries, which
is safe because every script may run twice.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any

import hiredis
from redis import Redis, exceptions

from worker.clients.sockets import limit_waiting

# The connection is of no more use, or leads to a server that may not be written to any more.
_BROKEN = (
    exceptions.ConnectionError,
    exceptions.TimeoutError,
    exceptions.ReadOnlyError,
    exceptions.MasterDownError,
    OSError,
)


class LineBroken(Exception):
    """It is not known whether the command ran: send it again another way."""


class Lines:
    """Any number of threads share at most ``connections``; a thread waits when all are in use. Safe over a fork."""

    def __init__(self, redis: Redis, connections: int) -> None:
        self._pool: Any = redis.connection_pool
        self._connections = connections
        self._begin()

    def run(self, command: Sequence[Any]) -> Any:
        """The answer to one command, decoded as the client does.

        Raises ``LineBroken`` when the connection broke, ``redis.RedisError`` when there is none to be had or the server
        refuses the command.
        """
        if os.getpid() != self._process:
            self._begin()
        with self._free:
            line = self._idle.pop() if self._idle else self._pool.make_connection()
            try:
                if not line.is_connected:
                    line.connect()
                    seconds = line._sock.gettimeout()
                    if seconds is not None:
                        limit_waiting(line._sock, seconds)
                return self._exchange(line, command)
            finally:
                self._idle.append(line)

    def close(self) -> None:
        """Close the idle ones; those in use, and later ones, close with their last reference."""
        while self._idle:
            self._idle.pop().disconnect()

    def _begin(self) -> None:
        self._process = os.getpid()
        self._idle: deque[Any] = deque()
        self._free = threading.Semaphore(self._connections)

    @staticmethod
    def _exchange(line: Any, command: Sequence[Any]) -> Any:
        try:
            line.send_packed_command([_packed(command)])
            return line.read_response()
        except _BROKEN as error:
            line.disconnect()
            raise LineBroken(type(error).__name__) from error


def as_read(word: Any) -> Any:
    """A word of a command as bytes, if it is text: what was no UTF-8 when it was read goes back as it came."""
    return word.encode("utf-8", "surrogateescape") if isinstance(word, str) else word


def _packed(command: Sequence[Any]) -> bytes:
    try:
        packed: bytes = hiredis.pack_command(tuple(command))
    except UnicodeEncodeError:
        packed = hiredis.pack_command(tuple(map(as_read, command)))
    return packed
