"""A request goes out as it was built or not at all; an answer is the same however its bytes are cut into pieces."""

from __future__ import annotations

import itertools
import tracemalloc

import httptools
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.clients.http.heads import AnswerOutOfBounds
from worker.clients.http.messages import MOST_HEAD_BYTES, AnswerReader, NoSuchAnswer, request_bytes
from worker.clients.http.requests import NoSuchRequest, Request

COUNTED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nA: 1\r\nA: 2\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nA: 1\r\nA: 2\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nB: 3\r\n\r\n"
)
BARE_LINE_FEEDS = COUNTED.replace(b"\r\n", b"\n")
ODD = (
    b"\r\nHTTP/1.1  200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nA: 1\r\n"
    b"Content-Length: 5\r\nA : 2\r\n\r\n"
    b"2 \r\nhe\r\n3 ; x\r\nllo\r\n0 \r\n\r\n"
)
HINTED = b"HTTP/1.1 103 Wait\r\nA: 0\r\n\r\n" + COUNTED
USUAL = [COUNTED, CHUNKED, HINTED]
ANSWERS = [*USUAL, BARE_LINE_FEEDS]


def read(*pieces: bytes) -> AnswerReader:
    reader = AnswerReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


# Requests


def test_a_request_is_its_line_its_headers_and_its_body() -> None:
    request = httpx.Request("POST", "http://host.test/a?b=c", headers={"X-Own": "1"}, content=b"body")
    head, _, body = request_bytes(request).partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"POST /a?b=c HTTP/1.1"
    assert set(head.split(b"\r\n")[1:]) == {b"Host: host.test", b"Content-Length: 4", b"X-Own: 1"}
    assert body == b"body"


def test_a_request_without_a_body_says_so_unless_none_is_expected() -> None:
    url = httpx.URL("http://host.test/a")
    assert request_bytes(Request("POST", url, [(b"Host", b"host.test")])).endswith(b"\r\nContent-Length: 0\r\n\r\n")
    assert (
        request_bytes(Request("GET", url, [(b"Host", b"host.test")])) == b"GET /a HTTP/1.1\r\nHost: host.test\r\n\r\n"
    )


def test_the_text_of_a_request_shows_neither_key_nor_content() -> None:
    request = Request("POST", httpx.URL("http://host.test/a"), [(b"X-API-Key", b"PLANTED")], b"PLANTED, too")
    assert "PLANTED" not in f"{request} {request!r} {[request]}"


@pytest.mark.parametrize("evil", ["a\r\nX-Evil: 1", "a\nb", "a\x00b"])
def test_a_header_cannot_smuggle_another(evil: str) -> None:
    of_httpx = httpx.Request("POST", "http://host.test/", headers={"X-Own": evil})
    for request in (of_httpx, Request("POST", of_httpx.url, [(b"X-Own", evil.encode())])):
        with pytest.raises(NoSuchRequest) as caught:
            request_bytes(request)
        assert "Evil" not in str(caught.value)


def test_a_body_is_counted() -> None:
    streamed = httpx.Request("POST", "http://host.test/", content=iter([b"a", b"b"]))
    with pytest.raises(NoSuchRequest, match="not counted"):
        request_bytes(streamed)
    with pytest.raises(NoSuchRequest, match="not counted"):
        request_bytes(httpx.Request("POST", "http://host.test/", content=b"abc", headers={"Content-Length": "2"}))


# Answers


@given(st.sampled_from(ANSWERS), st.lists(st.integers(1, 120), max_size=6))
def test_an_answer_does_not_depend_on_how_it_is_cut(wire: bytes, cuts: list[int]) -> None:
    places = sorted({0, len(wire), *(cut for cut in cuts if cut < len(wire))})
    reader = read(*(wire[start:end] for start, end in itertools.pairwise(places)))
    assert (reader.status, reader.body, reader.size, reader.complete) == (200, b"hello", 5, True)
    assert reader.reusable == (wire in USUAL)
    assert httpx.Headers(reader.fields).get_list("A") == ["1", "2"]


