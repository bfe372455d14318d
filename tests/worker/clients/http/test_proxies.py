"""Calls through an outgoing proxy and to servers with a company's certificate, both real and on loopback."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import certifi
import pytest

from simulation.servers.certificates import Certificates, make
from simulation.servers.embedded_redis import free_port
from tests.socket_server import Server
from tests.worker.clients.http.forward_proxy import ForwardProxy
from tests.worker.clients.http.servers import KEY, OK, PATIENT, ServerFactory, post, then_close
from worker.adapters.images import ImageFetcher
from worker.clients.downloads import ForbiddenAddress, public_addresses_of
from worker.clients.http.connections import AnswerTooLarge, Connections, NotSent, Timeouts, Unanswered
from worker.domain.failures import ImageUnavailable

Open = Callable[..., Connections]
Make = Callable[..., ForwardProxy]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A company's authority, and a server that it has signed."""
    return make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def open_connections() -> Iterator[Open]:
    """Connections, closed after the test."""
    made: list[Connections] = []

    def start(**options: Any) -> Connections:
        made.append(Connections(**options))
        return made[-1]

    yield start
    for connections in made:
        connections.close()


@pytest.fixture
def make_proxy() -> Iterator[Make]:
    """Forward proxies, closed after the test."""
    made: list[ForwardProxy] = []

    def start(**options: Any) -> ForwardProxy:
        made.append(ForwardProxy(**options))
        return made[-1]

    yield start
    for proxy in made:
        proxy.close()


@pytest.fixture
def secure(serve: ServerFactory, certificates: Certificates) -> Callable[..., Server]:
    """Servers that speak TLS with a certificate of the company."""

    def start(conversation: Callable[[Server, socket.socket], None] | None = None) -> Server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates.server.certificate, certificates.server.key)

        def over_tls(server: Server, connection: socket.socket) -> None:
            with contextlib.suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True) as wrapped:
                (conversation or _answering)(server, wrapped)

        return serve(over_tls)

    return start


def _answering(server: Server, connection: socket.socket) -> None:
    while server.read_request(connection):
        connection.sendall(OK)


def at(server: Server) -> str:
    return server.url.replace("http:", "https:")


# A company's authority


def test_a_server_with_a_certificate_of_the_company_is_trusted_when_told(
    secure: Callable[..., Server], open_connections: Open, certificates: Certificates
) -> None:
    server = secure()
    with pytest.raises(NotSent, match="certificate verify failed"):
        open_connections().send(post(at(server)), PATIENT)
    assert open_connections(ca_path=certificates.ca).send(post(at(server)), PATIENT).body == b"ok"


