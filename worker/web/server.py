"""The web process: settings, sources, endpoints, operators, store and servers put together.

Without a source of events it has no ingress when it has other work: the console, or notices to push.
"""

from __future__ import annotations

import errno
import logging
import resource
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from types import FrameType

import uvicorn
from starlette.applications import Starlette

from config.ingress import Ingress as Limits
from config.settings import Settings, SettingsError
from worker.observability import metrics
from worker.observability.endpoint import Endpoint
from worker.store import Store
from worker.web.connections import limited
from worker.web.console.application import Console
from worker.web.ingress import Ingress
from worker.web.push.pusher import Pusher
from worker.web.readiness import Readiness

_log = logging.getLogger("parley.ingress")
_log_console = logging.getLogger("parley.console")

# Requests that wait for the store at once: as many as the framework has threads.
_STORE_CONNECTIONS = 40
_STOP_SECONDS = 10
# A notice whose call takes longer is sent again by the next process.
_PUSH_STOP_SECONDS = 5
# Beside the connections of senders.
_OTHER_FILES = 200
_SET_ADDRESS = "set an address of this machine, such as 127.0.0.1, 0.0.0.0 for all, or ::1 without brackets"


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; requests that have begun are answered, notices that are being sent are waited for.

    Raises ``SettingsError`` when nothing is switched on, when it cannot listen, or when a source, an endpoint or an
    operator cannot be as the settings say.
    """
    # The server repeats the signal when it has ended, and by default that ends the process before it has cleaned up.
    signal.signal(signal.SIGTERM, _end)
    store = Store(settings, connections=_STORE_CONNECTIONS + len(settings.notices.endpoints))
    try:
        pusher = Pusher(settings, store)
        with ExitStack() as opened:
            doors = _doors(settings, store, opened, pushes=bool(pusher.names))
            if not doors:
                _only_push(settings, store, pusher)
                return
            _allow_files(settings.ingress.connections + settings.console.connections + _OTHER_FILES)
            Endpoint.start(settings.metrics, metrics.web_registry(), doors[0].readiness)
            for door in doors:
                door.announce()
            _push(pusher)
            try:
                _run(doors)
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


@dataclass(frozen=True, slots=True)
class _Door:
    server: uvicorn.Server
    listener: socket.socket
    readiness: Readiness
    announce: Callable[[], None]


def _run(doors: list[_Door]) -> None:
    # Each has a loop of its own, so that a page delays no event. Signals come to the first, in the main thread.
    first, *others = doors
    threads = [threading.Thread(target=each.server.run, args=([each.listener],), name="console") for each in others]
    for thread in threads:
        thread.start()
    try:
        first.server.run([first.listener])
    finally:
        for each in others:
            each.server.should_exit = True
        for thread in threads:
            thread.join(_STOP_SECONDS + 5)


def _doors(settings: Settings, store: Store, opened: ExitStack, *, pushes: bool) -> list[_Door]:
    # Without a source there is nobody to listen to: a process that has other work does without the ingress.
    other_work = pushes or settings.console.enabled
    listens = settings.ingress.enabled and bool(settings.ingress.sources or not other_work)
    if not (listens or other_work):
        raise SettingsError(
            "nothing is switched on: set PARLEY_INGRESS__ENABLED or PARLEY_CONSOLE__ENABLED, or an endpoint for notices"
        )
    ingress = [_ingress(settings, store, opened)] if listens else []
    return [*ingress, *([_console(settings, store, opened)] if settings.console.enabled else [])]


def _ingress(settings: Settings, store: Store, opened: ExitStack) -> _Door:
    ingress = Ingress(settings, store)
    listener = opened.enter_context(_listening("INGRESS", settings.ingress.address, settings.ingress.port))
    return _Door(
        _server(settings.ingress, ingress.application(), ingress.readiness),
        listener,
        ingress.readiness,
        lambda: _announce(ingress.sources.names, listener),
    )


def _console(settings: Settings, store: Store, opened: ExitStack) -> _Door:
    own = settings.console
    console = Console(settings, store)
    listener = opened.enter_context(_listening("CONSOLE", own.address, own.port))
    limits = settings.ingress.model_copy(update={"connections": own.connections})
    server = _server(limits, console.application(), console.readiness, list(own.proxies))
    console.stopping = lambda: server.should_exit
    return _Door(server, listener, console.readiness, lambda: _announce_console(console.operators.names, listener))


def _server(limits: Limits, app: Starlette, readiness: Readiness, proxies: list[str] | None = None) -> uvicorn.Server:
    # It warns of each request that is no HTTP: a stranger would write our log.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    config = uvicorn.Config(
        app,
        http=limited(limits),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=proxies or [],
        timeout_keep_alive=max(1, round(limits.idle_seconds)),
        timeout_graceful_shutdown=_STOP_SECONDS,
        callback_notify=readiness.beat,
        timeout_notify=1,
    )
    return uvicorn.Server(config)


def _listening(part: str, address: str, port: int) -> socket.socket:
    try:
        # The library leaves its socket open when it finds out by itself that this is no name.
        address.encode("idna")
        return socket.create_server(
            (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET, backlog=2048
        )
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"PARLEY_{part}__{_not_listening(part.lower(), address, port, error)}") from None


def _not_listening(door: str, address: str, port: int, error: OSError | UnicodeError) -> str:
    if not isinstance(error, OSError):
        # A name that no look-up takes, such as one with an empty part.
        return f"ADDRESS: the {door} cannot listen on {address} (not a host name): {_SET_ADDRESS}"
    # The library adds the address to what the system says.
    reason = (error.strerror or type(error).__name__).partition(" (")[0]
    where = f"the {door} cannot listen on {address} port {port} ({reason})"
    if error.errno == errno.EADDRINUSE:
        return f"PORT: {where}: end what listens there, or set another port"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"PORT: {where}: set a port from 1024 on, or start it with the right to use this one"
    return f"ADDRESS: the {door} cannot listen on {address} ({reason}): {_SET_ADDRESS}"


def _announce(sources: list[str], listener: socket.socket) -> None:
    address, port = listener.getsockname()[:2]
    _log.info("ingress on %s port %d, sources: %s", address, port, ", ".join(sources) or "none")
    if not sources:
        _log.warning("no source is configured, so nobody may send: set PARLEY_INGRESS__SOURCES__<NAME>__TOKEN")


def _announce_console(operators: list[str], listener: socket.socket) -> None:
    address, port = listener.getsockname()[:2]
    _log_console.info("console on %s port %d, operators: %d", address, port, len(operators))
    if not operators:
        _log_console.warning("there is no operator, so nobody may log in: parley operator add")


def _allow_files(number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < number:
        wanted = number if hard == resource.RLIM_INFINITY else min(number, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
