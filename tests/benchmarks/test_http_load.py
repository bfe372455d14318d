"""The load that the ingress is measured with: each answer counts once, a wrong one ends the run, waiting is counted."""

from __future__ import annotations

import itertools
import time

import pytest

from benchmarks.http_load import as_much_as_it_takes, at_a_rate
from tests.socket_server import Server

REQUEST = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi"
ACCEPTED = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n"


@pytest.fixture
def server():
    """A server that answers 202 in two parts; ``pause``: seconds before each answer; ``answer``: its head."""

    def converse(connection):
        while serving.read_request(connection):
            time.sleep(serving.pause)
            connection.sendall(serving.answer)
            connection.sendall(b"ok")

    serving = Server(converse)
    serving.pause, serving.answer = 0.0, ACCEPTED
    yield serving
    serving.close()


def test_it_counts_the_answers_of_all_connections(server):
    server.pause = 0.1
    answers = as_much_as_it_takes(server.port, itertools.repeat(REQUEST), connections=4, seconds=1.05)
    assert 4 * 2 <= answers <= 4 * 10
    assert len(server.received) >= answers


def test_another_status_ends_it(server):
    server.answer = ACCEPTED.replace(b"202 Accepted", b"503 No")
    with pytest.raises(RuntimeError, match="503"):
        as_much_as_it_takes(server.port, itertools.repeat(REQUEST), connections=1, seconds=20)
    with pytest.raises(RuntimeError, match="503"):
        at_a_rate(server.port, itertools.repeat(REQUEST), connections=1, per_second=10, number=100)


def test_the_time_of_a_request_counts_from_its_arrival_also_while_no_connection_is_free(server):
    server.pause = 0.1
    seconds = at_a_rate(server.port, itertools.repeat(REQUEST), connections=1, per_second=1000, number=4)
    assert len(seconds) == 4
    assert seconds[0] >= 0.099
    assert seconds[-1] >= 0.39
