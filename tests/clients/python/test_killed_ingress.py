"""kill -9 of the ingress while clients send: they ride over it, and each event is in the store once, in its place."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parley_client import ChannelContext, Client, InboundChat
from simulation.servers.embedded_redis import free_port
from simulation.until import until
from worker.domain.conversation import Conversation

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

PROJECT = Path(__file__).parents[3]
TOKEN = "token-of-the-shop-0123456789"
CHANNEL = ChannelContext(session_id="s", metadata={})
KILLS, LEADS, MANY = 3, 4, 50


@pytest.fixture
def start(redis_server):
    """Start an ingress on the port; all of them end with the test."""
    port = str(free_port())
    processes = []

    def one():
        variables = {
            "PARLEY_REDIS_URL": redis_server.url,
            "PARLEY_PERSONAS": "ava",
            "PARLEY_LIMITS__INBOX_EVENTS": "100000",
            "PARLEY_INGRESS__PORT": port,
            "PARLEY_METRICS__PORT": "0",
            "PARLEY_INGRESS__SOURCES__SHOP__TOKEN": TOKEN,
        }
        command = [sys.executable, "-m", "worker.web"]
        processes.append(
            subprocess.Popen(command, cwd=PROJECT, env={**os.environ, **variables}, stderr=subprocess.DEVNULL)
        )
        return processes[-1]

    one.address = f"http://127.0.0.1:{port}"
    yield one
    for process in processes:
        process.kill()
        process.wait()


def test_receipts_given_are_events_stored(start, store):
    process = start()
    over, sent = threading.Event(), [[] for _ in range(LEADS)]

    def lead(number, client):
        """One by one and many at once, until the last kill is over. Returns the receipts."""
        receipts = []
        while not over.is_set() or not receipts:
            common = {"persona": "ava", "target": f"@lead{number}", "message": "hi", "channel": CHANNEL}
            events = [InboundChat(**common) for _ in range(MANY)]
            receipts.append(client.send(events[0]))
            receipts += client.send_many(events[1:])
            sent[number] += [event.event_id for event in events]
        return receipts

    with Client(start.address, token=TOKEN, retry_seconds=120) as client, ThreadPoolExecutor(LEADS) as pool:
        running = [pool.submit(lead, number, client) for number in range(LEADS)]
        for _ in range(KILLS):
            so_far = len(sent[0])
            until(lambda before=so_far: len(sent[0]) > before, "more is sent")
            process.kill()
            process.wait()
            process = start()
        over.set()
        receipts = [future.result() for future in running]
    for number in range(LEADS):
        assert [receipt.event_id for receipt in receipts[number]] == sent[number]
        assert {receipt.status for receipt in receipts[number]} <= {"accepted", "duplicate"}
        assert store.redis.lrange(*inbox(store, number)) == sent[number]


def inbox(store, number):
    conversation = Conversation("ava", f"@lead{number}")
    return store.keys.of(conversation).inbox(conversation), 0, -1