@given(st.lists(st.integers(1, 160), max_size=6))
def test_an_odd_answer_does_not_depend_on_how_it_is_cut_either(cuts: list[int]) -> None:
    places = sorted({0, len(ODD), *(cut for cut in cuts if cut < len(ODD))})
    reader = read(*(ODD[start:end] for start, end in itertools.pairwise(places)))
    assert (reader.status, reader.body, reader.complete, reader.reusable) == (200, b"hello", True, False)
    assert httpx.Headers(reader.fields).get_list("A") == ["1", "2"]


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        pytest.param(b"", b"\r\n", id="blank lines"),
        pytest.param(b"", b"HTTP/1.1 100 Go\r\n\r\n", id="hints"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", id="fields"),
        pytest.param(b"HTTP/1.1 200 OK\r\nA: ", b"x", id="a value"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"x", id="a name"),
        pytest.param(b"HTTP/1.1 200 ", b"x", id="a reason"),
    ],
)
@pytest.mark.parametrize("size", [1, 4096])
def test_a_head_without_an_end_is_given_up(begin: bytes, more: bytes, size: int) -> None:
    reader, fed = AnswerReader(), 0
    pieces = itertools.repeat(more if size == 1 else more * (size // len(more)))

    def feed_for_ever() -> None:
        nonlocal fed
        if begin:
            reader.feed(begin)
        for piece in pieces:
            reader.feed(piece)
            fed += len(piece)
            assert fed < 2 * MOST_HEAD_BYTES

    with pytest.raises(AnswerOutOfBounds):
        feed_for_ever()


def test_bytes_that_drip_in_cost_no_more_than_in_one_piece() -> None:
    """The parser glues the pieces of a value together: a head that came in 100 000 pieces was copied as often."""
    wire = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: " + b"x" * (MOST_HEAD_BYTES - 100) + b"\r\n\r\n"
    seen: list[int] = []
    original = httptools.HttpResponseParser

    class Counting:
        def __init__(self, protocol: object) -> None:
            self._parser = original(protocol)

        def __getattr__(self, name: str) -> object:
            return getattr(self._parser, name)

        def feed_data(self, data: bytes) -> None:
            seen.append(len(data))
            self._parser.feed_data(data)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httptools, "HttpResponseParser", Counting)
        reader = read(*(bytes([byte]) for byte in wire))
    assert reader.complete
    assert sum(seen) < 2 * len(wire)


def test_a_body_of_single_bytes_is_kept_as_its_bytes() -> None:
    """An object for each chunk takes a hundred times the memory of its byte."""
    reader = read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    tracemalloc.start()
    try:
        for _ in range(80):
            reader.feed(b"1\r\nx\r\n" * 1000)
        held, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert reader.size == 80_000
    assert held < 400_000


@given(st.sampled_from(ANSWERS), st.data())
def test_no_part_of_an_answer_is_one(wire: bytes, data: st.DataObject) -> None:
    reader = read(wire[: data.draw(st.integers(1, len(wire) - 1))])
    assert not reader.complete
    with pytest.raises(NoSuchAnswer):
        reader.feed(b"")


def test_without_a_length_the_end_of_the_connection_is_the_end() -> None:
    reader = read(b"HTTP/1.1 200 OK\r\n\r\nhel", b"lo")
    assert not reader.complete
    reader.feed(b"")
    assert (reader.complete, reader.body, reader.reusable) == (True, b"hello", False)


@pytest.mark.parametrize(
    "more",
    [COUNTED, b"H", b"no HTTP at all", b"HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\n"],
    ids=["an answer", "a byte", "noise", "another protocol"],
)
@pytest.mark.parametrize("together", [True, False])
def test_what_follows_an_answer_is_not_in_it(more: bytes, together: bool) -> None:
    reader = read(COUNTED + more) if together else read(COUNTED, more)
    assert (reader.status, reader.body, httpx.Headers(reader.fields).get_list("A")) == (200, b"hello", ["1", "2"])
    assert (reader.complete, reader.reusable) == (True, False)


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    ],
)
def test_a_connection_that_the_server_closes_is_not_reusable(wire: bytes) -> None:
    reader = read(wire)
    assert (reader.complete, reader.body, reader.reusable) == (True, b"hello", False)


@pytest.mark.parametrize(
    "wire",
    [
        b"SMTP ready\r\n\r\n",
        b"HTTP/1.1 101 Go\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nX\x01: a\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * (MOST_HEAD_BYTES + 1),
    ],
)
def test_what_is_no_answer_is_refused_without_a_quotation(wire: bytes) -> None:
    with pytest.raises(NoSuchAnswer) as caught:
        read(wire)
    assert "HTTP/1.1" not in str(caught.value)
    assert "xxx" not in str(caught.value)


@given(st.binary(max_size=300))
def test_no_bytes_do_anything_worse_than_being_refused(noise: bytes) -> None:
    for wire in (
        noise,
        b"HTTP/1.1 200 OK\r\n" + noise,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + noise,
    ):
        try:
            reader = read(wire, b"")
        except NoSuchAnswer:
            continue
        assert reader.complete
