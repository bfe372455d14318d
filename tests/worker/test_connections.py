"""One call is one request over a connection of its own, and each way to fail tells whether anything was sent."""

from __future__ import annotations

import gzip
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import httpx
import pytest

from worker.connections import Answer, Connections, NotSent, Timeouts, Unanswered

PATIENT = Timeouts(connect=5, read=5, total=10)
KEY = "ft_sk_" + "0123456789"  # in two parts, so that a traceback's line of source does not hold it
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Conversation = Callable[[socket.socket], None]


class Server:
    """Accepts on loopback and holds ``conversation`` with each connection, in a thread of its own."""

    def __init__(self, conversation: Conversation) -> None:
        self.accepted: list[socket.socket] = []
        self.received: list[bytes] = []
        self.ended = 0
        self._conversation = conversation
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def read_request(self, connection: socket.socket) -> bytes:
        """One request, head and body; empty if the other side has closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return b""
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        length = int(httpx.Headers([line.split(b": ", 1) for line in head.split(b"\r\n")[1:]])["content-length"])
        while len(body) < length:
            body += connection.recv(65536)
        self.received.append(head + b"\r\n\r\n" + body)
        return self.received[-1]

    def close(self) -> None:
        # A thread blocked in accept() is woken by shutdown, not by close.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self.accepted:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted.append(connection)
            thread = threading.Thread(target=self._converse, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _converse(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            self._conversation(connection)
        self.ended += 1


ServerFactory = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[ServerFactory]:
    """Start servers: ``serve(b"...")`` answers each request with these bytes, ``serve(function)`` talks as it says."""
    servers: list[Server] = []

    def start(answer: bytes | Callable[[Server, socket.socket], None] = OK) -> Server:
        def conversation(connection: socket.socket) -> None:
            if callable(answer):
                answer(servers[index], connection)
                return
            while servers[index].read_request(connection):
                connection.sendall(answer)

        index = len(servers)
        servers.append(Server(conversation))
        return servers[index]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def connections() -> Iterator[Connections]:
    connections = Connections()
    yield connections
    connections.close()


def post(url: str, content: bytes = b"hello", **headers: str) -> httpx.Request:
    return httpx.Request("POST", url, content=content, headers=headers)


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, f"waited 5 s in vain until {what}"
        time.sleep(0.005)


def then_close(answer: bytes) -> Callable[[Server, socket.socket], None]:
    def conversation(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(answer)

    return conversation


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


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


def test_a_connection_that_the_server_closed_is_replaced(serve: ServerFactory, connections: Connections) -> None:
    server = serve(then_close(OK))
    for calls in range(1, 4):
        assert connections.send(post(server.url), PATIENT).body == b"ok"
        wait_until(lambda calls=calls: server.ended == calls, "the server has closed")
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

    wait_until(call_and_count_closed, "the two connections that nobody needs are closed")
    connections.close()
    assert len(server.accepted) == 3


def test_an_answer_left_over_from_the_call_before_is_not_taken(serve: ServerFactory, connections: Connections) -> None:
    """A server that says more than it counted must not have one lead's reply given to another."""
    server = serve(OK + OK.replace(b"ok", b"no"))
    assert connections.send(post(server.url), PATIENT).body == b"ok"
    with pytest.raises(Unanswered, match="before the question"):
        connections.send(post(server.url), PATIENT)
    assert connections.send(post(server.url), PATIENT).body == b"ok"


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
    wait_until(lambda: server.ended == 1, "the server sees the end")


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
    wait_until(lambda: server.ended == 1, "the connection of the call is closed")


def test_closing_twice_and_calling_after_close_are_harmless(serve: ServerFactory, connections: Connections) -> None:
    server = serve()
    connections.close()
    connections.close()
    assert connections.send(post(server.url), PATIENT).body == b"ok"
    wait_until(lambda: server.ended == 1, "the connection is not kept")


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
    def slow(host: str, port: int) -> str:
        time.sleep(0.05)
        return host

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

    started = time.monotonic()
    with pytest.raises(Unanswered, match="ReadTimeout") as caught:
        connections.send(post(serve(conversation).url), Timeouts(connect=5, read=5, total=0.2))
    assert caught.value.status == 200
    assert time.monotonic() - started < 2


def test_unanswered_when_the_request_is_taken_in_drips(serve: ServerFactory, connections: Connections) -> None:
    """A server that reads slowly cannot hold the thread beyond the total time either."""

    def conversation(_server: Server, connection: socket.socket) -> None:
        while connection.recv(65536):
            time.sleep(0.005)

    started = time.monotonic()
    with pytest.raises(Unanswered, match="WriteTimeout"):
        connections.send(post(serve(conversation).url, bytes(50_000_000)), Timeouts(connect=5, read=5, total=0.2))
    assert time.monotonic() - started < 2


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
    wait_until(lambda: server.ended == 1, "the connection is closed")
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

    def check(host: str, port: int) -> str:
        asked.append((host, port))
        return "127.0.0.1"

    connections = Connections(check_address=check)
    for _ in range(3):
        connections.send(post(f"http://name.test:{server.port}/"), PATIENT)
    connections.close()
    assert asked == [("name.test", server.port)]
    assert f"Host: name.test:{server.port}".encode() in server.received[0]


def test_a_refused_address_ends_the_call_with_the_reason_given(serve: ServerFactory) -> None:
    class Forbidden(Exception):
        pass

    def refuse(host: str, port: int) -> str:
        raise Forbidden(host)

    server = serve()
    connections = Connections(check_address=refuse)
    with pytest.raises(Forbidden, match=r"127\.0\.0\.1"):
        connections.send(post(server.url), PATIENT)
    assert not server.accepted


def test_an_answer_is_a_value() -> None:
    headers = httpx.Headers({"a": "b"})
    assert Answer(200, headers, b"x") == Answer(200, headers, b"x")
