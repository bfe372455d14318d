"""A lead's image is fetched with guards and told by its content."""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import tracemalloc
import zlib
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.http_server import Handler, serving
from worker.adapters.images import FetchedImage, ImageFetcher, image_type
from worker.clients.http.connections import Timeouts
from worker.domain.failures import ImageUnavailable


def _ftyp(major: bytes, *compatible: bytes) -> bytes:
    box = b"ftyp" + major + b"\x00\x00\x00\x00" + b"".join(compatible)
    return (len(box) + 4).to_bytes(4, "big") + box + b"rest of the file"


JPEG = b"\xff\xd8\xff\xe0 jpeg"
PNG = b"\x89PNG\r\n\x1a\n png"
BMP = b"BM" + bytes(12) + (40).to_bytes(4, "little") + bytes(36)

IMAGES = {
    "jpeg": (JPEG, "image/jpeg", "jpg"),
    "png": (PNG, "image/png", "png"),
    "gif87": (b"GIF87a gif", "image/gif", "gif"),
    "gif89": (b"GIF89a gif", "image/gif", "gif"),
    "webp": (b"RIFF\x10\x00\x00\x00WEBPVP8 ", "image/webp", "webp"),
    "bmp": (BMP, "image/bmp", "bmp"),
    "heic": (_ftyp(b"heic", b"mif1", b"heic"), "image/heic", "heic"),
    "heif": (_ftyp(b"mif1", b"heic"), "image/heic", "heic"),
    "avif": (_ftyp(b"avif", b"mif1", b"miaf"), "image/avif", "avif"),
    "avif by brand": (_ftyp(b"mif1", b"avif"), "image/avif", "avif"),
    "tiff of a scanner": (b"II*\x00" + bytes(20), "image/tiff", "tiff"),
    "tiff the other way round": (b"MM\x00*" + bytes(20), "image/tiff", "tiff"),
    "avif sequence": (_ftyp(b"avis"), "image/avif", "avif"),
}
OTHERS = {
    "empty": b"",
    "html": b"<!doctype html><html>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "pdf": b"%PDF-1.7",
    "video": _ftyp(b"isom", b"mp42"),
    "sound": b"RIFF\x10\x00\x00\x00WAVEfmt ",
    "text that begins with BM": b"BMW is a maker of cars and motorcycles",
    "cut jpeg": b"\xff\xd8",
    "cut png": b"\x89PNG",
    "ftyp without end": b"\x00\x00\x00\x08ftypheic",
    "ftyp too long": b"\xff\x00\x00\x00ftypheic",
    "zip": b"PK\x03\x04",
}


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_told_by_their_first_bytes(name: str) -> None:
    data, kind, _ = IMAGES[name]
    assert image_type(data) == kind


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS.keys())
def test_everything_else_is_no_image(data: bytes) -> None:
    assert image_type(data) is None


@given(st.binary(max_size=40) | st.binary(max_size=40).map(b"\x00\x00\x00\x18ftyp".__add__))
def test_any_bytes_can_be_judged(data: bytes) -> None:
    assert image_type(data) is None or image_type(data) in {kind for _, kind, _ in IMAGES.values()}


