"""A lead's link that points inwards, lies or never ends. Only loopback is ever connected to; names are made up here."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.adapters.images import FetchedImage, ImageFetcher, image_type
from worker.clients.downloads import DownloadError, Downloads, ForbiddenAddress, public_addresses_of
from worker.clients.http.connections import Timeouts
from worker.domain.failures import ImageUnavailable

TIMES = Timeouts(connect=1, read=1, total=1.5)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
OUTSIDE = "files.test"
PRESIGNED = "?X-Amz-Signature=PLANTED-signature"


class Canary:
    """A private service that nobody outside may reach, on both loopback addresses: it only counts who comes."""

    def __init__(self) -> None:
        self._listening = [socket.create_server(("127.0.0.1", 0))]
        self.port: int = self._listening[0].getsockname()[1]
        if socket.has_ipv6:
            with contextlib.suppress(OSError):
                self._listening.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        self.visits = 0
        self._threads = [threading.Thread(target=self._serve, args=(one,), daemon=True) for one in self._listening]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        for listening in self._listening:
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()
        for thread in self._threads:
            thread.join(5)

    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            self.visits += 1
            with connection, contextlib.suppress(OSError):
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 48\r\nConnection: close\r\n\r\n" + PNG)


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    """A private service under every name that it has."""
    found = Canary()
    yield found
    found.close()


NAMES: dict[str, list[str]] = {
    OUTSIDE: ["127.0.0.1"],  # stands for a public server: see `downloads`
    "private.test": ["127.0.0.1"],
    "private6.test": ["::1"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "mixed.test": ["93.184.216.34", "127.0.0.1"],
    "metadata.test": ["169.254.169.254"],
    "intranet.test": ["10.0.0.5"],
    "carrier.test": ["100.64.0.1"],
    "any.test": ["0.0.0.0"],
    "unique-local.test": ["fd00::1"],
    "link-local.test": ["fe80::1%1"],
    "translated.test": ["64:ff9b::7f00:1"],
    "sixtofour.test": ["2002:7f00:1::"],
    "multicast.test": ["224.0.0.1"],
    "broadcast.test": ["255.255.255.255"],
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1"],
}


@pytest.fixture(autouse=True)
def _made_up_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are looked up here and nowhere else; numbers are read by the system, in every form that it knows."""
    by_system = socket.getaddrinfo

    def look_up(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> Any:  # noqa: A002
        text = host.decode() if isinstance(host, bytes) else host
        if text.lower() in NAMES:
            entries = []
            for address in NAMES[text.lower()]:
                version = ipaddress.ip_address(address).version
                entries.append(
                    (socket.AF_INET6 if version == 6 else socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
                )
            return entries
        return by_system(host, port, family, type, proto, flags | socket.AI_NUMERICHOST)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)


@pytest.fixture
def downloads() -> Iterator[Downloads]:
    """As in a worker, but that one name, on loopback, counts as public."""

    def check(host: str, port: int) -> list[str]:
        return ["127.0.0.1"] if host == OUTSIDE else public_addresses_of(host, port)

    found = Downloads(timeouts=TIMES, check_address=check)
    yield found
    found.close()


@pytest.fixture
def fetcher() -> Iterator[ImageFetcher]:
    """As in a demo: loopback is allowed, so that what comes back can be looked at."""
    found = ImageFetcher(allow_private_addresses=True, max_bytes=100_000, timeouts=TIMES)
    yield found
    found.close()


INWARDS = [
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://0:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0x7F.0x0.0x0.0x1:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://017700000001:{port}/",
    "http://00000177.0.0.1:{port}/",
    "http://0.0.0.0:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://[::1]:{port}/",
    "http://[::]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[::1%251]:{port}/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://\uff11\uff12\uff17.\uff10.\uff10.\uff11:{port}/",
    "http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460:{port}/",
    "http://127\u30020\u30020\u30021:{port}/",
    "http://127%2e0%2e0%2e1:{port}/",
    "http://%31%32%37.0.0.1:{port}/",
    "http://files.test@127.0.0.1:{port}/",
    "http://files.test:80@127.0.0.1:{port}/",
    "http://files.test#@127.0.0.1:{port}/",
    "http://files.test\\@127.0.0.1:{port}/",
    "http:\\\\127.0.0.1:{port}/",
    "http:127.0.0.1:{port}/",
    "http:///127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "///127.0.0.1:{port}/",
    "\\\\127.0.0.1:{port}/",
    " http://127.0.0.1:{port}/",
    "https://127.0.0.1:{port}/",
    "HTTP://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/_GET",
    "ftp://127.0.0.1:{port}/a.png",
    "file:///etc/passwd",
    "data:image/png;base64,iVBORw0KGgo=",
    "redis://127.0.0.1:{port}/",
    "unix:/tmp/redis.sock",
    *(f"http://{name}:{{port}}/" for name in NAMES if name != OUTSIDE),
]


@pytest.mark.parametrize("link", INWARDS)
def test_a_link_inwards_is_never_followed(downloads, canary, link):
    with pytest.raises(DownloadError) as caught:
        downloads.get(link.format(port=canary.port) + PRESIGNED, max_bytes=1000)
    assert canary.visits == 0
    assert "PLANTED" not in str(caught.value)


def redirecting(*locations: str, status: int = 302) -> Callable[[socket.socket], None]:
    """Answer one request after the other with the next location; the last one stays."""
    left = list(locations)

    def respond(connection: socket.socket) -> None:
        location = left.pop(0) if len(left) > 1 else left[0]
        head = f"HTTP/1.1 {status} Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())

    return respond


@pytest.mark.parametrize("link", INWARDS)
def test_a_redirect_inwards_is_never_followed(raw_server, downloads, canary, link):
    server = raw_server(redirecting(link.format(port=canary.port) + PRESIGNED))
    with pytest.raises(DownloadError) as caught:
        downloads.get(f"http://{OUTSIDE}:{server.port}/a.png{PRESIGNED}", max_bytes=1000)
    assert server.hits
    assert canary.visits == 0
    assert "PLANTED" not in str(caught.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f.1", "private.test", "localhost"])
def test_the_canary_notices_a_visit(canary, host):
    """The control: with the check switched off, the same links arrive and are counted."""
    free = Downloads(allow_private_addresses=True, timeouts=TIMES)
    free.get(f"http://{host}:{canary.port}/", max_bytes=1000)
    free.close()
    assert canary.visits == 1
    canary.visits = 0


def test_a_second_redirect_inwards_is_not_followed_either(raw_server, downloads, canary):
    outside = f"http://{OUTSIDE}:{{port}}"
    server = raw_server(redirecting("/b", f"http://127.0.0.1:{canary.port}/"))
    with pytest.raises(ForbiddenAddress):
        downloads.get(f"{outside.format(port=server.port)}/a", max_bytes=1000)
    assert (server.hits, canary.visits) == (2, 0)


def test_a_redirect_loop_ends(raw_server, downloads):
    server = raw_server(redirecting("/a", "/b", "/a", "/b", "/a", "/b"))
    with pytest.raises(DownloadError, match="redirects"):
        downloads.get(f"http://{OUTSIDE}:{server.port}/a", max_bytes=1000)
    assert server.hits == 4


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    location=st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30)
    | st.text(st.sampled_from(list("htps:/\\@[]%.#?0127fx ")), max_size=30)
)
def test_any_location_ends_in_an_image_or_an_error(raw_server, downloads, canary, location):
    def respond(connection: socket.socket) -> None:
        head = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        connection.sendall(head % location.encode("latin-1"))

    server = raw_server(respond)
    with pytest.raises(DownloadError):
        downloads.get(f"http://{OUTSIDE}:{server.port}/a.png", max_bytes=1000)
    server.close()
    assert canary.visits == 0


