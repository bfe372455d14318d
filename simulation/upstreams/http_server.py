"""Both doubles in one process and one event loop, by uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import uvicorn

from simulation.upstreams.captivate_server import CaptivateServer
from simulation.upstreams.exchange import DroppableHttpProtocol
from simulation.upstreams.fluidtalk_server import FluidTalkServer
from simulation.upstreams.simulation import Simulation
from simulation.upstreams.upstream import Upstream

_WAITING_CONNECTIONS = 4096
_POLL_SECONDS = 0.005
# Calls that hang or are slow are cut off after this at the end of the process.
_GRACE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the doubles listen, such as ``http://127.0.0.1:8001``."""

    fluidtalk_url: str
    captivate_url: str


class _Server(uvicorn.Server):
    """Leaves the signals to whoever runs it, because there are two servers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    simulation: Simulation, ready: Callable[[Addresses], Any], host: str, fluidtalk_port: int, captivate_port: int
) -> None:
    """Serve both doubles until SIGTERM or SIGINT; call ``ready`` once both listen. Port 0 stands for a free one.

    Raises ``OSError`` if a port is taken.
    """
    loop = asyncio.get_running_loop()
    with _listen(host, fluidtalk_port) as fluidtalk_socket, _listen(host, captivate_port) as captivate_socket:
        sockets = (fluidtalk_socket, captivate_socket)
        servers = (_server(FluidTalkServer(simulation)), _server(CaptivateServer(simulation)))

        def stop() -> None:
            simulation.release()
            for server in servers:
                server.should_exit = True

        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop)
        async with asyncio.TaskGroup() as group:
            for server, listening in zip(servers, sockets, strict=True):
                group.create_task(server.serve([listening]))
            while not all(server.started or server.should_exit for server in servers):
                await asyncio.sleep(_POLL_SECONDS)
            ready(Addresses(*(_url(listening) for listening in sockets)))


def _server(upstream: Upstream) -> _Server:
    config = uvicorn.Config(
        upstream,
        http=DroppableHttpProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        # What goes wrong in a double is logged by the double; the rest is the faults it was asked for.
        log_level="critical",
        server_header=False,
        backlog=_WAITING_CONNECTIONS,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    return _Server(config)


def _listen(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_WAITING_CONNECTIONS)
    except OSError:
        listening.close()
        raise
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()
    return f"http://{host}:{port}"
