"""Strangers' links are followed on the public internet only, within limits (protocols.md C39)."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.http_server import Handler, serving
from worker.clients import downloads as public
from worker.clients.downloads import (
    MAX_REDIRECTS,
    Download,
    DownloadError,
    Downloads,
    ForbiddenAddress,
    TooLarge,
    is_public,
    public_addresses_of,
)
from worker.clients.http.connections import Connections, NotSent, Timeouts

PUBLIC = ["93.184.216.34", "8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "64:ff9b::808:808", "2a00:1450::1"]
PRIVATE = [
    "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.255.254", "169.254.169.254", "172.16.0.1", "172.31.9.9",
    "192.0.0.9", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1", "fd12::1",
    "fe80::1", "fe80::1%1", "fec0::1", "ff02::1", "4000::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", PRIVATE)
def test_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "::1"]
)
def test_every_spelling_of_loopback_is_refused(host: str) -> None:
    with pytest.raises(ForbiddenAddress, match="not on the public internet"):
        public_addresses_of(host, 80)


def test_a_public_literal_is_its_own_address() -> None:
    assert public_addresses_of("93.184.216.34", 443) == ["93.184.216.34"]


Resolve = Callable[..., None]


@pytest.fixture
def resolve_to(monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Make every name look-up answer with these addresses."""

    def prepare(*addresses: str) -> None:
        entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in addresses]
        monkeypatch.setattr(public.socket, "getaddrinfo", lambda *args, **kwargs: entries)

    return prepare


def test_the_first_of_public_addresses_is_connected_to(resolve_to: Resolve) -> None:
    resolve_to("93.184.216.34", "8.8.8.8")
    assert public_addresses_of("files.test", 80)[0] == "93.184.216.34"


@pytest.mark.parametrize("addresses", [("93.184.216.34", "10.0.0.1"), ("10.0.0.1", "93.184.216.34"), ("::1",)])
def test_one_private_address_among_many_is_enough_to_refuse(resolve_to: Resolve, addresses: tuple[str, ...]) -> None:
    resolve_to(*addresses)
    with pytest.raises(ForbiddenAddress, match="files"):
        public_addresses_of("files.test", 80)


def test_a_name_without_address_was_not_sent_to(resolve_to: Resolve) -> None:
    resolve_to()
    with pytest.raises(NotSent, match="no address"):
        public_addresses_of("files.test", 80)


@pytest.mark.parametrize("failure", [socket.gaierror(-2, "unknown"), UnicodeError("label too long"), TimeoutError()])
def test_a_failed_look_up_was_not_sent_to(monkeypatch: pytest.MonkeyPatch, failure: Exception) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise failure

    monkeypatch.setattr(public.socket, "getaddrinfo", fail)
    with pytest.raises(NotSent, match="could not be resolved") as caught:
        public_addresses_of("files.test", 80)
    assert caught.value.__cause__ is failure


