"""Load on an HTTP server over raw sockets: as much as it takes, or an even rate.

Each connection has one request under way. An even rate is one of arrivals: a request that finds no free connection
waits for one, and its time counts from its arrival.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import TypeAlias, cast

import uvloop

# Gives the bytes of the next request.
Requests = Iterator[bytes]
Done: TypeAlias = "Callable[[_Connection, float], None]"

_STATUS = slice(9, 12)


def as_much_as_it_takes(port: int, requests: Requests, *, connections: int, seconds: float) -> int:
    """Ask on all connections for so long. Returns how many answers came. Raises ``RuntimeError`` for one that is not
    202."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_as_much(port, requests, connections, seconds))


def at_a_rate(port: int, requests: Requests, *, connections: int, per_second: float, number: int) -> list[float]:
    """Let ``number`` requests arrive at an even rate of ``per_second``. Returns how long each took, in seconds.

    Raises ``RuntimeError`` as ``as_much_as_it_takes`` does."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_at_rate(port, requests, connections, per_second, number))


async def _as_much(port: int, requests: Requests, connections: int, seconds: float) -> int:
    return await _Load(requests).as_much_as_it_takes(port, connections, seconds)


async def _at_rate(port: int, requests: Requests, connections: int, per_second: float, number: int) -> list[float]:
    return await _Load(requests).at_a_rate(port, connections, per_second, number)


class _Connection(asyncio.Protocol):
    """One connection. ``done``: called with each answer and with the moment that ``ask`` was given."""

    def __init__(self, done: Done, failed: asyncio.Future[None]) -> None:
        self._done = done
        self._failed = failed
        self._answer = b""
        self._arrived_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio.Transport without being one.
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, arrived_at: float) -> None:
        """Send a request."""
        assert self._transport is not None
        self._arrived_at = arrived_at
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if head[_STATUS] != b"202":
            if not self._failed.done():
                self._failed.set_exception(RuntimeError(f"unexpected answer: {head[:12].decode()}"))
            return
        self._answer = b""
        self._done(self, self._arrived_at)

    def close(self) -> None:
        """Close it."""
        assert self._transport is not None
        self._transport.abort()


class _Load:
    """What the connections share. An error of one of them ends all."""

    def __init__(self, requests: Requests) -> None:
        self._requests = requests
        self._loop = asyncio.get_running_loop()
        self._connections: list[_Connection] = []
        self._free: deque[_Connection] = deque()
        self._arrived: deque[float] = deque()
        self._seconds: list[float] = []
        self._answers = 0
        self._failed: asyncio.Future[None] = self._loop.create_future()

    async def as_much_as_it_takes(self, port: int, connections: int, seconds: float) -> int:
        await self._connect(port, connections, self._again)
        for connection in self._connections:
            connection.ask(next(self._requests), 0.0)
        await asyncio.wait([self._failed], timeout=seconds)
        self._close()
        return self._answers

    async def at_a_rate(self, port: int, connections: int, per_second: float, number: int) -> list[float]:
        await self._connect(port, connections, self._freed)
        self._free.extend(self._connections)
        began_at = self._loop.time()
        for each in range(number):
            due = began_at + each / per_second
            if (pause := due - self._loop.time()) > 0:
                await asyncio.wait([self._failed], timeout=pause)
            if self._free:
                self._free.popleft().ask(next(self._requests), due)
            else:
                self._arrived.append(due)
        while self._answers < number and not self._failed.done():
            await asyncio.wait([self._failed], timeout=0.01)
        self._close()
        return self._seconds

    async def _connect(self, port: int, connections: int, done: Done) -> None:
        def made() -> _Connection:
            return _Connection(done, self._failed)

        for _ in range(connections):
            self._connections.append((await self._loop.create_connection(made, "127.0.0.1", port))[1])

    def _again(self, connection: _Connection, _: float) -> None:
        self._answers += 1
        connection.ask(next(self._requests), 0.0)

    def _freed(self, connection: _Connection, arrived_at: float) -> None:
        self._answers += 1
        self._seconds.append(self._loop.time() - arrived_at)
        if self._arrived:
            connection.ask(next(self._requests), self._arrived.popleft())
        else:
            self._free.append(connection)

    def _close(self) -> None:
        for connection in self._connections:
            connection.close()
        if self._failed.done():
            self._failed.result()
