"""Sockets end their waiting: those of threads, and those of gevent and eventlet, which the kernel never waits for."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time

import pytest

from simulation.servers.embedded_redis import EmbeddedRedis
from worker.clients.sockets import limit_waiting
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer
from worker.store import Store


class Cooperative(socket.socket):
    """As monkey-patching makes them: the descriptor never blocks, and waiting is Python's, up to Python's timeout."""

    patience = None

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        super().setblocking(False)

    def settimeout(self, value):
        self.patience = value

    def gettimeout(self):
        return self.patience

    def setblocking(self, flag):
        self.patience = None if flag else 0.0

    def connect(self, address):
        if super().connect_ex(address):
            self._await(write=True)

    def recv(self, *arguments):
        self._await()
        return super().recv(*arguments)

    def recv_into(self, *arguments):
        self._await()
        return super().recv_into(*arguments)

    def sendall(self, data, *flags):
        rest = memoryview(data)
        while rest:
            self._await(write=True)
            rest = rest[super().send(rest) :]

    def _await(self, write=False):
        if not any(select.select([] if write else [self], [self] if write else [], [], self.patience)):
            raise TimeoutError("timed out")


@pytest.fixture
def silent_peer():
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


@pytest.mark.parametrize(("kind", "error"), [(socket.socket, BlockingIOError), (Cooperative, TimeoutError)])
def test_a_read_from_a_silent_peer_ends(silent_peer, kind, error):
    with kind(socket.AF_INET, socket.SOCK_STREAM) as wire:
        wire.settimeout(5)
        wire.connect(silent_peer)
        limit_waiting(wire, 0.2)
        ended = []
        reading = threading.Thread(target=lambda: ended.append(_error_of(wire)), daemon=True)
        reading.start()
        reading.join(20)
        assert [type(each) for each in ended] == [error]


def _error_of(wire):
    try:
        return wire.recv(1)
    except OSError as error:
        return error


def test_a_producer_with_cooperative_sockets_ends_on_a_frozen_store(make_settings, channel, monkeypatch):
    monkeypatch.setattr(socket, "socket", Cooperative)
    with EmbeddedRedis() as server:
        settings = make_settings(redis_url=server.url)
        store = Store(settings, connections=2)
        store.redis.connection_pool.connection_kwargs["socket_timeout"] = 0.3
        producer = Producer(settings, store=store)
        event = InboundChat(persona="ava", target="@a", message="hi", channel=channel)
        assert producer.enqueue(event).status == "accepted"
        ended = []

        def enqueue():
            try:
                ended.append(producer.enqueue(event).status)
            except Exception as error:
                ended.append(type(error).__name__)

        os.kill(server.pid, signal.SIGSTOP)
        try:
            waiting = threading.Thread(target=enqueue, daemon=True)
            started_at = time.monotonic()
            waiting.start()
            waiting.join(60)
            assert ended == ["TimeoutError"], f"after {time.monotonic() - started_at:.0f} s"
        finally:
            os.kill(server.pid, signal.SIGCONT)
            store.close()
