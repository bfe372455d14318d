"""kill -9 of web processes under load: an event whose sender has a receipt is in the store, once and in its place."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from simulation.servers.embedded_redis import free_port
from simulation.until import until
from worker.domain.conversation import Conversation

pytestmark = pytest.mark.acceptance

PROJECT = Path(__file__).parents[2]
TOKEN = "token-of-the-shop-0123456789"
CHANNEL = {"session_id": "s", "metadata": {}}
SENDERS = 8
KILLS = 4


class Doors:
    """Web processes on ports of their own; one that was killed is started again."""

    def __init__(self, redis_url: str, number: int) -> None:
        self._redis_url = redis_url
        self.ports = [free_port() for _ in range(number)]
        self._processes = {port: self._start(port) for port in self.ports}

    def _start(self, port: int) -> subprocess.Popen[bytes]:
        variables = {
            "PARLEY_REDIS_URL": self._redis_url,
            "PARLEY_PERSONAS": "ava",
            "PARLEY_LIMITS__INBOX_EVENTS": "100000",
            "PARLEY_INGRESS__PORT": str(port),
            "PARLEY_METRICS__PORT": "0",
            "PARLEY_INGRESS__SOURCES__SHOP__TOKEN": TOKEN,
        }
        command = [sys.executable, "-m", "worker.web"]
        return subprocess.Popen(command, cwd=PROJECT, env={**os.environ, **variables}, stderr=subprocess.DEVNULL)

    def wait(self, port: int) -> None:
        """Until one answers."""

        def ready() -> bool:
            try:
                return httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5).status_code == 200
            except httpx.HTTPError:
                return False

        until(ready, "the ingress is ready", seconds=90, pause_seconds=0.1)

    def kill(self, port: int) -> None:
        """kill -9, and start it again."""
        self._processes[port].send_signal(signal.SIGKILL)
        self._processes[port].wait()
        self._processes[port] = self._start(port)

    def end(self) -> None:
        """End all."""
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()


class Sender(threading.Thread):
    """Sends the messages of one lead, one after the other, each again with the same id until it has a receipt."""

    def __init__(self, number: int, ports: list[int], stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self.target = f"@lead{number}"
        self._ports = ports
        self._stopping = stopping
        self.receipts: list[str] = []
        self.repeated = 0
        self._http = httpx.Client(headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)

    def run(self) -> None:
        with self._http:
            self._send_all()

    def _send_all(self) -> None:
        while not self._stopping.is_set():
            event_id = f"{self.target}-{len(self.receipts)}"
            for attempt in range(1000):
                if self._has_receipt(event_id, self._ports[(attempt + len(self.receipts)) % len(self._ports)]):
                    break
                self.repeated += 1
                time.sleep(0.05)
            self.receipts.append(event_id)
            # Leaves the processor to the processes that start.
            time.sleep(0.05)

    def _has_receipt(self, event_id: str, port: int) -> bool:
        event = {"kind": "inbound_chat", "event_id": event_id, "persona": "ava", "target": self.target, "message": "hi"}
        try:
            answer = self._http.post(f"http://127.0.0.1:{port}/v1/events", json={**event, "channel": CHANNEL})
        except httpx.HTTPError:
            return False
        assert answer.status_code == 202, answer.text
        return True


@pytest.fixture
def doors(redis_server, store):
    started = Doors(redis_server.url, 3)
    yield started
    started.end()


def test_receipts_given_are_events_in_the_store_each_once(doors, store):
    for port in doors.ports:
        doors.wait(port)
    stopping = threading.Event()
    senders = [Sender(number, doors.ports, stopping) for number in range(SENDERS)]
    for sender in senders:
        sender.start()
    try:
        for kill in range(KILLS):
            port = doors.ports[kill % len(doors.ports)]
            sent = sum(len(sender.receipts) for sender in senders)
            until(lambda: sum(len(each.receipts) for each in senders) > sent, "they send")  # noqa: B023 - used at once
            doors.kill(port)
            doors.wait(port)
    finally:
        # Also when this fails: they would keep a core busy for the rest of the session.
        stopping.set()
        for sender in senders:
            sender.join(60)
    for sender in senders:
        conversation = Conversation("ava", sender.target)
        stored = store.redis.lrange(store.keys.of(conversation).inbox(conversation), 0, -1)
        assert stored == sender.receipts
    assert all(sender.receipts for sender in senders)
    assert sum(sender.repeated for sender in senders) > 0, "no request was cut off: nothing was tried"
