"""``parley health``: a container's health check."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from config.settings import Metrics
from simulation.servers.embedded_redis import free_port
from worker.observability import announcements, metrics
from worker.observability.endpoint import Endpoint
from worker.observability.health import WorkerHealth

ROOT = Path(__file__).parents[3]

_PROCESS = """
import sys, time
from config.settings import Metrics
from worker.observability import metrics
from worker.observability.endpoint import Endpoint
from worker.observability.health import WorkerHealth
settings = Metrics(port=int(sys.argv[1]), ports=int(sys.argv[2]))
endpoint = Endpoint.start(settings, metrics.worker_registry(), WorkerHealth())
print(endpoint.port if endpoint else 0, flush=True)
time.sleep(600)
"""


@pytest.fixture
def port(monkeypatch, tmp_path):
    """A free port, set as the first one of the metrics; files of announcements of this test only."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
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


class TestProcesses:
    """Each process is asked itself, wherever it listens."""

    @pytest.fixture
    def start(self, port, tmp_path):
        """Start a process with an endpoint. Gives it and its port."""
        started = []

        def run(ports=20):
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
            command = [sys.executable, "-c", _PROCESS, str(port), str(ports)]
            process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
            started.append(process)
            return process, int(process.stdout.readline())

        yield run
        for process in started:
            process.kill()
            process.wait()
            process.stdout.close()

    def test_a_frozen_one_is_unhealthy_while_another_one_has_the_port(self, parley, port, start):
        (first, first_port), (second, second_port) = start(), start()
        assert (first_port, second_port != first_port) == (port, True)
        assert parley("health").status == 0
        second.send_signal(signal.SIGSTOP)
        _until_stopped(second.pid)
        ended = parley("health")
        assert ended.status == 1
        assert f"process {second.pid} is frozen" in ended.err
        assert parley("health", "--pid", str(first.pid)).status == 0
        assert parley("health", "--pid", str(second.pid)).status == 1
        second.send_signal(signal.SIGCONT)

    def test_one_that_was_killed_is_gone(self, parley, start):
        start()
        second, _ = start()
        second.kill()
        second.wait()
        ended = parley("health")
        assert (ended.status, ended.out) == (0, "starting\n")
        assert parley("health", "--pid", str(second.pid)).status == 1

    def test_one_without_a_port_is_unhealthy(self, parley, start):
        _, taken = start()
        second, none = start(ports=1)
        assert (taken > 0, none) == (True, 0)
        ended = parley("health", "--pid", str(second.pid))
        assert ended.status == 1
        assert "no free port" in ended.err

    def test_another_process_behind_the_port_does_not_speak_for_it(self, parley, port, worker):
        (said,) = announcements.announced(port)
        announcements.announce(port, said.address, said.port, "the token of one that is gone")
        ended = parley("health")
        assert ended.status == 1
        assert "another process answers" in ended.err


def test_a_directory_that_somebody_else_made_is_not_believed(parley, port, worker, tmp_path):
    directory = tmp_path / f"parley-{os.getuid()}"
    directory.chmod(0o777)
    assert announcements.announced(port) == []
    assert announcements.announce(port, "127.0.0.1", port, "token") is None
    # By its port it is still found.
    assert parley("health").status == 0


def test_the_file_ends_with_the_endpoint(port, worker, tmp_path):
    assert len(list(tmp_path.glob("parley-*/*.json"))) == 1
    worker.close()
    assert list(tmp_path.glob("parley-*/*.json")) == []


def _until_stopped(pid):
    until = time.monotonic() + 10
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < until
        time.sleep(0.01)
