"""HTTP through an outgoing proxy.

The pool of httpcore does the work, as under httpx's own transport. With many calls at once it is slower than
``clients.http.connections``, but it is well maintained. This module adds the total time of a call, and whether anything
reached the server.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import httpcore
import httpx

from worker.clients.http.answers import Answer, AnswerTooLarge, NotSent, Timeouts, Unanswered, description
from worker.clients.http.deadlines import Helpers
from worker.clients.http.heads import AnswerOutOfBounds
from worker.clients.http.messages import request_bytes
from worker.clients.http.requests import Asked, NoSuchRequest, Request, plain
from worker.clients.http.streams import MOST_LOOK_UPS, WRITE_BYTES, CheckAddress

_PROXY_WANTS_A_LOGIN = 407
_PORTS = {"http": 80, "https": 443}
_FAILURES = (
    httpcore.TimeoutException,
    httpcore.NetworkError,
    httpcore.ProtocolError,
    httpcore.ProxyError,
    httpcore.UnsupportedProtocol,
    AnswerOutOfBounds,
    NoSuchRequest,
)


class ProxiedCalls:
    """Sends requests through one proxy. Safe for threads.

    ``proxy``: its URL, http or https, with user and password if it wants them; no text here quotes it. ``tls``: gives
    the context for https servers, and for a proxy that speaks https itself. ``check_address``: what may refuse a host.
    The proxy looks up names itself. So a name that is unknown here passes, and the proxy may use another address.
    """

    def __init__(
        self,
        proxy: str,
        tls: Callable[[], ssl.SSLContext],
        keepalive_seconds: float,
        check_address: CheckAddress | None = None,
    ) -> None:
        self._proxy = httpx.Proxy(proxy)
        self._tls = tls
        self._keepalive_seconds = keepalive_seconds
        self._check_address = check_address
        self._helpers = Helpers(MOST_LOOK_UPS)
        self._lock = threading.Lock()
        self._network = _Network()
        self._closed = False
        self._pool: httpcore.HTTPProxy | None = None

    def send(self, request: Asked, timeouts: Timeouts, max_response_bytes: int) -> Answer:
        """As ``Connections.send``."""
        until = time.monotonic() + timeouts.total
        self._check(request.url, min(timeouts.connect, timeouts.total))
        call = _Call(timeouts)
        try:
            asked = plain(request)
            request_bytes(asked)
            with self._network.until(until):
                return call.make(self._connected(), asked, max_response_bytes)
        except _FAILURES as error:
            raise call.failure(error) from error
        finally:
            if self._closed:
                self._close_idle()

    def close(self) -> None:
        """Close the idle connections. Calls in flight, and later ones, close theirs when they are done."""
        self._closed = True
        self._close_idle()

    def _close_idle(self) -> None:
        # The pool's own close would cut off the calls in flight.
        for connection in self._pool.connections if self._pool else ():
            if connection.is_idle():
                connection.close()

    def _connected(self) -> httpcore.HTTPProxy:
        context = self._tls()
        with self._lock:
            if self._pool is None:
                url = self._proxy.url
                self._pool = httpcore.HTTPProxy(
                    proxy_url=_plain_url(url),
                    proxy_auth=self._proxy.raw_auth,
                    ssl_context=context,
                    proxy_ssl_context=context if url.scheme == "https" else None,
                    max_connections=None,
                    keepalive_expiry=self._keepalive_seconds,
                    network_backend=self._network,
                )
            return self._pool

    def _check(self, url: httpx.URL, seconds: float) -> None:
        check, host, port = self._check_address, url.host, url.port or _PORTS.get(url.scheme, 0)
        if check is not None:
            # What this machine cannot look up, the proxy may: behind one there often are no names.
            with suppress(NotSent, TimeoutError, RuntimeError):
                self._helpers.run(lambda: check(host, port), seconds)


class _Call:
    def __init__(self, timeouts: Timeouts) -> None:
        self._timeouts = timeouts
        self._sent = False
        self._begun: Answer | None = None

    def make(self, pool: httpcore.HTTPProxy, request: Request, max_response_bytes: int) -> Answer:
        response = pool.handle_request(self._plain(request))
        try:
            self._begun = Answer(response.status, response.headers, b"")
            if response.status == _PROXY_WANTS_A_LOGIN:
                raise httpcore.ProxyError(str(response.status))
            content = bytearray()
            for piece in response.iter_stream():
                content += piece
                if len(content) > max_response_bytes:
                    raise AnswerOutOfBounds(f"the answer is larger than {max_response_bytes} bytes")
            return Answer(response.status, response.headers, bytes(content))
        finally:
            response.close()

    def failure(self, error: Exception) -> NotSent | Unanswered:
        if isinstance(error, httpcore.ProxyError):
            status = str(error)[:3]
            return NotSent(f"the proxy answered {status}" if status.isdecimal() else "the proxy refused the connection")
        if isinstance(error, httpcore.ProtocolError):  # it can quote what came
            error = type(error)()
        if not self._sent:
            return NotSent(f"through the proxy: {description(error)}")
        kind = AnswerTooLarge if isinstance(error, AnswerOutOfBounds) else Unanswered
        return kind(description(error), self._begun)

    def _plain(self, request: Request) -> httpcore.Request:
        times = {"connect": self._timeouts.connect, "read": self._timeouts.read, "write": self._timeouts.read}
        return httpcore.Request(
            request.method,
            _plain_url(request.url),
            headers=request.all_fields,
            content=request.body,
            extensions={"timeout": times, "trace": self._note},
        )

    def _note(self, event: str, info: dict[str, Any]) -> None:
        # The first request on a connection to a proxy is often one to the proxy itself.
        if event == "http11.send_request_headers.started" and info["request"].method != b"CONNECT":
            self._sent = True


class _Until(threading.local):
    moment = float("inf")

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self.moment = float("inf")

    def within(self, seconds: float | None, error: type[Exception]) -> float:
        """``seconds``, or what is left of the call if that is less. Raises ``error`` when nothing is."""
        left = self.moment - time.monotonic()
        if left <= 0:
            raise error("the call took longer than its total time allows")
        return left if seconds is None else min(seconds, left)


class _Network(httpcore.NetworkBackend):
    """The network of httpcore, whose every step ends with the call of its thread."""

    def __init__(self) -> None:
        self._until = _Until()
        self._network = httpcore.SyncBackend()

    def until(self, moment: float) -> _Until:
        """A context: calls of this thread end at a moment of the monotonic clock."""
        self._until.moment = moment
        return self._until

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        seconds = self._until.within(timeout, httpcore.ConnectTimeout)
        return _Stream(self._network.connect_tcp(host, port, seconds, local_address, socket_options), self._until)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream, until: _Until) -> None:
        self._stream = stream
        self._until = until

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._until.within(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        for start in range(0, len(buffer), WRITE_BYTES):
            seconds = self._until.within(timeout, httpcore.WriteTimeout)
            self._stream.write(buffer[start : start + WRITE_BYTES], seconds)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        seconds = self._until.within(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, seconds), self._until)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _plain_url(url: httpx.URL) -> httpcore.URL:
    return httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
