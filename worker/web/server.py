"""The web process: settings, sources, endpoints, store and server put together.

Without a source of events it has no door: then it only pushes notices.
"""

from __future__ import annotations

import logging
import resource
import signal
import socket
import threading
from types import FrameType

import uvicorn

from config.settings import Settings, SettingsError
from worker.observability import metrics
from worker.observability.endpoint import Endpoint
from worker.store import Store
from worker.web.connections import limited
from worker.web.ingress import Ingress
from worker.web.push.pusher import Pusher
from worker.web.readiness import Readiness

_log = logging.getLogger("parley.ingress")

# Requests that wait for the store at once: as many as the framework has threads.
_STORE_CONNECTIONS = 40
_STOP_SECONDS = 10
# A notice whose call takes longer is sent again by the next process.
_PUSH_STOP_SECONDS = 5
# Beside the connections of senders.
_OTHER_FILES = 200


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests that have begun are answered, notices that are being sent are waited for.

    Raises ``SettingsError`` when it cannot listen, or when a source or an endpoint cannot be as its settings say.
    """
    # The server repeats the signal when it has ended, and by default that ends the process before it has cleaned up.
    signal.signal(signal.SIGTERM, _end)
    store = Store(settings, connections=_STORE_CONNECTIONS + len(settings.notices.endpoints))
    try:
        pusher = Pusher(settings, store)
        if pusher.names and not settings.ingress.sources:
            _only_push(settings, store, pusher)
            return
        ingress = Ingress(settings, store)
        _allow_files(settings.ingress.connections + _OTHER_FILES)
        with _listening(settings) as listener:
            Endpoint.start(settings.metrics, metrics.web_registry(), ingress.readiness)
            _announce(ingress.sources.names, listener)
            _push(pusher)
            try:
                _server(settings, ingress).run([listener])
            finally:
                pusher.stop(_PUSH_STOP_SECONDS)
    finally:
        store.close()


def _end(_: int, __: FrameType | None) -> None:
    raise SystemExit(0)


def _only_push(settings: Settings, store: Store, pusher: Pusher) -> None:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    readiness = Readiness(store)
    Endpoint.start(settings.metrics, metrics.web_registry(), readiness)
    _log.info("no source is configured: this process listens to nobody, and pushes notices")
    _push(pusher)
    while not stopped.wait(1.0):
        readiness.alive()
    pusher.stop(_PUSH_STOP_SECONDS)


def _push(pusher: Pusher) -> None:
    if pusher.names:
        _log.info("notices go to: %s", ", ".join(pusher.names))
        pusher.start()


def _server(settings: Settings, ingress: Ingress) -> uvicorn.Server:
    limits = settings.ingress
    # It warns of each request that is no HTTP: a stranger would write our log.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    config = uvicorn.Config(
        ingress.application(),
        http=limited(limits),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=max(1, round(limits.idle_seconds)),
        timeout_graceful_shutdown=_STOP_SECONDS,
        callback_notify=ingress.readiness.beat,
        timeout_notify=1,
    )
    return uvicorn.Server(config)


def _listening(settings: Settings) -> socket.socket:
    address, port = settings.ingress.address, settings.ingress.port
    try:
        return socket.create_server(
            (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=2048
        )
    except OSError as error:
        # The library adds the address to what the system says.
        reason = (error.strerror or type(error).__name__).partition(" (")[0]
        raise SettingsError(
            f"PARLEY_INGRESS__PORT: the ingress cannot listen on {address} port {port} ({reason}): "
            "end what listens there, or set another port"
        ) from None


def _announce(sources: list[str], listener: socket.socket) -> None:
    address, port = listener.getsockname()[:2]
    _log.info("ingress on %s port %d, sources: %s", address, port, ", ".join(sources) or "none")
    if not sources:
        _log.warning("no source is configured, so nobody may send: set PARLEY_INGRESS__SOURCES__<NAME>__TOKEN")


def _allow_files(number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < number:
        wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
