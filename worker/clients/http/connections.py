"""HTTP connections for hundreds of threads that wait at once.

One shared ``httpx.Client`` walks all its connections for every request and every release, so its cost grows with the
square of the calls in flight (encode/httpcore#1035). Here each call checks one connection out of a stack and puts it
back: the cost of a call does not depend on how many others are waiting. The connection returned last is reused first,
so the idle ones at the bottom grow old and are closed.

One call is one request: nothing here retries, follows a redirect, keeps a cookie or reads a proxy from the environment.
Calls through an outgoing proxy are made by ``worker.clients.http.proxies``.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import httpcore
import httpx

from worker.clients.http.answers import Answer, AnswerTooLarge, NotSent, Timeouts, Unanswered, description
from worker.clients.http.heads import AnswerOutOfBounds, NoSuchAnswer
from worker.clients.http.messages import AnswerReader, request_bytes
from worker.clients.http.proxies import ProxiedCalls
from worker.clients.http.requests import Asked, NoSuchRequest
from worker.clients.http.streams import CheckAddress, Deadline, Network, NetworkStream

__all__ = [
    "KEEPALIVE_SECONDS",
    "MAX_RESPONSE_BYTES",
    "Answer",
    "AnswerTooLarge",
    "Connections",
    "NotSent",
    "Timeouts",
    "Unanswered",
]

# If the server closes an idle connection while we write, the outcome is "unknown". Common servers close
# idle connections after 5 s or more, so we close them earlier.
KEEPALIVE_SECONDS = 4.0
MAX_RESPONSE_BYTES = 4 * 1024 * 1024
# A thread that waits for an answer holds a buffer of this size; most answers are smaller.
READ_BYTES = 2 * 1024

_TOO_LARGE = 413
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


class Connections:
    """Sends requests, each over a connection of its own while it lasts; connections are kept alive and reused.

    Safe for any number of threads. ``check_address(host, port)`` may refuse a host by raising, or return the
    addresses to connect to (so that a name cannot point elsewhere between check and connect); it runs once for each
    new connection, in a thread of its own for a name. Make it after a fork, not before.

    ``ca_path``: a file of certificates (PEM) of those who may also have signed a server's, beside the usual ones.
    ``proxy``: the URL of a proxy that all calls go through, http or https, with user and password if it wants them.
    """

    def __init__(
        self,
        *,
        keepalive_seconds: float = KEEPALIVE_SECONDS,
        check_address: CheckAddress | None = None,
        ca_path: Path | None = None,
        proxy: str | None = None,
    ) -> None:
        self._keepalive_seconds = keepalive_seconds
        self._network = Network(check_address)
        self._idle: deque[tuple[float, _Line]] = deque()
        self._lock = threading.Lock()
        self._closed = False
        self._ca_path = ca_path
        self._ssl_context: ssl.SSLContext | None = None
        self._proxied = ProxiedCalls(proxy, self._tls, keepalive_seconds, check_address) if proxy else None

    def send(self, request: Asked, timeouts: Timeouts, max_response_bytes: int = MAX_RESPONSE_BYTES) -> Answer:
        """Send one request once and return its complete answer.

        Raises ``NotSent`` or ``Unanswered``, chained to a cause that cannot quote headers or content.
        A body of more than ``max_response_bytes`` counts as unanswered.
        """
        if self._proxied is not None:
            return self._proxied.send(request, timeouts, max_response_bytes)
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
        if self._proxied is not None:
            self._proxied.close()

    def _check_out(self) -> _Line:
        with self._lock:
            if self._idle:
                return self._idle.pop()[1]
        return _Line(self._network, self._tls, self._keepalive_seconds)

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
        # Loading the trust store costs 20 ms: once for all connections, when the first speaks TLS.
        with self._lock:
            if self._ssl_context is None:
                self._ssl_context = httpx.create_ssl_context(trust_env=False)
                if self._ca_path is not None:
                    self._ssl_context.load_verify_locations(self._ca_path)
                self._ssl_context.set_alpn_protocols(["http/1.1"])
                # A server that asks for one handshake after the other keeps a thread busy.
                self._ssl_context.options |= ssl.OP_NO_RENEGOTIATION
            return self._ssl_context


class _Line:
    """One connection: at most one request at a time, reconnects when the old connection has gone."""

    def __init__(self, network: Network, tls: Callable[[], ssl.SSLContext], keepalive_seconds: float) -> None:
        self._network = network
        self._tls = tls
        self._keepalive_seconds = keepalive_seconds
        self._deadline = Deadline()
        self._stream: NetworkStream | None = None
        self._url: httpx.URL | None = None
        self._origin: _Origin | None = None
        self._used_at = 0.0

    def exchange(self, request: Asked, timeouts: Timeouts, max_response_bytes: int) -> Answer:
        self._deadline.begin(timeouts.total)
        reader, all_sent = AnswerReader(), True
        try:
            data = request_bytes(request)
            stream = self._connected(request.url, timeouts)
            all_sent = _send(stream, data, reader, timeouts, max_response_bytes)
            while not reader.complete:
                _take(reader, stream.read(READ_BYTES, timeouts.read), max_response_bytes)
        except _FAILURES as error:
            status = reader.status or 0
            if status == _TOO_LARGE or (status >= 300 and not all_sent):
                # The server refused the request; the rest of its answer is lost.
                self.close()
                return Answer(status, reader.fields, b"")
            raise self._failure(error, reader) from error
        self._used_at = time.monotonic()
        if not (all_sent and reader.reusable):
            # Bytes that are left over would be taken for the next answer, and may belong to another request.
            self.close()
        return Answer(reader.status or 0, reader.fields, reader.body)

    def _failure(self, error: Exception, reader: AnswerReader) -> NotSent | Unanswered:
        if not self._deadline.written:
            return NotSent(description(error))
        kind = AnswerTooLarge if isinstance(error, AnswerOutOfBounds) else Unanswered
        begun = None if reader.status is None else Answer(reader.status, reader.fields, b"")
        return kind(description(error), begun)

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _connected(self, url: httpx.URL, timeouts: Timeouts) -> NetworkStream:
        # A client calls the same few addresses again and again; taking one apart costs more than the look at a socket.
        origin = self._origin if url is self._url else _origin_of(url)
        if self._stream is not None:
            if origin == self._origin and not self._stale(self._stream):
                self._url = url
                return self._stream
            self.close()
        if url.raw_scheme not in _PORTS:
            raise httpcore.UnsupportedProtocol("neither http nor https")
        tls = self._tls if url.raw_scheme == b"https" else None
        host = url.raw_host.decode("ascii")
        self._stream = self._network.connect(
            host, url.port or _PORTS[url.raw_scheme], tls, self._deadline, timeouts.connect
        )
        self._url, self._origin = url, origin
        return self._stream

    def _stale(self, stream: NetworkStream) -> bool:
        return time.monotonic() - self._used_at > self._keepalive_seconds or stream.has_something()


def _origin_of(url: httpx.URL) -> _Origin:
    return url.raw_scheme, url.raw_host, url.port or _PORTS.get(url.raw_scheme, 0)


def _send(
    stream: NetworkStream, data: bytes, reader: AnswerReader, timeouts: Timeouts, max_response_bytes: int
) -> bool:
    """Whether all of the request was taken. A server may refuse a large one before it has read all of it, and break
    off: then what it said counts, not that the rest could not be written."""
    # All of a small request in one packet.
    writing = stream.write(data, timeouts.read)
    try:
        for said in writing:
            _take(reader, said, max_response_bytes)
            if reader.complete or (reader.status or 0) >= 300:
                return False
    except httpcore.WriteError:
        return False
    return True


def _take(reader: AnswerReader, piece: bytes, max_response_bytes: int) -> None:
    reader.feed(piece)
    if reader.size > max_response_bytes:
        raise AnswerOutOfBounds(f"the answer is larger than {max_response_bytes} bytes")
