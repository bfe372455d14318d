"""kill -9 of web processes under load: an event whose sender has a receipt is in the store, once and in its place."""

from __future__ import annotations

import threading
import time

import httpx
import pytest

from simulation.until import until
from tests.acceptance.web_processes import WebProcesses
from worker.domain.conversation import Conversation

pytestmark = pytest.mark.acceptance

TOKEN = "token-of-the-shop-0123456789"
CHANNEL = {"session_id": "s", "metadata": {}}
SENDERS = 8
KILLS = 4


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
    def settings(port):
        return {"PARLEY_INGRESS__PORT": str(port), "PARLEY_INGRESS__SOURCES__SHOP__TOKEN": TOKEN}

    started = WebProcesses(redis_server.url, 3, settings)
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