def test_the_public_authorities_are_still_trusted(
    secure: Callable[..., Server],
    open_connections: Open,
    certificates: Certificates,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The one that signed the server stands for them here, another one is the company's."""
    monkeypatch.setattr(certifi, "where", lambda: str(certificates.ca))
    company = make(tmp_path).ca
    assert open_connections(ca_path=company).send(post(at(secure())), PATIENT).body == b"ok"


def test_a_name_is_checked_with_the_company_s_authority_too(
    serve: ServerFactory, open_connections: Open, certificates: Certificates
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.stranger.certificate, certificates.stranger.key)

    def conversation(_server: Server, connection: socket.socket) -> None:
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(connection, server_side=True) as wrapped:
            wrapped.recv(1)

    with pytest.raises(NotSent, match="certificate verify failed"):
        open_connections(ca_path=certificates.ca).send(post(at(serve(conversation))), PATIENT)


# A proxy


@pytest.mark.parametrize("login", ["", "me:p%40ss word"])
def test_https_goes_through_the_proxy_in_a_tunnel_that_is_kept(
    secure: Callable[..., Server], make_proxy: Make, open_connections: Open, certificates: Certificates, login: str
) -> None:
    server, proxy = secure(), make_proxy(login=login.replace("%40", "@"))
    url = proxy.url.replace("//", f"//{login.replace(' ', '%20')}@") if login else proxy.url
    connections = open_connections(ca_path=certificates.ca, proxy=url)
    for _ in range(3):
        answer = connections.send(post(at(server), **{"X-API-Key": KEY}), PATIENT)
        assert (answer.status, answer.body) == (200, b"ok")
    assert proxy.asked == [f"CONNECT 127.0.0.1:{server.port} HTTP/1.1"]
    assert [KEY.encode() in request for request in server.received] == [True] * 3
    assert not any(b"roxy-" in request for request in server.received), "the login is for the proxy alone"


def test_http_goes_through_the_proxy_too(serve: ServerFactory, make_proxy: Make, open_connections: Open) -> None:
    server, proxy = serve(), make_proxy()
    answer = open_connections(proxy=proxy.url).send(post(f"{server.url}/a"), PATIENT)
    assert (answer.status, answer.body) == (200, b"ok")
    assert proxy.asked == [f"POST {server.url}/a HTTP/1.1"]


def test_the_proxy_looks_up_the_names(serve: ServerFactory, make_proxy: Make, open_connections: Open) -> None:
    server, proxy = serve(), make_proxy(names={"only.inside.test": "127.0.0.1"})
    url = f"http://only.inside.test:{server.port}/"
    assert open_connections(proxy=proxy.url).send(post(url), PATIENT).body == b"ok"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_wants_a_login_is_not_the_server(
    secure: Callable[..., Server], serve: ServerFactory, make_proxy: Make, open_connections: Open, scheme: str
) -> None:
    """Nothing reached the server: it may be asked later, and the event is not at fault."""
    server, proxy = secure() if scheme == "https" else serve(), make_proxy(login="me:right")
    connections = open_connections(proxy=proxy.url.replace("//", "//me:PLANTED@"))
    with pytest.raises(NotSent, match="the proxy answered 407") as caught:
        connections.send(post(server.url.replace("http:", f"{scheme}:")), PATIENT)
    assert not server.accepted
    assert "PLANTED" not in f"{caught.value!r} {connections!r}"


def test_a_server_that_the_proxy_cannot_reach_was_sent_nothing(make_proxy: Make, open_connections: Open) -> None:
    connections = open_connections(proxy=make_proxy().url)
    with pytest.raises(NotSent, match="the proxy answered 502") as caught:
        connections.send(post(f"https://127.0.0.1:{free_port()}/"), PATIENT)
    assert "SECRET" not in str(caught.value)


def test_a_proxy_that_is_not_there_was_sent_nothing(open_connections: Open) -> None:
    connections = open_connections(proxy=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(NotSent, match="through the proxy: ConnectError: Connection refused"):
        connections.send(post("https://server.test/"), PATIENT)


def test_a_certificate_is_checked_through_the_proxy_too(
    secure: Callable[..., Server], make_proxy: Make, open_connections: Open
) -> None:
    with pytest.raises(NotSent, match="certificate verify failed"):
        open_connections(proxy=make_proxy().url).send(post(at(secure())), PATIENT)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"])
def test_a_server_that_breaks_off_may_have_acted(
    secure: Callable[..., Server], make_proxy: Make, open_connections: Open, certificates: Certificates, answer: bytes
) -> None:
    connections = open_connections(ca_path=certificates.ca, proxy=make_proxy().url)
    with pytest.raises(Unanswered) as caught:
        connections.send(post(at(secure(then_close(answer)))), PATIENT)
    assert caught.value.status == (200 if answer else None)


def test_an_answer_that_is_too_large_is_not_read_to_its_end(
    serve: ServerFactory, make_proxy: Make, open_connections: Open
) -> None:
    server = serve(then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 900000\r\n\r\n" + bytes(900_000)))
    with pytest.raises(AnswerTooLarge, match="larger than 1000 bytes"):
        open_connections(proxy=make_proxy().url).send(post(server.url), PATIENT, 1000)


def test_a_header_with_a_line_break_is_not_sent(serve: ServerFactory, make_proxy: Make, open_connections: Open) -> None:
    server, proxy = serve(), make_proxy()
    with pytest.raises(NotSent):
        open_connections(proxy=proxy.url).send(post(server.url, **{"X-A": "a\r\nX-B: c"}), PATIENT)
    assert proxy.asked == []


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"])
def test_an_answer_that_drips_ends_in_time(
    secure: Callable[..., Server], make_proxy: Make, open_connections: Open, certificates: Certificates, begin: bytes
) -> None:
    """Each byte comes in time; only the whole takes too long."""

    def drip(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(begin)
        with contextlib.suppress(OSError):
            while begin:
                connection.sendall(b"A")
                time.sleep(0.02)
            connection.recv(1)

    connections = open_connections(ca_path=certificates.ca, proxy=make_proxy().url)
    with pytest.raises(Unanswered, match="ReadTimeout"):
        connections.send(post(at(secure(drip))), Timeouts(connect=5, read=600, total=1))


def test_many_calls_at_once(serve: ServerFactory, make_proxy: Make, open_connections: Open) -> None:
    over = threading.Barrier(20)

    def together(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        over.wait(20)
        connection.sendall(OK)

    server, connections = serve(together), open_connections(proxy=make_proxy().url)
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: connections.send(post(server.url), PATIENT).body, range(20)))
    assert answers == [b"ok"] * 20


def test_closing_lets_calls_in_flight_end(
    secure: Callable[..., Server], make_proxy: Make, open_connections: Open, certificates: Certificates
) -> None:
    asked, over = threading.Event(), threading.Event()

    def wait(server: Server, connection: socket.socket) -> None:
        server.read_request(connection)
        asked.set()
        over.wait(20)
        connection.sendall(OK)
        connection.recv(1)

    server, connections = secure(wait), open_connections(ca_path=certificates.ca, proxy=make_proxy().url)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(connections.send, post(at(server)), PATIENT)
        assert asked.wait(10)
        connections.close()
        over.set()
        assert call.result(10).body == b"ok"


# Images


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}/", "http://169.254.169.254/", "http://10.0.0.5/"])
def test_a_private_address_is_refused_before_the_proxy_is_asked(
    serve: ServerFactory, make_proxy: Make, open_connections: Open, url: str
) -> None:
    server, proxy = serve(), make_proxy()
    connections = open_connections(proxy=proxy.url, check_address=public_addresses_of)
    with pytest.raises(ForbiddenAddress):
        connections.send(post(url.format(port=server.port)), PATIENT)
    assert proxy.asked == []


def test_an_image_is_fetched_through_the_proxy(serve: ServerFactory, make_proxy: Make) -> None:
    picture = b"\x89PNG\r\n\x1a\n" + bytes(40)

    def conversation(_server: Server, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(picture), picture))

    server, proxy = serve(conversation), make_proxy(names={"pictures.test": "127.0.0.1"})
    fetcher = ImageFetcher(proxy=proxy.url, timeouts=PATIENT)
    assert fetcher.fetch(f"http://pictures.test:{server.port}/a").data == picture
    with pytest.raises(ImageUnavailable, match="not on the public internet"):
        fetcher.fetch(f"{server.url}/a")
    fetcher.close()
