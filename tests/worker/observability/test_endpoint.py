"""The endpoint of a process, over real HTTP."""

from __future__ import annotations

import http.client
import logging
import socket

import pytest

from config.settings import Metrics
from worker.observability import metrics
from worker.observability.endpoint import Endpoint
from worker.observability.health import Verdict
from worker.simulation.embedded_redis import free_port


class Health:
    alive = True

    def live(self):
        return Verdict(self.alive, "going" if self.alive else "stuck")

    def ready(self):
        return Verdict(False, "starting")


@pytest.fixture
def start():
    """Endpoints from a free port on."""
    port, started = free_port(), []

    def run(**settings):
        endpoint = Endpoint.start(Metrics(**{"port": port, **settings}), metrics.worker_registry(), Health())
        if endpoint:
            started.append(endpoint)
        return endpoint

    yield run
    for endpoint in started:
        endpoint.close()


def get(port, path, address="127.0.0.1"):
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_it_serves_metrics_and_verdicts(start, monkeypatch):
    port = start().port
    status, text = get(port, "/metrics")
    assert status == 200
    assert "# TYPE parley_turns_total counter" in text
    assert get(port, "/live") == (200, "going\n")
    assert get(port, "/ready") == (503, "starting\n")
    monkeypatch.setattr(Health, "alive", False)
    assert get(port, "/live?now") == (503, "stuck\n")
    assert get(port, "/")[0] == 404


def test_the_next_free_port_is_taken_and_logged(start, caplog):
    caplog.set_level(logging.INFO)
    first, second = start(), start()
    assert second.port > first.port
    assert get(second.port, "/live")[0] == 200
    assert f"port {second.port}" in caplog.text


def test_without_a_free_port_the_process_works_on_unwatched(start, caplog):
    start()
    assert start(ports=1) is None
    assert "no metrics and no health" in caplog.text
    assert "PARLEY_METRICS__PORT" in caplog.text


def test_port_0_is_off(start):
    assert start(port=0) is None


def test_it_speaks_the_newer_protocol_too(start):
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    endpoint = start(address="::1")
    if endpoint is None:
        pytest.skip("no IPv6 here")
    assert get(endpoint.port, "/live", "::1")[0] == 200


def test_whoever_hangs_up_disturbs_nobody(start, capfd):
    port = start().port
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port)) as rude:
            rude.sendall(b"GET /metrics HTTP/1.0\r\n")
    assert get(port, "/live")[0] == 200
    assert capfd.readouterr().err == ""
