"""A peer decides what it says and how slowly, never how long a call takes and how it is understood. Also over TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from simulation.servers.certificates import make
from simulation.servers.embedded_redis import free_port
from simulation.until import until
from tests.socket_server import Server
from tests.worker.clients.http.servers import OK, PATIENT, ServerFactory, post, then_close
from worker.clients.http import streams
from worker.clients.http.connections import AnswerTooLarge, Connections, NotSent, Timeouts, Unanswered

LARGE = bytes(8_000_000)  # more than both sides' buffers hold
TOO_LARGE = b"HTTP/1.1 413 Large\r\nContent-Length: 5\r\nConnection: close\r\n\r\nlarge"

Converse = Callable[[Server, socket.socket], None]


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """TLS of a server, and who has signed its certificate."""
    made = make(tmp_path_factory.mktemp("certificates"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.server.certificate, made.server.key)
    return server, made.ca


Talk = Callable[[Converse], tuple[str, Connections]]


@pytest.fixture(params=["plain", "tls"])
def talk(request: pytest.FixtureRequest, serve: ServerFactory) -> Iterator[Talk]:
    """Start a server that talks as told, and get its address and connections to it."""
    made: list[Connections] = []

    def start(conversation: Converse) -> tuple[str, Connections]:
        if request.param == "plain":
            made.append(Connections())
            return serve(conversation).url, made[-1]
        server_side, ca = request.getfixturevalue("secured")
        made.append(Connections(ca_path=ca))

        def over_tls(server: Server, connection: socket.socket) -> None:
            # As servers do; else what is said last may never leave.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with server_side.wrap_socket(connection, server_side=True) as wrapped:
                conversation(server, wrapped)

        return serve(over_tls).url.replace("http:", "https:"), made[-1]

    yield start
    for connections in made:
        connections.close()


def abort(connection: socket.socket) -> None:
    """Close with a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


# A refusal that comes before the request is through


@pytest.mark.parametrize("then", ["close", "stay", "shut down"])
def test_a_refusal_counts_though_the_request_was_not_taken(talk: Talk, then: str) -> None:
    over = threading.Event()

    def conversation(_server: Server, connection: socket.socket) -> None:
        connection.recv(1024)
        connection.sendall(TOO_LARGE)
        if then == "stay":
            over.wait(20)
        elif then == "shut down":
            connection.shutdown(socket.SHUT_WR)
            over.wait(20)

    url, connections = talk(conversation)
    try:
        answer = connections.send(post(url, LARGE), PATIENT)
    finally:
        over.set()
    assert (answer.status, answer.body) == (413, b"large")


def test_a_refusal_counts_though_the_peer_resets_right_after_its_head(talk: Talk) -> None:
    def conversation(_server: Server, connection: socket.socket) -> None:
        connection.recv(1024)
        connection.sendall(TOO_LARGE.removesuffix(b"large"))
        time.sleep(0.1)
        abort(connection)

    url, connections = talk(conversation)
    assert connections.send(post(url, LARGE), PATIENT).status == 413


def test_a_connection_on_which_a_request_was_broken_off_is_not_used_again(serve: ServerFactory) -> None:
    def conversation(server: Server, connection: socket.socket) -> None:
        connection.recv(1024)
        connection.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
        with contextlib.suppress(OSError):
            while connection.recv(65536):
                pass

    server = serve(conversation)
    connections = Connections()
    assert connections.send(post(server.url, LARGE), PATIENT).status == 403
    assert connections.send(post(server.url, LARGE), PATIENT).status == 403
    connections.close()
    assert len(server.accepted) == 2


def test_a_hint_does_not_end_the_writing(talk: Talk) -> None:
    def conversation(server: Server, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.2)
        server.read_request(connection)
        connection.sendall(OK)

    url, connections = talk(conversation)
    assert connections.send(post(url, LARGE), PATIENT).body == b"ok"