# What comes back from an address that is in order.


def serving(body: bytes, content_type: str = "image/png", length: int | None = None) -> Callable[[socket.socket], None]:
    def respond(connection: socket.socket) -> None:
        size = len(body) if length is None else length
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode() + body)

    return respond


NO_IMAGES = {
    "nothing": b"",
    "zeros": bytes(100),
    "a page": b"<html><script>alert(1)</script>",
    "a drawing with a script": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "a program": b"MZ\x90\x00" + bytes(60),
    "a document": b"%PDF-1.7\n" + PNG,
    "an archive": b"PK\x03\x04" + PNG,
    "an image behind a blank": b" " + PNG,
    "half a signature": PNG[:7],
    "a film": b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + bytes(40),
    "a sound": b"RIFF\x24\x00\x00\x00WAVEfmt ",
    "words that begin like a bitmap": b"BM is a German car maker, is it not? Or was it BMW?",
}


@pytest.mark.parametrize("body", NO_IMAGES.values(), ids=NO_IMAGES.keys())
@pytest.mark.parametrize("content_type", ["image/png", "image/jpeg; charset=utf-8", "application/octet-stream"])
def test_what_is_no_image_stays_outside_whatever_it_is_called(raw_server, fetcher, body, content_type):
    server = raw_server(serving(body, content_type))
    with pytest.raises(ImageUnavailable) as caught:
        fetcher.fetch(f"{server.url}/a.png{PRESIGNED}")
    assert not caught.value.retryable
    assert "PLANTED" not in str(caught.value)


