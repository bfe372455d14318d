"""How fast the simulated FluidTalk answers, so that it is never what another benchmark measures.

    python -m benchmarks.simulation_headroom --connections 200 --seconds 5
    python -m benchmarks.simulation_headroom --connections 5000 --latency 1.0 --seconds 10

Raw sockets, one request at a time on each connection, a chat call each time. The load comes from this process and the
doubles run in another one; the rate for one full core is worked out from the processor time which the doubles used.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import json
import resource
import time
from pathlib import Path
from typing import cast
from urllib.parse import urlencode

import uvloop

from benchmarks.usage import cpu_seconds
from simulation.judge.percentile import percentile
from simulation.upstreams.control import SimulatedUpstreams

_KEY = "ft_sk_headroom"


class _Caller(asyncio.Protocol):
    """One connection that sends the next request as soon as the answer to the last one is complete."""

    def __init__(self, number: int, latencies: list[float]) -> None:
        body = urlencode({"target": f"@lead_{number}", "message": "hey, saw your post!"}).encode()
        head = (
            "POST /api/v1/bot/chat HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"X-API-Key: {_KEY}\r\nContent-Length: {len(body)}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
        )
        self._request = head.encode() + body
        self._latencies = latencies
        self._answer = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods of asyncio.Transport without being one.
        self._transport = cast(asyncio.Transport, transport)

    def ask(self) -> None:
        assert self._transport is not None
        self._sent_at = time.perf_counter()
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        if not head.startswith(b"HTTP/1.1 200") or b"You said: hey, saw your post!" not in body:
            raise RuntimeError(f"unexpected answer: {head.partition(b'%c' % 13)[0].decode()}")
        self._latencies.append(time.perf_counter() - self._sent_at)
        self._answer = b""
        self.ask()

    def close(self) -> None:
        assert self._transport is not None
        self._transport.abort()


def _itself(caller: _Caller) -> _Caller:
    return caller


async def _load(port: int, connections: int, seconds: float) -> list[float]:
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    callers: list[_Caller] = []
    for number in range(connections):
        caller = _Caller(number, latencies)
        await loop.create_connection(functools.partial(_itself, caller), "127.0.0.1", port)
        callers.append(caller)
    for caller in callers:
        caller.ask()
    await asyncio.sleep(seconds)
    for caller in callers:
        caller.close()
    return latencies


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds a persona thinks")
    parser.add_argument("--call-log", type=Path, help="also measure the writing of this file")
    options = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    with SimulatedUpstreams(personas={"ava": _KEY}, latency=options.latency, call_log=options.call_log) as upstreams:
        port = int(upstreams.fluidtalk_url.rpartition(":")[2])
        before = cpu_seconds([upstreams.pid])
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            latencies = runner.run(_load(port, options.connections, options.seconds))
        used = cpu_seconds([upstreams.pid]) - before
        most_in_flight = upstreams.summary()["fluidtalk"].max_in_flight
    figures = {
        "connections": options.connections,
        "answers": len(latencies),
        "answers_per_second": round(len(latencies) / options.seconds),
        "answers_per_processor_second": round(len(latencies) / used) if used else None,
        "processor_share": round(used / options.seconds, 2),
        "max_in_flight": most_in_flight,
        "latency_ms": {
            name: round(1000 * percentile(latencies, share), 1)
            for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1.0))
        }
        if latencies
        else None,
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
