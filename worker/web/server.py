"""The web process: settings, sources, store and server put together."""

from __future__ import annotations

import logging
import resource
import socket

import uvicorn

from config.settings import Settings, SettingsError
from worker.observability import metrics
from worker.observability.endpoint import Endpoint
from worker.store import Store
from worker.web.connections import limited
from worker.web.ingress import Ingress

_log = logging.getLogger("parley.ingress")

# Requests that wait for the store at once: as many as the framework has threads.
_STORE_CONNECTIONS = 40
_STOP_SECONDS = 10
# Beside the connections of senders.
_OTHER_FILES = 200


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests that have begun are answered.

    Raises ``SettingsError`` when it cannot listen, or when a source cannot be as its settings say.
    """
    store = Store(settings, connections=_STORE_CONNECTIONS)
    try:
        ingress = Ingress(settings, store)
        _allow_files(settings.ingress.connections + _OTHER_FILES)
        with _listening(settings) as listener:
            Endpoint.start(settings.metrics, metrics.web_registry(), ingress.readiness)
            _announce(ingress.sources.names, listener)
            _server(settings, ingress).run([listener])
    finally:
        store.close()


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
