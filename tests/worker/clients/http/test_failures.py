"""Each way to fail tells whether anything was sent, and quotes nothing."""

from __future__ import annotations

import socket
import time
import traceback
from collections.abc import Callable

import pytest

from simulation.servers.embedded_redis import free_port
from simulation.until import until
from tests.socket_server import Server
from tests.worker.clients.http.servers import (
    KEY,
    PATIENT,
    ServerFactory,
    post,
    then_close,
)
from worker.clients.http.connections import Answer, Connections, NotSent, Timeouts, Unanswered

# Nothing was sent


def unreachable_urls() -> list[object]:
    return [
        pytest.param(lambda: f"http://127.0.0.1:{free_port()}/", id="refused"),
        pytest.param(lambda: "http://127.0.0.1:99999/", id="impossible-port"),
        pytest.param(lambda: f"http://{'a' * 64}.test/", id="impossible-name"),
        pytest.param(lambda: "gopher://127.0.0.1/", id="other-protocol"),
        pytest.param(lambda: "/path-only", id="no-host"),
    ]


@pytest.mark.parametrize("url", unreachable_urls())
def test_not_sent_when_there_is_no_connection(connections: Connections, url: Callable[[], str]) -> None:
    with pytest.raises(NotSent):
        connections.send(post(url()), PATIENT)


def test_not_sent_when_the_handshake_fails(serve: ServerFactory, connections: Connections) -> None:
    """Bytes of TLS went out, bytes of the request did not."""
    server = serve(
        lambda _server, connection: connection.recv(65536) and connection.sendall(b"HTTP/1.1 400 No\r\n\r\n")
    )
    with pytest.raises(NotSent, match=r"ConnectError: .*SSL"):
        connections.send(post(server.url.replace("http:", "https:")), PATIENT)
    assert server.accepted


def test_not_sent_when_the_handshake_hangs(serve: ServerFactory, connections: Connections) -> None:
    server = serve(lambda _server, connection: connection.recv(65536) and connection.recv(65536))
    with pytest.raises(NotSent, match="ConnectTimeout"):
        connections.send(post(server.url.replace("http:", "https:")), Timeouts(connect=0.1, read=5, total=10))


def test_not_sent_when_the_time_is_over_before_the_first_byte(serve: ServerFactory) -> None:
    def slow(host: str, port: int) -> list[str]:
        time.sleep(0.05)
        return [host]

    server = serve()
    connections = Connections(check_address=slow)
    with pytest.raises(NotSent, match="Timeout"):
        connections.send(post(server.url), Timeouts(connect=5, read=5, total=0.01))
    connections.close()
    assert server.received == []


def test_the_text_of_not_sent_names_the_cause(connections: Connections) -> None:
    with pytest.raises(NotSent) as caught:
        connections.send(post(f"http://127.0.0.1:{free_port()}/"), PATIENT)
    assert str(caught.value) == "ConnectError: Connection refused"


# Sent, but not answered in full


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        pytest.param(b"", None, id="closed-at-once"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Le", None, id="closed-in-the-head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", 200, id="closed-in-the-body"),
        pytest.param(b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe", 503, id="closed-in-a-chunk"),
        pytest.param(b"HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\n", None, id="another-protocol"),
        pytest.param(b"SMTP ready when you are\r\n\r\n", None, id="another-language"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n", None, id="length-in-words"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 200, id="chunk-in-words"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: " + b"x" * 200_000, None, id="endless-header"),
    ],
)
def test_unanswered_when_the_answer_is_not_complete(
    serve: ServerFactory, connections: Connections, answer: bytes, status: int | None
) -> None:
    with pytest.raises(Unanswered) as caught:
        connections.send(post(serve(then_close(answer)).url), PATIENT)
    assert caught.value.status == status


def test_unanswered_after_silence(serve: ServerFactory, connections: Connections) -> None:
    server = serve(lambda server, connection: server.read_request(connection) and connection.recv(1))
    with pytest.raises(Unanswered, match="ReadTimeout") as caught:
        connections.send(post(server.url), Timeouts(connect=5, read=0.1, total=10))
    assert caught.value.status is None
    assert server.received