class Site:
    """What the server answers: path (without query) → (status, body); everything is declared as text."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.pages: dict[str, tuple[int, bytes]] = {}
        self.asked = 0
        self.coding = ""


@pytest.fixture
def site() -> Iterator[Site]:
    """A file server on loopback that declares everything as text/plain."""

    class Files(Handler):
        def respond(self) -> None:
            found.asked += 1
            status, body = found.pages[self.path.partition("?")[0]]
            coding = {"Content-Encoding": found.coding} if found.coding else {}
            self.answer(status, body, {"Content-Type": "text/plain", **coding})

    with serving(Files) as origin:
        found = Site(origin)
        yield found


Fetcher = Callable[..., ImageFetcher]


@pytest.fixture
def make_fetcher() -> Iterator[Fetcher]:
    """Fetchers that may reach loopback, closed after the test."""
    made: list[ImageFetcher] = []

    def make(*, allow_private_addresses: bool = True, max_bytes: int = 10_000) -> ImageFetcher:
        made.append(
            ImageFetcher(
                allow_private_addresses=allow_private_addresses, max_bytes=max_bytes, timeouts=Timeouts(1, 1, 2)
            )
        )
        return made[-1]

    yield make
    for fetcher in made:
        fetcher.close()


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_fetched_whatever_the_server_calls_it(make_fetcher: Fetcher, site: Site, name: str) -> None:
    data, kind, extension = IMAGES[name]
    site.pages["/photos/me.txt"] = (200, data)
    image = make_fetcher().fetch(f"{site.origin}/photos/me.txt?signature=s")
    assert (image.data, image.content_type, image.filename) == (data, kind, f"me.{extension}")


@pytest.mark.parametrize(
    ("path", "filename"),
    [
        ("/", "image.jpg"),
        ("/a/b/", "image.jpg"),
        ("/photo", "photo.jpg"),
        ("/photo.final.png", "photo-final.jpg"),
        ("/.hidden", "hidden.jpg"),
        ("/%2e%2e%2fetc%2fpasswd", "passwd.jpg"),
        ("/a%0d%0ab%22.jpg", "a-b.jpg"),
        ("/%E5%86%99%E7%9C%9F.jpg", "image.jpg"),
        ("/" + "x" * 300 + ".jpg", "x" * 64 + ".jpg"),
    ],
)
def test_the_file_name_is_safe(make_fetcher: Fetcher, site: Site, path: str, filename: str) -> None:
    site.pages[path] = (200, JPEG)
    assert make_fetcher().fetch(site.origin + path).filename == filename


@pytest.mark.parametrize(
    ("called", "filename"),
    [
        ("scan.pdf", "scan.jpg"),
        ("blob", "blob.jpg"),
        ("evil.html", "evil.jpg"),
        ("My Photo (1).JPEG", "My-Photo-1.jpg"),
        ("../../etc/passwd", "passwd.jpg"),
        ("C:\\fakepath\\me.png", "me.jpg"),
        ('a"\r\nX-Injected: 1.png', "a-X-Injected-1.jpg"),
        ("...", "image.jpg"),
        ("", "photo.jpg"),
        (None, "photo.jpg"),
    ],
)
def test_the_name_that_a_sender_gives_is_only_a_name(called: str | None, filename: str) -> None:
    assert FetchedImage(JPEG, "photo.jpg", "image/jpeg").named(called) == filename


@pytest.mark.parametrize(
    "coding", ["aws-chunked", "base64", "utf-8", "binary", "gzip", "deflate", "br", "zstd", "x, gzip"]
)
def test_a_false_content_coding_costs_no_image(make_fetcher: Fetcher, site: Site, coding: str) -> None:
    site.pages["/a"] = (200, PNG)
    site.coding = coding
    assert make_fetcher().fetch(f"{site.origin}/a").data == PNG


@pytest.mark.parametrize(
    ("coding", "pack"), [("gzip", gzip.compress), ("X-GZIP", gzip.compress), ("deflate", zlib.compress)]
)
def test_an_image_that_is_packed_is_unpacked(
    make_fetcher: Fetcher, site: Site, coding: str, pack: Callable[[bytes], bytes]
) -> None:
    site.pages["/a"] = (200, pack(PNG))
    site.coding = coding
    assert make_fetcher().fetch(f"{site.origin}/a").data == PNG


def test_unpacking_is_bounded(make_fetcher: Fetcher, site: Site) -> None:
    site.pages["/secret"] = (200, gzip.compress(PNG + bytes(200_000_000), compresslevel=1))
    site.coding = "gzip"
    tracemalloc.start()
    try:
        error = _fails(make_fetcher(max_bytes=1_000_000), f"{site.origin}/secret")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert "larger than 1000000 bytes" in str(error)
    assert peak < 8_000_000


def test_an_image_in_a_coding_that_cannot_be_undone_is_refused_by_its_name(make_fetcher: Fetcher, site: Site) -> None:
    site.pages["/secret"] = (200, b"\x28\xb5\x2f\xfd packed")
    site.coding = "zstd"
    assert "packed (zstd) although asked not to" in str(_fails(make_fetcher(), f"{site.origin}/secret"))


def _fails(fetcher: ImageFetcher, url: str) -> ImageUnavailable:
    with pytest.raises(ImageUnavailable) as caught:
        fetcher.fetch(url)
    assert "secret" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(403, False), (404, False), (410, False), (301, False), (429, True), (500, True), (503, True)],
)
def test_a_failed_fetch_says_whether_another_try_can_help(
    make_fetcher: Fetcher, site: Site, status: int, retryable: bool
) -> None:
    site.pages["/secret"] = (status, b"")
    error = _fails(make_fetcher(), f"{site.origin}/secret?secret")
    assert error.retryable is retryable
    assert "127.0.0.1" in str(error) or status == 301, "the host may be named"
    assert error.__cause__ is not None


@pytest.mark.parametrize("data", OTHERS.values(), ids=OTHERS.keys())
def test_what_is_no_image_is_refused(make_fetcher: Fetcher, site: Site, data: bytes) -> None:
    site.pages["/secret.jpg"] = (200, data)
    error = _fails(make_fetcher(), f"{site.origin}/secret.jpg")
    assert not error.retryable
    assert "not an image" in str(error)


def test_a_large_image_is_refused(make_fetcher: Fetcher, site: Site) -> None:
    site.pages["/secret.jpg"] = (200, JPEG + bytes(1000))
    error = _fails(make_fetcher(max_bytes=1000), f"{site.origin}/secret.jpg")
    assert (error.retryable, "larger than 1000 bytes" in str(error)) == (False, True)


def test_private_addresses_are_refused_unless_allowed(make_fetcher: Fetcher, site: Site) -> None:
    error = _fails(make_fetcher(allow_private_addresses=False), f"{site.origin}/secret.jpg")
    assert (error.retryable, site.asked) == (False, 0)


def test_nobody_listening_may_be_tried_again(make_fetcher: Fetcher) -> None:
    assert _fails(make_fetcher(), "http://127.0.0.1:1/secret.jpg").retryable


def test_a_link_that_never_ends_costs_little_memory(make_fetcher: Fetcher) -> None:
    """Trailers, extensions and chunks of a byte are no content, and yet they come."""
    for begin, more in [
        (b"4\r\nGIF8\r\n0\r\n", b"x: " + b"a" * 200 + b"\r\n"),
        (b"", b"1\r\nx\r\n"),
        (b"0\r\nx: ", b"a" * 999),
    ]:
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def pour(listener: socket.socket = listener, begin: bytes = begin, more: bytes = more) -> None:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + begin)
                    while True:
                        connection.sendall(more * 50)

            thread = threading.Thread(target=pour, daemon=True)
            thread.start()
            tracemalloc.start()
            try:
                _fails(make_fetcher(max_bytes=1_000_000), f"http://127.0.0.1:{listener.getsockname()[1]}/a")
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            thread.join(10)
        assert peak < 4_000_000
