"""Connections for the scripts of the hot path: one of them for each call while it lasts.

Redis' client takes a connection out of its pool, looks whether it is alive, counts and times each call, and reads with
several calls of its own; that costs more than the call. Here the call itself is the look: whatever fails is sent again
by the client, with all its retries, which is safe because every script may run twice.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
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
    exceptions.InvalidResponse,
    OSError,
)
# Most answers are smaller.
_READ_BYTES = 16 * 1024
_NOT_YET = object()


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
        try:
            line = self._idle.get_nowait()
        except Empty:
            line = self._one_more()
        try:
            return line.exchange(_packed(command))
        finally:
            self._idle.put(line)

    def close(self) -> None:
        """Close the idle ones; those in use, and later ones, close with their last reference."""
        with suppress(Empty):
            while True:
                self._idle.get_nowait().close()
                with self._lock:
                    self._made -= 1

    def _begin(self) -> None:
        self._process = os.getpid()
        # Also the lock: another thread may have held it when this process was forked.
        self._lock = threading.Lock()
        self._idle: SimpleQueue[_Line] = SimpleQueue()
        self._made = 0

    def _one_more(self) -> _Line:
        with self._lock:
            is_allowed = self._made < self._connections
            self._made += is_allowed
        return _Line(self._pool) if is_allowed else self._idle.get()


class _Line:
    """A connection that the client makes and greets. Opened by the first call, and again by the first after a break."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        self._connection: Any = None
        self._wire: Any = None
        self._reader: Any = None

    def exchange(self, packed: bytes) -> Any:
        if self._wire is None:
            self._open()
        wire, reader = self._wire, self._reader
        try:
            wire.sendall(packed)
            answer = _NOT_YET
            # What the server says without a question answers none.
            while answer is _NOT_YET or isinstance(answer, hiredis.PushNotification):
                if answer is _NOT_YET:
                    came = wire.recv(_READ_BYTES)
                    if not came:
                        raise exceptions.ConnectionError("closed by the server")
                    reader.feed(came)
                answer = reader.gets()
            if isinstance(answer, Exception):
                raise answer
            return answer
        except _BROKEN as error:
            self.close()
            raise LineBroken(type(error).__name__) from error
        except exceptions.ResponseError:
            raise
        except BaseException:
            # An unread answer would be taken for the answer to the next command.
            self.close()
            raise

    def close(self) -> None:
        self._wire = self._reader = None
        if self._connection is not None:
            self._connection.disconnect()

    def _open(self) -> None:
        connection = self._connection = self._connection or self._pool.make_connection()
        connection.connect()
        seconds = connection._sock.gettimeout()
        if seconds is not None:
            limit_waiting(connection._sock, seconds)
        self._reader = hiredis.Reader(
            protocolError=exceptions.InvalidResponse,
            replyError=connection._parser.parse_error,
            encoding=connection.encoder.encoding if connection.encoder.decode_responses else None,
            errors=connection.encoder.encoding_errors,
            notEnoughData=_NOT_YET,
        )
        self._wire = connection._sock


def as_read(word: Any) -> Any:
    """A word of a command as bytes, if it is text: what was no UTF-8 when it was read goes back as it came."""
    return word.encode("utf-8", "surrogateescape") if isinstance(word, str) else word


def _packed(command: Sequence[Any]) -> bytes:
    try:
        packed: bytes = hiredis.pack_command(tuple(command))
    except UnicodeEncodeError:
        packed = hiredis.pack_command(tuple(map(as_read, command)))
    return packed