def test_an_answer_that_begins_early_is_read_to_its_end(talk: Talk) -> None:
    """It is no refusal, so all of the request is sent."""

    def conversation(server: Server, connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")
        server.read_request(connection)
        connection.sendall(b"%dlo" % (len(server.received[-1]) > len(LARGE)))

    url, connections = talk(conversation)
    assert connections.send(post(url, LARGE), PATIENT).body == b"he1lo"


def test_without_an_answer_a_reset_is_one(talk: Talk) -> None:
    def conversation(_server: Server, connection: socket.socket) -> None:
        connection.recv(1024)
        abort(connection)

    url, connections = talk(conversation)
    with pytest.raises(Unanswered) as caught:
        connections.send(post(url, LARGE), PATIENT)
    assert caught.value.status is None


def test_a_peer_that_ends_tls_and_not_its_connection_has_ended(
    serve: ServerFactory, secured: tuple[ssl.SSLContext, Path]
) -> None:
    """Without a length the end of TLS is the end of the body."""
    over = threading.Event()

    def conversation(_server: Server, connection: socket.socket) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = secured[0].wrap_bio(incoming, outgoing, server_side=True)

        def waits_for(step: Callable[[], object]) -> bool:
            try:
                step()
            except ssl.SSLWantReadError:
                return True
            finally:
                connection.sendall(outgoing.read())
            return False

        while waits_for(tls.do_handshake) or waits_for(lambda: tls.read(65536)):
            incoming.write(connection.recv(65536))
        tls.write(b"HTTP/1.1 200 OK\r\n\r\nall")
        with contextlib.suppress(ssl.SSLWantReadError):
            tls.unwrap()
        connection.sendall(outgoing.read())
        over.wait(20)

    server, connections = serve(conversation), Connections(ca_path=secured[1])
    answer = connections.send(post(server.url.replace("http:", "https:")), Timeouts(connect=5, read=3, total=30))
    over.set()
    connections.close()
    assert answer.body == b"all"


# Slow ones


def test_a_peer_that_takes_a_byte_a_moment_is_left_in_time(talk: Talk) -> None:
    """Each byte is progress; only the whole takes too long."""
    over = threading.Event()

    def conversation(_server: Server, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while not over.wait(0.02):
                connection.recv(1)

    url, connections = talk(conversation)
    # Such a peer makes room so seldom that ``read`` would call it silent.
    with pytest.raises(Unanswered, match="WriteTimeout"):
        connections.send(post(url, LARGE), Timeouts(connect=5, read=600, total=0.6))
    over.set()


def test_a_peer_that_takes_nothing_is_left_after_its_silence(talk: Talk) -> None:
    over = threading.Event()
    url, connections = talk(lambda _server, _connection: over.wait(20))
    with pytest.raises(Unanswered, match="WriteTimeout: silence"):
        connections.send(post(url, LARGE), Timeouts(connect=5, read=0.3, total=600))
    over.set()


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"])
def test_a_peer_that_says_nothing_more_is_left_after_its_silence(talk: Talk, begin: bytes) -> None:
    over = threading.Event()

    def conversation(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(begin)
        over.wait(20)

    url, connections = talk(conversation)
    with pytest.raises(Unanswered, match="ReadTimeout"):
        connections.send(post(url), Timeouts(connect=5, read=0.2, total=600))
    over.set()


def test_a_handshake_that_drips_ends_in_time(serve: ServerFactory, connections: Connections) -> None:
    """Each byte of the handshake comes in time."""

    def conversation(_server: Server, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KB follows
        with contextlib.suppress(OSError):
            while True:
                connection.sendall(b"\x02")
                time.sleep(0.02)

    url = serve(conversation).url.replace("http:", "https:")
    with pytest.raises(NotSent, match="ConnectTimeout"):
        connections.send(post(url), Timeouts(connect=0.5, read=600, total=600))


# Names and addresses


@pytest.fixture
def look_ups(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Make look-ups of names answer with addresses, or hang until the test is over."""
    over = threading.Event()
    by_system = socket.getaddrinfo

    def prepare(*addresses: str) -> None:
        def look_up(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
            if not str(host).endswith(".test"):
                return by_system(host, port, *args, **kwargs)
            if not addresses:
                over.wait(20)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(socket, "getaddrinfo", look_up)

    yield prepare
    over.set()


def test_a_look_up_that_hangs_ends_in_time(look_ups: Callable[..., None], connections: Connections) -> None:
    look_ups()
    with pytest.raises(NotSent, match="ConnectTimeout: the name look-up took too long"):
        connections.send(post("http://hangs.test/"), Timeouts(connect=0.3, read=600, total=600))


def helpers() -> int:
    return sum(thread.name == "parley-helper" for thread in threading.enumerate())


def test_look_ups_that_hang_take_a_bounded_number_of_threads(
    look_ups: Callable[..., None],
    connections: Connections,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Callable[..., Any],
) -> None:
    eventually(lambda: not helpers(), "the end of the look-ups of other tests")
    monkeypatch.setattr(streams, "MOST_LOOK_UPS", 2)
    look_ups()
    bounded = Connections()
    until(lambda: helpers() == 0, "those of other tests have ended")
    for _ in range(5):
        with pytest.raises(NotSent, match="look-up"):
            bounded.send(post("http://hangs.test/"), Timeouts(connect=0.1, read=5, total=5))
    assert helpers() == 2
    look_ups("127.0.0.1")
    with pytest.raises(NotSent, match="Connection refused"):
        connections.send(post(f"http://works.test:{free_port()}/"), PATIENT)


def test_every_address_is_tried(look_ups: Callable[..., None], connections: Connections, serve: ServerFactory) -> None:
    server = serve()
    look_ups("127.0.0.2", "127.0.0.1")
    assert connections.send(post(f"http://two.test:{server.port}/"), PATIENT).body == b"ok"


@contextlib.contextmanager
def black_hole(*addresses: str) -> Iterator[int]:
    """A port of these addresses where connecting never ends: its queues of waiting connections are full."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        for address in addresses:
            listener = stack.enter_context(socket.socket())
            listener.bind((address, port))
            listener.listen(0)
            for _ in range(4):
                filler = stack.enter_context(socket.socket())
                filler.setblocking(False)
                filler.connect_ex((address, port))
        yield port


def test_all_addresses_share_the_time_to_connect(
    look_ups: Callable[..., None], connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = [f"127.0.0.{number}" for number in range(2, 7)]
    look_ups(*addresses)
    connect, given = socket.create_connection, list[float]()

    def noted(address: tuple[str, int], seconds: float) -> socket.socket:
        given.append(seconds)
        return connect(address, seconds)

    monkeypatch.setattr(socket, "create_connection", noted)
    with black_hole(*addresses) as port, pytest.raises(NotSent, match="ConnectTimeout"):
        connections.send(post(f"http://five.test:{port}/"), Timeouts(connect=0.5, read=5, total=30))
    assert given[0] <= 0.1, "the first one does not have all of it"
    assert sum(given) < 0.51


def test_an_address_that_never_answers_leaves_time_for_the_next(
    look_ups: Callable[..., None], connections: Connections
) -> None:
    look_ups("127.0.0.2", "127.0.0.1")
    with black_hole("127.0.0.2") as port, socket.create_server(("127.0.0.1", port)) as listener:

        def answer() -> None:
            accepted, _ = listener.accept()
            with accepted:
                accepted.recv(65536)
                accepted.sendall(OK)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        answered = connections.send(post(f"http://two.test:{port}/"), Timeouts(connect=3, read=5, total=30))
        thread.join(5)
    assert answered.body == b"ok"


# Too much


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        pytest.param(b"HTTP/1.1 100 Go\r\n\r\n", b"HTTP/1.1 100 Go\r\n\r\n", id="hints"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", id="headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: ", b"x" * 1000, id="a header"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", b"x" * 1000, id="an extension"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", id="bytes"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"A: b\r\n", id="trailers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: ", b"x" * 1000, id="a trailer"),
    ],
)
def test_nothing_that_a_peer_says_without_an_end_is_listened_to_for_long(
    serve: ServerFactory, connections: Connections, begin: bytes, more: bytes
) -> None:
    said = 0

    def conversation(server: Server, connection: socket.socket) -> None:
        nonlocal said
        server.read_request(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        connection.sendall(begin)
        while True:
            connection.sendall(more * 100)
            said += len(more) * 100

    with pytest.raises(AnswerTooLarge):
        connections.send(post(serve(conversation).url), Timeouts(connect=5, read=5, total=30))
    assert said < 20_000_000


# As other clients read it


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Type : text/plain\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5  \t\r\nhello\r\n0  \r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0005\r\nhello\r\n0000\r\n\r\n",
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5; a="b\xff"; c d\r\nhello\r\n0\r\n\r\n',
        b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX-Note: folded\r\n over two lines\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX-Note: a\x1bb\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nX Note: b\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nnote\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1  200  OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ],
)
@pytest.mark.parametrize("cut", [False, True])
def test_an_answer_in_an_odd_form_is_the_answer(
    serve: ServerFactory, connections: Connections, wire: bytes, cut: bool
) -> None:
    def conversation(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(wire)):
            connection.sendall(wire[at : at + 1])

    server = serve(conversation if cut else then_close(wire))
    answer = connections.send(post(server.url), PATIENT)
    assert (answer.status, answer.body) == (200, b"hello")


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello!",
        b"HTTP/1.1 200 OK\r\nContent-Length : 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\rX: y\r\n\r\nhello",
    ],
)
def test_an_answer_that_could_be_two_is_none(serve: ServerFactory, connections: Connections, wire: bytes) -> None:
    with pytest.raises(Unanswered):
        connections.send(post(serve(then_close(wire)).url), PATIENT)
