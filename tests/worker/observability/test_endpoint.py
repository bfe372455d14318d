"""The endpoint of a process, over real HTTP."""

from __future__ import annotations

import contextlib
import http.client
import logging
import socket
import threading

import pytest

from config.settings import Metrics
from simulation.servers.embedded_redis import free_port
from worker.observability import metrics
from worker.observability.endpoint import MOST_CONNECTIONS, Endpoint, Patience
from worker.observability.health import Verdict


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

    def run(patience=None, **settings):
        found = Endpoint.start(Metrics(**{"port": port, **settings}), metrics.worker_registry(), Health(), patience)
        if found:
            started.append(found)
        return found

    yield run
    for one in started:
        one.close()


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
    found = start(address="::1")
    if found is None:
        pytest.skip("no IPv6 here")
    assert get(found.port, "/live", "::1")[0] == 200


def test_whoever_hangs_up_disturbs_nobody(start, capfd):
    port = start().port
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port)) as rude:
            rude.sendall(b"GET /metrics HTTP/1.0\r\n")
    assert get(port, "/live")[0] == 200
    assert capfd.readouterr().err == ""


# Callers who cost


def dial(port, said=b""):
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    connection.sendall(said)
    return connection


def ended(connection):
    """Whether the other side has hung up."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def threads_of_endpoint():
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


@pytest.mark.parametrize("said", [b"", b"GET /live", b"GET /live HTTP/1.1\r\nA: b\r\n"])
def test_idle_callers_keep_nobody_out_and_cost_a_bounded_number_of_threads(start, eventually, said):
    port = start(Patience(ask_seconds=60)).port
    before = threads_of_endpoint()
    idle = [dial(port, said) for _ in range(3 * MOST_CONNECTIONS)]
    try:
        assert get(port, "/live") == (200, "going\n")
        assert get(port, "/ready")[0] == 503
        eventually(lambda: threads_of_endpoint() - before <= MOST_CONNECTIONS, "few threads are left")
        eventually(lambda: sum(ended(one) for one in idle) >= 2 * MOST_CONNECTIONS, "the oldest are dropped")
    finally:
        for one in idle:
            one.close()


def test_a_caller_that_has_asked_is_not_given_up_for_one_that_is_silent(start, eventually, monkeypatch):
    asked, answer = threading.Event(), threading.Event()

    def live(self):
        asked.set()
        answer.wait(10)
        return Verdict(True, "late")

    monkeypatch.setattr(Health, "live", live)
    port = start().port
    patient = dial(port, b"GET /live HTTP/1.0\r\n\r\n")
    assert asked.wait(10)
    idle = [dial(port) for _ in range(2 * MOST_CONNECTIONS)]
    eventually(lambda: sum(ended(one) for one in idle) >= MOST_CONNECTIONS, "silent ones are dropped")
    answer.set()
    assert b"late" in patient.makefile("rb").read()
    for one in (patient, *idle):
        one.close()


def test_a_caller_that_says_nothing_is_dropped(start, eventually):
    silent = dial(start(Patience(ask_seconds=0.3)).port)
    eventually(lambda: ended(silent), "the caller is dropped", seconds=6.0)
    silent.close()


def test_a_request_that_drips_in_is_dropped(start, eventually):
    """Each drop comes in time; only the whole of it takes too long."""
    slow = dial(start(Patience(ask_seconds=0.5)).port, b"GET /live HTTP/1.0\r\n")

    def dripped_until_the_end():
        with contextlib.suppress(OSError):
            slow.sendall(b"A: b\r\n")
        return ended(slow)

    eventually(dripped_until_the_end, "the caller is dropped")
    slow.close()


def test_a_request_without_an_end_is_dropped(start, eventually):
    endless = dial(start(Patience(ask_seconds=60)).port)
    endless.settimeout(1)

    def poured_until_the_end():
        with contextlib.suppress(OSError):
            endless.sendall(b"A" * 65536)
            return False
        return True

    eventually(poured_until_the_end, "the caller is dropped")
    endless.close()


def test_a_caller_that_does_not_take_its_answer_is_dropped(start, eventually, monkeypatch):
    monkeypatch.setattr(Health, "live", lambda self: Verdict(True, "x" * 50_000_000))
    before = threads_of_endpoint()
    greedy = dial(start(Patience(ask_seconds=1.0, answer_seconds=0.4)).port, b"GET /live HTTP/1.0\r\n\r\n")
    eventually(lambda: threads_of_endpoint() > before, "it is answered")
    eventually(lambda: threads_of_endpoint() == before, "it is dropped")
    greedy.close()


def test_a_request_in_two_pieces_is_answered(start):
    two = dial(start().port, b"GET /live HT")
    two.sendall(b"TP/1.0\r\nA: b\r\n\r\n")
    assert b"going" in two.makefile("rb").read()
    two.close()
