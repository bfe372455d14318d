"""HTTP connections for hundreds of threads that wait at once.

One shared ``httpx.Client`` walks all its connections for every request and every release, so its cost grows with the
square of the calls in flight (encode/httpcore#1035). Here each call checks one connection out of a stack and puts it
back: the cost of a call does not depend on how many others are waiting. The connection returned last is reused first,
so the idle ones at the bottom grow old and are closed.

One call is one request: nothing here retries, follows a redirect, keeps a cookie or reads a proxy from the environment.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpcore
import httpx

from worker.http_messages import AnswerReader, NoSuchAnswer, NoSuchRequest, request_bytes
from worker.sockets import limit_waiting

SocketOption = Any
CheckAddress = Callable[[str, int], str]

# An idle connection that the server closes in the moment when we write would end as "unknown". Common servers close
# idle connections after 5 s or more, so we let go earlier.
KEEPALIVE_SECONDS = 4.0
MAX_RESPONSE_BYTES = 4 * 1024 * 1024
WRITE_BYTES = 64 * 1024
# A thread that waits for an answer holds a buffer of this size; most answers are smaller.
READ_BYTES = 4 * 1024

_PORTS = {b"http": 80, b"https": 443}
# None of them quotes what was sent or what came.
_FAILURES = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.UnsupportedProtocol,
    NoSuchAnswer,
    NoSuchRequest,
)
_Origin = tuple[bytes, bytes, int]


class NotSent(Exception):
    """No byte of the request left this machine, so the server cannot have acted on it. Safe to try again."""


class Unanswered(Exception):
    """At least one byte was written and no complete answer came back: the server may have acted.

    ``status`` is the HTTP status when at least the head of the answer arrived, else None.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class AnswerTooLarge(Unanswered):
    """The answer has more bytes than were asked for; the rest was not read."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one call may take, in seconds.

    ``connect`` covers name look-up to TLS handshake, ``read`` the silence between two pieces of the answer, ``total``
    the whole call from the first to the last byte, so that an answer that drips in cannot hold a thread for ever.
    """

    connect: float
    read: float
    total: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer: status code, headers, and the body as it came.

    No content coding is asked for and none is undone: a compressed answer reads as an unreadable one.
    """

    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def sent_at(self) -> datetime:
        """When it was sent by the clock of the server (its Date header), which is also the clock that a date in
        Retry-After counts by; by our own clock if the server does not say."""
        try:
            sent_at = parsedate_to_datetime(self.headers.get("Date", ""))
        except (ValueError, TypeError, IndexError, OverflowError):
            return datetime.now(UTC)
        return sent_at if sent_at.tzinfo else sent_at.replace(tzinfo=UTC)


class Connections:
    """Sends requests, each over a connection of its own while it lasts; connections are kept alive and reused.

    Safe for any number of threads. ``check_address(host, port)`` may refuse a host by raising, or return the address
    to connect to (so that a name cannot point elsewhere between check and connect); it runs once for each new
    connection. Make it after a fork, not before.
    """

    def __init__(
        self, *, keepalive_seconds: float = KEEPALIVE_SECONDS, check_address: CheckAddress | None = None
    ) -> None:
        self._keepalive_seconds = keepalive_seconds
        self._check_address = check_address
        self._idle: deque[tuple[float, _Line]] = deque()
        self._lock = threading.Lock()
        self._closed = False
        self._ssl_context: ssl.SSLContext | None = None

    def send(self, request: httpx.Request, timeouts: Timeouts, max_response_bytes: int = MAX_RESPONSE_BYTES) -> Answer:
        """Send one request once and return its complete answer.

        Raises ``NotSent`` or ``Unanswered``, chained to a cause that cannot quote headers or content.
        A body of more than ``max_response_bytes`` counts as unanswered.
        """
        line = self._check_out()
        try:
            answer = line.exchange(request, timeouts, max_response_bytes)
        except BaseException:
            line.close()
            raise
        self._check_in(line)
        return answer

    def close(self) -> None:
        """Close all idle connections. Calls in flight, and later ones, close theirs when they are done."""
        with self._lock:
            self._closed = True
            idle = [line for _, line in self._idle]
            self._idle.clear()
        for line in idle:
            line.close()

    def _check_out(self) -> _Line:
        with self._lock:
            if self._idle:
                return self._idle.pop()[1]
        return _Line(self._tls(), self._keepalive_seconds, self._check_address)

    def _check_in(self, line: _Line) -> None:
        now = time.monotonic()
        stale: list[_Line] = []
        with self._lock:
            if self._closed:
                stale.append(line)
            else:
                self._idle.append((now, line))
            while self._idle and self._idle[0][0] < now - self._keepalive_seconds:
                stale.append(self._idle.popleft()[1])
        for old in stale:
            old.close()

    def _tls(self) -> ssl.SSLContext:
        # Loading the trust store costs 20 ms: once for all connections.
        with self._lock:
            if self._ssl_context is None:
                self._ssl_context = httpx.create_ssl_context(trust_env=False)
                self._ssl_context.set_alpn_protocols(["http/1.1"])
            return self._ssl_context


class _Line:
    """One connection: at most one request at a time, reconnects when the old connection has gone."""

    def __init__(
        self, ssl_context: ssl.SSLContext, keepalive_seconds: float, check_address: CheckAddress | None
    ) -> None:
        self._ssl_context = ssl_context
        self._keepalive_seconds = keepalive_seconds
        self._network = _Network(check_address)
        self._stream: httpcore.NetworkStream | None = None
        self._origin: _Origin | None = None
        self._used_at = 0.0

    def exchange(self, request: httpx.Request, timeouts: Timeouts, max_response_bytes: int) -> Answer:
        self._network.begin(time.monotonic() + timeouts.total)
        reader = AnswerReader()
        try:
            data = request_bytes(request)
            stream = self._connected(request.url, timeouts)
            # A server may refuse a large request before it has read all of it; then the answer is there to be read.
            with suppress(httpcore.WriteError):
                # All of a small request in one packet.
                stream.write(data, timeouts.read)
            while not reader.complete:
                reader.feed(stream.read(READ_BYTES, timeouts.read))
                if reader.size > max_response_bytes:
                    raise AnswerTooLarge(f"the answer is larger than {max_response_bytes} bytes", reader.status)
        except _FAILURES as error:
            raise self._failure(error, reader.status) from error
        self._used_at = time.monotonic()
        if not reader.reusable:
            # What is left over would be taken for the next answer, and may be meant for somebody else.
            self.close()
        return Answer(reader.status or 0, reader.headers, reader.body)

    def _failure(self, error: Exception, status: int | None) -> NotSent | Unanswered:
        if self._network.written:
            return Unanswered(_describe(error), status)
        return NotSent(_describe(error))

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _connected(self, url: httpx.URL, timeouts: Timeouts) -> httpcore.NetworkStream:
        origin = (url.raw_scheme, url.raw_host, url.port or _PORTS.get(url.raw_scheme, 0))
        if self._stream is not None:
            if origin == self._origin and not self._stale(self._stream):
                return self._stream
            self.close()
        if url.raw_scheme not in _PORTS:
            raise httpcore.UnsupportedProtocol("neither http nor https")
        host = url.raw_host.decode("ascii")
        stream: httpcore.NetworkStream = self._network.connect_tcp(host, origin[2], timeouts.connect)
        if url.raw_scheme == b"https":
            stream = stream.start_tls(self._ssl_context, host, timeouts.connect)
        self._stream, self._origin = stream, origin
        return stream

    def _stale(self, stream: httpcore.NetworkStream) -> bool:
        # Something to read before anything was asked: the end of the connection, or what nobody asked for.
        return time.monotonic() - self._used_at > self._keepalive_seconds or bool(stream.get_extra_info("is_readable"))


class _Network(httpcore.SyncBackend):
    """Knows for the request under way when it must be over, whether any byte of it was written."""

    def __init__(self, check_address: CheckAddress | None) -> None:
        self._check_address = check_address
        self._deadline = 0.0
        self.written = False

    def begin(self, deadline: float) -> None:
        self._deadline = deadline
        self.written = False

    def remaining(self, timeout: float | None) -> float:
        left = self._deadline - time.monotonic()
        return max(0.001, left if timeout is None else min(timeout, left))

    def overdue(self) -> bool:
        return time.monotonic() >= self._deadline

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SocketOption] | None = None,
    ) -> httpcore.NetworkStream:
        address = self._check_address(host, port) if self._check_address else host
        try:
            stream = super().connect_tcp(address, port, self.remaining(timeout), local_address, socket_options)
        except (UnicodeError, OverflowError) as error:  # a host or a port that cannot exist
            raise httpcore.ConnectError(error) from error
        return _Stream(stream, self)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, network: _Network) -> None:
        self._stream = stream
        self._network = network
        self._wire: socket.socket = stream.get_extra_info("socket")
        self._seconds = 0.0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._network.overdue():
            raise httpcore.ReadTimeout("the call took longer than its total time allows")
        wire = self._patient(timeout)
        try:
            return wire.recv(max_bytes)
        except (TimeoutError, BlockingIOError) as error:
            raise httpcore.ReadTimeout(error) from error
        except OSError as error:
            raise httpcore.ReadError(error) from error

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        # In pieces: a server that takes a large body drop by drop must not outlast the deadline either.
        for start in range(0, len(buffer), WRITE_BYTES):
            if self._network.overdue():
                raise httpcore.WriteTimeout("the call took longer than its total time allows")
            wire = self._patient(timeout)
            self._network.written = True
            try:
                wire.sendall(buffer[start : start + WRITE_BYTES])
            except (TimeoutError, BlockingIOError) as error:
                raise httpcore.WriteTimeout(error) from error
            except OSError as error:
                raise httpcore.WriteError(error) from error

    def _patient(self, timeout: float | None) -> socket.socket:
        seconds = self._network.remaining(timeout)
        if seconds != self._seconds:
            self._seconds = seconds
            limit_waiting(self._wire, seconds)
        return self._wire

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, self._network.remaining(timeout))
        return _Stream(stream, self._network)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _describe(error: Exception) -> str:
    if isinstance(error, NoSuchAnswer | NoSuchRequest):
        return f"{type(error).__name__}: {error}"
    # Only what the system says is sure to quote nothing.
    cause = error.args[0] if error.args else None
    if isinstance(cause, OSError) and cause.strerror:
        return f"{type(error).__name__}: {cause.strerror}"
    return type(error).__name__