class Site:
    """What the file server answers: path → (status, headers, body). ``asked``: the paths that were asked for."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.pages: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.asked: list[tuple[str, str]] = []
        self.released = threading.Event()

    def url(self, path: str, host: str = "public.test") -> str:
        return f"http://{host}:{self.port}{path}"


@pytest.fixture
def site() -> Iterator[Site]:
    """A file server on loopback; path /hang never answers, /drip answers a byte at a time, /cut breaks off."""

    class Files(Handler):
        def respond(self) -> None:
            found.asked.append((self.path, self.headers["Host"].partition(":")[0]))
            if self.path == "/hang":
                found.released.wait()
                self.close_connection = True
                return
            status, headers, body = found.pages.get(self.path, (200, {}, b"content"))
            drips = self.path == "/drip"
            self.answer(status, b"" if drips else body, {"Content-Length": str(len(body)), **headers})
            while drips and not found.released.wait(0.05):
                self.wfile.write(b"x")
            self.close_connection = self.path == "/cut"

    with serving(Files) as origin:
        found = Site(int(origin.rpartition(":")[2]))
        yield found
        found.released.set()


def _guard(host: str, port: int) -> list[str]:
    """The real guard, but for names that stand for public hosts: those are this machine."""
    return ["127.0.0.1"] if host.endswith("public.test") else public_addresses_of(host, port)


@pytest.fixture
def downloads() -> Iterator[Downloads]:
    """Downloads with the real guard and short times."""
    made = Downloads(check_address=_guard, timeouts=Timeouts(connect=1, read=0.5, total=1.5))
    yield made
    made.close()


def _fails(downloads: Downloads, url: Any, max_bytes: int = 1000) -> DownloadError:
    with pytest.raises(DownloadError) as caught:
        downloads.get(url, max_bytes=max_bytes)
    assert "secret" not in str(caught.value)
    return caught.value


def test_a_public_link_is_fetched(downloads: Downloads, site: Site) -> None:
    download = downloads.get(site.url("/a?signature=secret"), max_bytes=7)
    assert download.body == b"content"
    assert site.asked == [("/a?signature=secret", "public.test")]


def test_the_address_that_was_checked_is_the_one_connected_to(site: Site) -> None:
    """A name that answers differently the second time gains nothing: it is looked up once."""
    looked_up: list[str] = []

    def look_up(host: str, port: int) -> list[str]:
        looked_up.append(host)
        return ["127.0.0.1"]

    downloads = Downloads(check_address=look_up)
    assert downloads.get(site.url("/", "rebinding.invalid"), max_bytes=100).body == b"content"
    assert looked_up == ["rebinding.invalid"]
    downloads.close()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/secret", "http://localhost/secret", "http://[::1]:80/secret", "http://[::ffff:10.0.0.1]/secret",
        "http://169.254.169.254/secret", "http://2130706433/secret", "http://u:secret@public.test/", "http://u@public.test/",
        "file:///secret", "ftp://public.test/secret", "gopher://public.test/", "javascript:secret", "/secret", "secret",
        "", "http://", "http:///secret", "http://public.test:99999/secret", "http://public.test:0/",
        "http://a b/secret", "http://" + "a" * 70 + "/secret", "http://.public.test/", "http://public.test:secret/", "http://[secret/",
        "\x00", None, 5,
    ],
)  # fmt: skip
def test_what_is_no_public_web_address_is_refused(downloads: Downloads, url: Any) -> None:
    error = _fails(downloads, url)
    assert isinstance(error, ForbiddenAddress)
    assert not error.retryable


@given(url=st.text() | st.text().map("http://".__add__) | st.text().map("https://public.test:".__add__))
def test_any_text_is_refused_or_reported(url: str) -> None:
    """No link makes anything but a DownloadError; nothing is connected to."""

    def refuse(host: str, port: int) -> list[str]:
        raise ForbiddenAddress("no traffic here")

    with pytest.raises(DownloadError):
        Downloads(check_address=refuse).get(url, max_bytes=1)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/b", "b", "//other.public.test:{port}/b", "http://public.test:{port}/b#x"])
def test_redirects_are_followed(downloads: Downloads, site: Site, status: int, location: str) -> None:
    site.pages["/a"] = (status, {"Location": location.format(port=site.port)}, b"moved")
    download = downloads.get(site.url("/a"), max_bytes=100)
    assert download.body == b"content"
    assert download.url.path == "/b"
    assert [path for path, _ in site.asked] == ["/a", "/b"]


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/secret", "http://localhost:{port}/secret", "http://169.254.169.254/secret",
        "file:///secret", "http://u:secret@public.test:{port}/", "http://[::1]:{port}/secret", "http://[secret", "",
    ],
)  # fmt: skip
def test_a_redirect_to_a_private_address_is_refused(downloads: Downloads, site: Site, location: str) -> None:
    site.pages["/a"] = (302, {"Location": location.format(port=site.port)}, b"")
    error = _fails(downloads, site.url("/a"))
    assert isinstance(error, ForbiddenAddress)
    assert [path for path, _ in site.asked] == ["/a"]


def test_redirects_are_counted(downloads: Downloads, site: Site) -> None:
    for number in range(MAX_REDIRECTS + 1):
        site.pages[f"/{number}"] = (302, {"Location": f"/{number + 1}"}, b"")
    assert downloads.get(site.url("/1"), max_bytes=100).body == b"content"
    error = _fails(downloads, site.url("/0"))
    assert (str(error), error.retryable) == ("public.test: more than 3 redirects, given up", False)


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(400, False), (401, False), (403, False), (404, False), (410, False), (304, False), (408, True), (425, True),
     (429, True), (500, True), (502, True), (503, True), (504, True)],
)  # fmt: skip
@pytest.mark.parametrize("size", [0, 5000])
def test_a_status_decides_whatever_the_body(
    downloads: Downloads, site: Site, status: int, retryable: bool, size: int
) -> None:
    site.pages["/secret"] = (status, {}, b"" if status == 304 else b"x" * size)
    error = _fails(downloads, site.url("/secret"))
    assert (error.status, error.retryable) == (status, retryable)
    assert f"public.test answered {status}" in str(error)


def test_the_size_is_limited(downloads: Downloads, site: Site) -> None:
    site.pages["/a"] = (200, {}, b"x" * 1001)
    error = _fails(downloads, site.url("/a"), max_bytes=1000)
    assert isinstance(error, TooLarge)
    assert not error.retryable
    assert len(downloads.get(site.url("/a"), max_bytes=1001).body) == 1001


@pytest.mark.parametrize(
    ("coding", "sent", "found"),
    [
        ("gzip", b"x", b"x"),
        ("Identity", b"x", b"x"),
        ("gzip", gzip.compress(b"x", mtime=0), b"x"),
        ("aws-chunked, gzip", gzip.compress(b"x", mtime=0), b"x"),
        ("gzip", gzip.compress(b"x", mtime=0)[:-1], gzip.compress(b"x", mtime=0)[:-1]),
        ("", gzip.compress(b"x", mtime=0), gzip.compress(b"x", mtime=0)),
    ],
)
def test_content_is_unpacked_when_it_is_packed_as_its_server_says(
    downloads: Downloads, site: Site, coding: str, sent: bytes, found: bytes
) -> None:
    site.pages["/a"] = (200, {"Content-Encoding": coding}, sent)
    assert downloads.get(site.url("/a"), max_bytes=100) == Download(httpx.URL(site.url("/a")), found)


def test_a_coding_that_cannot_be_undone_is_told(downloads: Downloads, site: Site) -> None:
    site.pages["/a"] = (200, {"Content-Encoding": "BR"}, b"x")
    assert downloads.get(site.url("/a"), max_bytes=100).coding == "br"


@pytest.mark.parametrize("path", ["/hang", "/drip"])
def test_the_time_is_limited(downloads: Downloads, site: Site, path: str) -> None:
    site.pages["/drip"] = (200, {"Content-Length": "100000"}, b"")
    error = _fails(downloads, site.url(path))
    assert error.retryable


def test_an_answer_that_breaks_off_may_be_tried_again(downloads: Downloads, site: Site) -> None:
    site.pages["/cut"] = (200, {"Content-Length": "100"}, b"half")
    error = _fails(downloads, site.url("/cut"))
    assert error.retryable
    assert not isinstance(error, TooLarge)


def test_nobody_listening_may_be_tried_again(downloads: Downloads) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        error = _fails(downloads, f"http://public.test:{taken.getsockname()[1]}/secret")
    assert error.retryable


def test_private_addresses_can_be_allowed(site: Site) -> None:
    downloads = Downloads(allow_private_addresses=True)
    assert downloads.get(site.url("/a", "127.0.0.1"), max_bytes=100).body == b"content"
    downloads.close()


def test_as_the_guard_of_connections(site: Site) -> None:
    """The exception of the guard comes out of Connections as it is, and nothing is sent."""
    import httpx

    connections = Connections(check_address=public_addresses_of)
    with pytest.raises(ForbiddenAddress):
        connections.send(httpx.Request("GET", site.url("/", "127.0.0.1")), Timeouts(1, 1, 1))
    assert site.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/", "http://2852039166/", "http://0xa9.0xfe.0xa9.0xfe/", "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/", "http://[64:ff9b::a9fe:a9fe]/", "http://168.63.129.16/machine/",
        "http://100.100.100.200/", "http://192.0.0.192/", "http://metadata.google.internal/", "http://Metadata.Google.Internal./",
    ],
)  # fmt: skip
@pytest.mark.parametrize("allowed", [True, False])
def test_the_metadata_of_clouds_is_refused_where_private_addresses_are_allowed_too(url: str, allowed: bool) -> None:
    downloads = Downloads(allow_private_addresses=allowed, timeouts=Timeouts(5, 5, 5))
    with pytest.raises(ForbiddenAddress):
        downloads.get(url, max_bytes=1)
    downloads.close()


@pytest.mark.parametrize("allowed", [True, False])
def test_a_name_that_leads_to_metadata_is_refused(resolve_to: Resolve, allowed: bool) -> None:
    resolve_to("93.184.216.34", "169.254.169.254")
    downloads = Downloads(allow_private_addresses=allowed, timeouts=Timeouts(5, 5, 5))
    with pytest.raises(ForbiddenAddress):
        downloads.get("http://files.test/", max_bytes=1)
    downloads.close()


def test_all_public_addresses_of_a_name_are_tried(resolve_to: Resolve) -> None:
    resolve_to("93.184.216.34", "8.8.8.8", "93.184.216.34")
    assert public_addresses_of("files.test", 80) == ["93.184.216.34", "8.8.8.8"]


@pytest.mark.parametrize("body", [b"x" * 5000, b"half"], ids=["too large", "cut"])
def test_a_redirect_counts_whatever_becomes_of_its_body(downloads: Downloads, site: Site, body: bytes) -> None:
    site.pages["/cut"] = (302, {"Location": "/b", "Content-Length": "5000"}, body)
    assert downloads.get(site.url("/cut"), max_bytes=1000).body == b"content"