POLYGLOTS = {
    "a gif that is a script": (b"GIF89a/*" + bytes(10) + b"*/=1;alert(1)", "gif"),
    "a jpeg that is a page": (b"\xff\xd8\xff\xfe<script>alert(1)</script>", "jpg"),
    "a png with an archive": (PNG + b"PK\x03\x04" + bytes(100), "png"),
    "a webp with a page": (b"RIFF\x24\x00\x00\x00WEBPVP8 <html>", "webp"),
}


@pytest.mark.parametrize(("body", "extension"), POLYGLOTS.values(), ids=POLYGLOTS.keys())
@pytest.mark.parametrize(
    "path", ["/a.html", "/a.php%00.png", "/..%2f..%2fetc%2fpasswd", "/%0d%0aX:1.svg", "/.htaccess"]
)
def test_what_can_be_read_in_two_ways_goes_on_as_the_image_that_it_is(raw_server, fetcher, body, extension, path):
    """The name that travels on tells the type that the bytes show, never one under which they would be run."""
    server = raw_server(serving(body, "text/html"))
    image = fetcher.fetch(server.url + path)
    assert image.filename.endswith(f".{extension}")
    assert image.filename.count(".") == 1
    assert set(image.filename) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert image.content_type == image_type(body)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=80) | st.sampled_from([PNG, b"\xff\xd8\xff", b"GIF89a"]),
    content_type=st.sampled_from(["image/png", "text/html", "", "image/png\x00"]),
    length=st.sampled_from([None, 0, 3, 10**9, 10**30, -1]),
)
def test_any_body_and_any_length_end_in_an_image_or_an_error(raw_server, fetcher, body, content_type, length):
    server = raw_server(serving(body, content_type, length))
    try:
        image = fetcher.fetch(f"{server.url}/a.png")
    except ImageUnavailable:
        return
    finally:
        server.close()
    assert isinstance(image, FetchedImage)
    assert image.data
    assert body.startswith(image.data)
    assert image_type(image.data) == image.content_type


def test_a_body_without_end_is_not_read_to_the_end(raw_server, fetcher):
    sent = []

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent.append(0)
        for _ in range(4096):
            connection.sendall(b"10000\r\n" + PNG + b"x" * (65_536 - len(PNG)) + b"\r\n")
            sent[-1] += 65_536

    server = raw_server(flood)
    with pytest.raises(ImageUnavailable):
        fetcher.fetch(f"{server.url}/a.png")
    assert sent
    assert sent[0] < 16 * 1024 * 1024


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n", b"HTTP/1.1 302 Found\r\n"]
)
def test_a_server_that_drips_costs_no_more_than_the_total_time(raw_server, fetcher, head):
    def drip(connection: socket.socket) -> None:
        connection.sendall(head)
        # Until the other side hangs up.
        while True:
            connection.sendall(b"A: b\r\n")
            time.sleep(0.05)

    server = raw_server(drip)
    with pytest.raises(ImageUnavailable) as caught:
        fetcher.fetch(f"{server.url}/a.png")
    assert caught.value.retryable


def test_slow_redirects_share_one_total_time(raw_server, fetcher):
    def slowly(connection: socket.socket) -> None:
        time.sleep(0.7)
        redirecting("/next")(connection)

    server = raw_server(slowly)
    with pytest.raises(ImageUnavailable) as caught:
        fetcher.fetch(f"{server.url}/a.png")
    assert 0 < server.hits <= 3, "the time was over in the third one"
    assert caught.value.retryable
