"""One call is one request over a connection of its own, and each way to fail tells whether anything was sent."""

from __future__ import annotations

import gzip
import socket
import sys
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import pytest

from simulation.servers.embedded_redis import free_port
from simulation.until import until
from tests.socket_server import Server
from tests.worker.clients.http.servers import (
    OK,
    PATIENT,
    ServerFactory,
    post,
    then_close,
)
from worker.clients.http.connections import Connections

# What is sent and what comes back


def test_a_request_goes_out_as_it_was_built(serve: ServerFactory, connections: Connections) -> None:
    server = serve()
    connections.send(post(f"{server.url}/a/b?c=d", b"body", **{"X-Own": "1"}), PATIENT)
    head, _, body = server.received[0].partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"POST /a/b?c=d HTTP/1.1"
    assert sorted(line.lower() for line in head.split(b"\r\n")[1:]) == [
        b"content-length: 4",
        f"host: 127.0.0.1:{server.port}".encode(),
        b"x-own: 1",
    ]
    assert body == b"body"


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        pytest.param(b"HTTP/1.1 418 Tea\r\nContent-Length: 3\r\nA: 1\r\nA: 2\r\n\r\ntea", b"tea", id="counted"),
        pytest.param(
            b"HTTP/1.1 418 Tea\r\nTransfer-Encoding: chunked\r\nA: 1\r\nA: 2\r\n\r\n2\r\nte\r\n1\r\na\r\n0\r\n\r\n",
            b"tea",
            id="chunked",
        ),
        pytest.param(b"HTTP/1.1 418 Tea\r\nA: 1\r\nA: 2\r\n\r\ntea", b"tea", id="until-closed"),
        pytest.param(b"HTTP/1.1 418 Tea\r\nContent-Length: 0\r\nA: 1\r\nA: 2\r\n\r\n", b"", id="empty"),
        pytest.param(b"HTTP/1.1 103 Wait\r\n\r\nHTTP/1.1 418 Tea\r\nA: 1\r\nA: 2\r\n\r\ntea", b"tea", id="hinted"),
    ],
)
def test_an_answer_has_status_headers_and_body(
    serve: ServerFactory, connections: Connections, wire: bytes, body: bytes
) -> None:
    answer = connections.send(post(serve(then_close(wire)).url), PATIENT)
    assert (answer.status, answer.headers.get_list("a"), answer.body) == (418, ["1", "2"], body)


def test_a_compressed_body_stays_as_it_came(serve: ServerFactory, connections: Connections) -> None:
    packed = gzip.compress(b"text")
    wire = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(packed), packed)
    assert connections.send(post(serve(wire).url), PATIENT).body == packed


def test_redirects_are_not_followed(serve: ServerFactory, connections: Connections) -> None:
    elsewhere = serve()
    server = serve(b"HTTP/1.1 307 Go\r\nLocation: %b/\r\nContent-Length: 0\r\n\r\n" % elsewhere.url.encode())
    assert connections.send(post(server.url), PATIENT).status == 307
    assert not elsewhere.accepted


def test_cookies_are_not_kept(serve: ServerFactory, connections: Connections) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n")
    for _ in range(2):
        connections.send(post(server.url), PATIENT)
    assert len(server.received) == 2
    assert b"cookie" not in server.received[1].lower()


def test_a_trust_store_in_the_environment_is_not_used(
    serve: ServerFactory, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/there/is/none.pem")
    assert connections.send(post(serve().url), PATIENT).status == 200


def test_a_proxy_in_the_environment_is_not_used(
    serve: ServerFactory, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert connections.send(post(serve().url), PATIENT).status == 200


# Reuse


def test_one_connection_serves_calls_that_follow_each_other(serve: ServerFactory, connections: Connections) -> None:
    server = serve()
    for _ in range(5):
        connections.send(post(server.url), PATIENT)
    assert len(server.accepted) == 1


def test_calls_at_the_same_time_have_connections_of_their_own(serve: ServerFactory, connections: Connections) -> None:
    """Nobody is answered before all have asked: with fewer connections than calls this would end in timeouts."""
    together = threading.Barrier(8)

    def conversation(server: Server, connection: socket.socket) -> None:
        while server.read_request(connection):
            together.wait(timeout=5)
            connection.sendall(OK)

    server = serve(conversation)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: connections.send(post(server.url), PATIENT), range(8)))
    assert [answer.body for answer in answers] == [b"ok"] * 8
    assert len(server.accepted) == 8


