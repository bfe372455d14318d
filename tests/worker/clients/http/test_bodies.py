"""A body ends where its head says, and what stands between its chunks is bounded."""

from __future__ import annotations

import pytest

from worker.clients.http.bodies import (
    MOST_FRAMING_BYTES,
    MOST_LINE_BYTES,
    ChunkedBody,
    CountedBody,
    UncountedBody,
    body_of,
)
from worker.clients.http.heads import AnswerOutOfBounds, NoSuchAnswer, read_head


def head_of(*fields: bytes, status: int = 200):
    head = read_head(b"HTTP/1.1 %d OK\r\n%b\r\n" % (status, b"".join(field + b"\r\n" for field in fields)))
    assert head is not None
    return head


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ([b"Content-Length: 5"], CountedBody),
        ([], UncountedBody),
        ([b"Transfer-Encoding: chunked"], ChunkedBody),
        ([b"Transfer-Encoding: Chunked"], ChunkedBody),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], ChunkedBody),
        ([b"Transfer-Encoding: gzip, chunked"], ChunkedBody),
        ([b"Transfer-Encoding: identity", b"Content-Length: 5"], CountedBody),
        ([b"Transfer-Encoding: identity"], UncountedBody),
        ([b"Transfer-Encoding: gzip"], UncountedBody),
        ([b"Transfer-Encoding: chunked", b"Content-Length: 5"], ChunkedBody),
    ],
)
def test_the_head_says_where_the_body_ends(fields: list[bytes], kind: type) -> None:
    assert type(body_of(head_of(*fields))) is kind


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_no_body_whatever_they_say(status: int) -> None:
    for field in (b"Content-Length: 5", b"Transfer-Encoding: chunked"):
        assert body_of(head_of(field, status=status)).complete


@pytest.mark.parametrize(
    "fields", [[b"Transfer-Encoding: chunked, gzip"], [b"Transfer-Encoding: gzip", b"Content-Length: 5"]]
)
def test_a_body_with_two_ends_is_refused(fields: list[bytes]) -> None:
    with pytest.raises(NoSuchAnswer):
        body_of(head_of(*fields))


@pytest.mark.parametrize(
    "wire",
    [
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5 \r\nhello\r\n0 \r\n\r\n",
        b"5 \t \r\nhello\r\n0\t\r\n\r\n",
        b" 5\r\nhello\r\n 0\r\n\r\n",
        b"5;a=b\r\nhello\r\n0;last\r\n\r\n",
        b'5 ; a = "b c; d" @@ \xff\r\nhello\r\n0\r\n\r\n',
        b"00000005\r\nhello\r\n000\r\n\r\n",
        b"5\nhello\n0\n\n",
        b"1\r\nh\r\n4\r\nello\r\n0\r\nA: b\r\nno field\r\n\r\n",
    ],
)
def test_chunks_are_read_in_every_unambiguous_form_however_they_are_cut(wire: bytes) -> None:
    for size in range(1, len(wire) + 1):
        body = ChunkedBody()
        for at in range(0, len(wire), size):
            assert not body.complete
            body.feed(wire[at : at + size])
        assert (bytes(body.content), body.complete, body.left_over) == (b"hello", True, False)


@pytest.mark.parametrize(
    "wire",
    [
        b"0x5\r\nhello\r\n0\r\n\r\n",
        b"+5\r\nhello\r\n",
        b"-5\r\nhello\r\n",
        b"5_0\r\nhello\r\n",
        b"5 5\r\nhello\r\n",
        b"\r\nhello\r\n",
        b"five\r\nhello\r\n",
        b"4\r\nhello\r\n",
        b"5\rX\r\nhello\r\n",
        b"5;a\x00\r\nhello\r\n",
        b"f" * 33 + b"\r\nhello\r\n",
    ],
)
def test_a_chunk_with_an_unclear_size_is_refused(wire: bytes) -> None:
    with pytest.raises(NoSuchAnswer):
        ChunkedBody().feed(wire)


def test_chunks_beside_a_length_must_come_to_just_that() -> None:
    body = ChunkedBody(5)
    body.feed(b"5\r\nhello\r\n0\r\n\r\n")
    assert body.complete
    with pytest.raises(NoSuchAnswer):
        ChunkedBody(6).feed(b"5\r\nhello\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        pytest.param(b"0\r\n", b"A: b\r\n", id="trailers"),
        pytest.param(b"0\r\nA: ", b"x" * 100, id="a trailer's value"),
        pytest.param(b"5;", b"x" * 100, id="an extension"),
        pytest.param(b"", b"0" * 100, id="a size"),
        pytest.param(b"", b"1\r\nx\r\n", id="chunks of a byte"),
        pytest.param(b"", b"1;" + b"x" * 7000 + b"\r\nx\r\n", id="extensions"),
    ],
)
def test_what_is_not_content_ends_soon(begin: bytes, more: bytes) -> None:
    body, fed = ChunkedBody(), 0

    def feed_for_ever() -> None:
        nonlocal fed
        body.feed(begin + more if begin else more)
        while True:
            body.feed(more)
            fed += len(more)
            assert fed < 2 * MOST_FRAMING_BYTES

    with pytest.raises(AnswerOutOfBounds):
        feed_for_ever()
    if b"\n" not in more:
        assert fed <= MOST_LINE_BYTES, "a line without an end is not kept"


def test_a_large_body_of_small_chunks_is_read() -> None:
    body = ChunkedBody()
    for _ in range(20_000):
        body.feed(b"64\r\n" + b"x" * 100 + b"\r\n")
    body.feed(b"0\r\n\r\n")
    assert body.complete
    assert len(body.content) == 2_000_000
