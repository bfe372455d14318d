"""``parley health``: a container's health check."""

from __future__ import annotations

import json

import pytest

from config.settings import Metrics
from simulation.servers.embedded_redis import free_port
from worker.observability import metrics
from worker.observability.endpoint import Endpoint
from worker.observability.health import WorkerHealth


@pytest.fixture
def port(monkeypatch):
    """A free port, set as the first one of the metrics."""
    number = free_port()
    monkeypatch.setenv("PARLEY_METRICS__PORT", str(number))
    return number


@pytest.fixture
def worker(port):
    """The endpoint of a worker that starts."""
    endpoint = Endpoint.start(Metrics(port=port), metrics.worker_registry(), WorkerHealth())
    yield endpoint
    endpoint.close()


def test_who_lives_is_a_yes(parley, worker):
    ended = parley("health")
    assert (ended.status, ended.out) == (0, "starting\n")


def test_who_is_not_ready_is_a_no_with_the_reason(parley, worker):
    ended = parley("health", "--ready")
    assert ended.status == 1
    assert "start-up check" in ended.err


def test_nobody_there_is_a_no(parley, port):
    ended = parley("health")
    assert ended.status == 1
    assert f"no process answers at 127.0.0.1 port {port}" in ended.err


def test_a_program_gets_json(parley, worker):
    assert json.loads(parley("health", "--json").out) == {"good": True, "says": "starting"}


def test_another_process_of_this_machine_by_its_port(parley, worker, monkeypatch):
    monkeypatch.setenv("PARLEY_METRICS__PORT", "1")
    assert parley("health", "--port", str(worker.port)).status == 0


def test_one_that_listens_everywhere_is_asked_on_loopback(parley, worker, monkeypatch):
    monkeypatch.setenv("PARLEY_METRICS__ADDRESS", "0.0.0.0")
    assert parley("health").status == 0


def test_without_an_endpoint_there_is_nobody_to_ask(parley, monkeypatch):
    monkeypatch.setenv("PARLEY_METRICS__PORT", "0")
    ended = parley("health")
    assert ended.status == 2
    assert "PARLEY_METRICS__PORT" in ended.err