def test_unanswered_when_the_answer_drips_beyond_the_total_time(serve: ServerFactory, connections: Connections) -> None:
    """Each drop comes in time; only the whole call takes too long."""

    def conversation(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n")
        while True:
            connection.sendall(b".")

    with pytest.raises(Unanswered, match="ReadTimeout") as caught:
        connections.send(post(serve(conversation).url), Timeouts(connect=5, read=5, total=0.2))
    assert caught.value.status == 200


def test_unanswered_when_the_request_is_taken_in_drips(serve: ServerFactory, connections: Connections) -> None:
    """A server that reads slowly cannot hold the thread beyond the total time either."""

    def conversation(_server: Server, connection: socket.socket) -> None:
        while connection.recv(65536):
            time.sleep(0.005)

    with pytest.raises(Unanswered, match="WriteTimeout"):
        connections.send(post(serve(conversation).url, bytes(20_000_000)), Timeouts(connect=5, read=5, total=0.5))


def test_an_answer_may_be_as_large_as_allowed_and_not_larger(serve: ServerFactory, connections: Connections) -> None:
    server = serve(b"HTTP/1.1 201 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)
    assert len(connections.send(post(server.url), PATIENT, max_response_bytes=1000).body) == 1000
    with pytest.raises(Unanswered, match="999 bytes") as caught:
        connections.send(post(server.url), PATIENT, max_response_bytes=999)
    assert caught.value.status == 201


def test_a_connection_that_failed_is_not_used_again(serve: ServerFactory, connections: Connections) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)
    with pytest.raises(Unanswered):
        connections.send(post(server.url), PATIENT, max_response_bytes=10)
    until(lambda: server.ended == 1, "the connection is closed")
    assert connections.send(post(server.url), PATIENT).status == 200


def test_an_early_refusal_of_a_large_request_is_an_answer(serve: ServerFactory, connections: Connections) -> None:
    """The server says 413 and stops reading: what it said counts, not that the rest could not be written."""

    def conversation(_server: Server, connection: socket.socket) -> None:
        connection.recv(1024)
        connection.sendall(b"HTTP/1.1 413 Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    answer = connections.send(post(serve(conversation).url, bytes(1_000_000)), PATIENT)
    assert answer.status == 413


@pytest.mark.parametrize(
    "template",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nX\x01: %b\r\n\r\n", id="illegal-header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: %b\r\n\r\n", id="illegal-length"),
        pytest.param(b"%b\r\n\r\n", id="illegal-status-line"),
    ],
)
def test_no_error_in_the_chain_quotes_what_was_sent(
    serve: ServerFactory, connections: Connections, template: bytes
) -> None:
    """A server that echoes the key in a broken head must not bring it into a log."""
    server = serve(then_close(template % KEY.encode()))
    with pytest.raises(Unanswered) as caught:
        connections.send(post(server.url, **{"X-API-Key": KEY}), PATIENT)
    assert KEY not in "".join(traceback.format_exception(caught.value))


# Who may be talked to


def test_the_address_is_checked_once_for_each_new_connection(serve: ServerFactory) -> None:
    server, asked = serve(), []

    def check(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return ["127.0.0.1"]

    connections = Connections(check_address=check)
    for _ in range(3):
        connections.send(post(f"http://name.test:{server.port}/"), PATIENT)
    connections.close()
    assert asked == [("name.test", server.port)]
    assert f"Host: name.test:{server.port}".encode() in server.received[0]


def test_a_refused_address_ends_the_call_with_the_reason_given(serve: ServerFactory) -> None:
    class Forbidden(Exception):
        pass

    def refuse(host: str, port: int) -> list[str]:
        raise Forbidden(host)

    server = serve()
    connections = Connections(check_address=refuse)
    with pytest.raises(Forbidden, match=r"127\.0\.0\.1"):
        connections.send(post(server.url), PATIENT)
    assert not server.accepted


def test_an_answer_is_a_value() -> None:
    assert Answer(200, [(b"A", b"b")], b"x") == Answer(200, [(b"A", b"b")], b"x")


def test_a_header_is_found_whatever_its_case_and_all_of_its_values_count() -> None:
    answer = Answer(200, [(b"Retry-After", b"3"), (b"X", b"1"), (b"x", b"2"), (b"Xy", b"4")], b"")
    assert (answer.header(b"retry-after"), answer.header(b"x"), answer.header(b"absent")) == ("3", "1, 2", "")
    assert answer.headers.get_list("x") == ["1", "2"]