def test_a_call_that_waits_holds_little_memory(serve: ServerFactory, connections: Connections) -> None:
    """Hundreds wait at once. A buffer of 64 KB for each is mostly air at first; what is freed and taken in between
    fills it, so that the process grows for as long as anybody looks."""
    calls = 16
    answer_now = threading.Event()

    def conversation(server: Server, connection: socket.socket) -> None:
        while server.read_request(connection):
            answer_now.wait(timeout=5)
            connection.sendall(OK)

    server = serve(conversation)
    with ThreadPoolExecutor(calls) as threads:
        tracemalloc.start()
        try:
            answers = [threads.submit(connections.send, post(server.url), PATIENT) for _ in range(calls)]
            until(lambda: len(server.received) == calls, "all calls wait")
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
            answer_now.set()
        assert [answer.result().body for answer in answers] == [b"ok"] * calls
    assert held / calls < 48 * 1024


def test_a_connection_that_the_server_closed_is_replaced(serve: ServerFactory, connections: Connections) -> None:
    server = serve(then_close(OK))
    for calls in range(1, 4):
        assert connections.send(post(server.url), PATIENT).body == b"ok"
        until(lambda calls=calls: server.ended == calls, "the server has closed")
    assert len(server.accepted) == 3


def test_an_old_connection_is_not_used_again(serve: ServerFactory) -> None:
    server = serve()
    connections = Connections(keepalive_seconds=0)
    for _ in range(3):
        connections.send(post(server.url), PATIENT)
    connections.close()
    assert len(server.accepted) == 3


def test_idle_connections_at_the_bottom_are_closed(serve: ServerFactory) -> None:
    """The one returned last is reused, so that the others grow old; the next call closes them."""
    together = threading.Barrier(3)

    def conversation(server: Server, connection: socket.socket) -> None:
        while request := server.read_request(connection):
            if request.endswith(b"together"):
                together.wait(timeout=5)
            connection.sendall(OK)

    server = serve(conversation)
    connections = Connections(keepalive_seconds=0.2)
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: connections.send(post(server.url, b"together"), PATIENT), range(3)))

    def call_and_count_closed() -> bool:
        connections.send(post(server.url), PATIENT)
        return server.ended >= 2

    until(call_and_count_closed, "the two connections that nobody needs are closed")
    connections.close()
    assert len(server.accepted) == 3


def test_an_answer_left_over_from_the_call_before_is_not_taken(serve: ServerFactory, connections: Connections) -> None:
    """A server that says more than it counted must not have one lead's reply given to another."""
    server = serve(OK + OK.replace(b"ok", b"no"))
    for _ in range(3):
        assert connections.send(post(server.url), PATIENT).body == b"ok"
    assert len(server.accepted) == 3, "a connection with something left over is not used again"


def test_threads_that_come_and_go_never_lose_an_answer(serve: ServerFactory) -> None:
    """Check-in closes old connections while other threads check theirs out."""
    server = serve()
    connections = Connections(keepalive_seconds=0)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(16) as threads:
            answers = list(threads.map(lambda _: connections.send(post(server.url), PATIENT), range(400)))
    finally:
        sys.setswitchinterval(interval)
        connections.close()
    assert [answer.body for answer in answers] == [b"ok"] * 400


# Closing


def test_close_ends_idle_connections(serve: ServerFactory, connections: Connections) -> None:
    server = serve()
    connections.send(post(server.url), PATIENT)
    assert server.ended == 0
    connections.close()
    until(lambda: server.ended == 1, "the server sees the end")


def test_a_call_in_flight_survives_close_and_takes_its_connection_along(
    serve: ServerFactory, connections: Connections
) -> None:
    asked, closed = threading.Event(), threading.Event()

    def conversation(server: Server, connection: socket.socket) -> None:
        while server.read_request(connection):
            asked.set()
            closed.wait(timeout=5)
            connection.sendall(OK)

    server = serve(conversation)
    with ThreadPoolExecutor(1) as threads:
        call = threads.submit(connections.send, post(server.url), PATIENT)
        assert asked.wait(timeout=5)
        connections.close()
        closed.set()
        assert call.result(timeout=5).body == b"ok"
    until(lambda: server.ended == 1, "the connection of the call is closed")


def test_closing_twice_and_calling_after_close_are_harmless(serve: ServerFactory, connections: Connections) -> None:
    server = serve()
    connections.close()
    connections.close()
    assert connections.send(post(server.url), PATIENT).body == b"ok"
    until(lambda: server.ended == 1, "the connection is not kept")
