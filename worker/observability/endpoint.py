"""The HTTP endpoint of a process: ``/metrics``, ``/live`` and ``/ready``."""

from __future__ import annotations

import atexit
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from config.settings import Metrics
from worker.observability import announcements
from worker.observability.health import Health, Verdict

_log = logging.getLogger("parley.metrics")

MOST_CONNECTIONS = 32
_MOST_HEAD_BYTES = 8 * 1024


Respond = Callable[[str, list[tuple[str, str]]], Any]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a caller may take to ask, and each time to take a part of the answer."""

    ask_seconds: float = 5.0
    answer_seconds: float = 10.0


class _Handler(WSGIRequestHandler):
    server: _Server

    def setup(self) -> None:
        """Read the request within its limits, before the library does."""
        super().setup()
        self._request = _head(self.connection, self.server.patience)
        self.rfile.close()
        self.rfile = BytesIO(self._request)
        self.server.asked(self.connection)

    def handle(self) -> None:
        """Answer. A client without a complete request gets nothing."""
        if self._request:
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
        """Log nothing: a line for each scrape is of no use."""


class _Server(ThreadingWSGIServer):
    """Each connection has a thread, a time limit for its request and one for its answer. When all places are taken, the
    oldest connection without a request is closed, so that idle clients cannot block the others."""

    request_queue_size = 128

    def __init__(self, *args: Any, patience: Patience) -> None:
        self.patience = patience
        # Whether each connection has sent its request. The oldest first.
        self._open: dict[socket.socket, bool] = {}
        self._lock = threading.Lock()
        super().__init__(*args)

    def server_bind(self) -> None:
        """Bind as the library does, but without a look-up of our own name."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give the connection a place and a thread."""
        with self._lock:
            if len(self._open) >= MOST_CONNECTIONS:
                silent = (connection for connection, has_asked in self._open.items() if not has_asked)
                self._hang_up(next(silent, next(iter(self._open))))
            self._open[request] = False
        super().process_request(request, client_address)

    def asked(self, connection: socket.socket) -> None:
        """The request of a connection is complete."""
        with self._lock:
            if connection in self._open:
                self._open[connection] = True

    def shutdown_request(self, request: Any) -> None:
        """The request was answered, or given up."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def _hang_up(self, connection: socket.socket) -> None:
        # The thread sees the end of the connection and closes it.
        del self._open[connection]
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing: the client has hung up."""


def _head(connection: socket.socket, patience: Patience) -> bytes:
    """Read a request up to its blank line. Empty if it is late or too long. No body is ever read."""
    until, head = time.monotonic() + patience.ask_seconds, b""
    while not (b"\r\n\r\n" in head or b"\n\n" in head):
        left = until - time.monotonic()
        if left <= 0 or len(head) > _MOST_HEAD_BYTES:
            return b""
        connection.settimeout(left)
        try:
            piece = connection.recv(_MOST_HEAD_BYTES)
        except OSError:
            return b""
        if not piece:
            return b""
        head += piece
    connection.settimeout(patience.answer_seconds)
    return head


class _Server6(_Server):
    address_family = socket.AF_INET6


class Endpoint:
    """Serves one process, from a thread of its own, until the process ends."""

    def __init__(self, server: WSGIServer, announcement: Path | None = None) -> None:
        self._server = server
        self._announcement = announcement
        self.port: int = server.server_port

    @classmethod
    def start(
        cls, settings: Metrics, registry: CollectorRegistry, health: Health, patience: Patience | None = None
    ) -> Endpoint | None:
        """Listen on the first free port of the settings' range. None when the endpoint is off, or when no port is free,
        which is logged: a process works without its endpoint. ``patience``: with each caller."""
        if settings.port == 0:
            return None
        token = announcements.new_token()
        app = application(registry, health, token)
        family = _Server6 if ":" in settings.address else _Server
        for port in range(settings.port, settings.port + settings.ports):
            try:
                server = family((settings.address, port), _Handler, patience=patience or Patience())
            except OSError as error:
                refusal = error
                continue
            server.set_app(app)
            threading.Thread(target=server.serve_forever, name="parley-endpoint", daemon=True).start()
            _log.info("metrics and health on %s port %d", settings.address, port)
            said = announcements.announce(settings.port, settings.address, server.server_port, token)
            atexit.register(announcements.withdraw, said)
            return cls(server, said)
        atexit.register(announcements.withdraw, announcements.announce(settings.port, settings.address, 0, token))
        _log.warning(
            "no metrics and no health: no port of %d to %d on %s could be opened (%s). Set PARLEY_METRICS__PORT",
            settings.port,
            settings.port + settings.ports - 1,
            settings.address,
            refusal.strerror,
        )
        return None

    def close(self) -> None:
        """Stop listening."""
        announcements.withdraw(self._announcement)
        self._server.shutdown()
        self._server.server_close()


def application(
    registry: CollectorRegistry, health: Health, token: str
) -> Callable[[dict[str, Any], Respond], Iterable[bytes]]:
    """The WSGI application of an endpoint. ``token``: the name of this process, which its verdicts carry."""
    metrics: Callable[[dict[str, Any], Respond], Iterable[bytes]] = make_wsgi_app(registry)
    verdicts = {"/live": health.live, "/ready": health.ready}

    def serve(environ: dict[str, Any], respond: Respond) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            return metrics(environ, respond)
        if verdict := verdicts.get(path):
            return _tell(verdict(), token, respond)
        return _answer(HTTPStatus.NOT_FOUND, "there is /metrics, /live and /ready", respond)

    return serve


def _tell(verdict: Verdict, token: str, respond: Respond) -> Iterable[bytes]:
    status = HTTPStatus.OK if verdict.good else HTTPStatus.SERVICE_UNAVAILABLE
    return _answer(status, verdict.says, respond, (announcements.HEADER, token))


def _answer(status: HTTPStatus, text: str, respond: Respond, *more: tuple[str, str]) -> Iterable[bytes]:
    body = f"{text}\n".encode()
    head = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))), *more]
    respond(f"{status.value} {status.phrase}", head)
    return [body]
