"""What other clients read in a head is read; what two readers could understand differently is refused."""

from __future__ import annotations

import pytest

from worker.clients.http.heads import MOST_HEADERS, AnswerOutOfBounds, NoSuchAnswer, end_of_head, mended, read_head

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("odd", "plain"),
    [
        pytest.param(
            b"Content-Length: 5\r\ncontent-length: 5\r\n", [(b"Content-Length", b"5")], id="a length said twice"
        ),
        pytest.param(b"Content-Length: 5, 5\r\n", [(b"Content-Length", b"5")], id="a list of equal lengths"),
        pytest.param(b"Content-Length: 5\r\nContent-Length: 05\r\n", [(b"Content-Length", b"5")], id="a leading zero"),
        pytest.param(b"A : b\r\n", [(b"A", b"b")], id="a blank before the colon"),
        pytest.param(b"A: b\r\n c\r\n\td\r\n", [(b"A", b"b c d")], id="a folded line"),
        pytest.param(b"A: b\x01\x7fc\r\n", [(b"A", b"b  c")], id="control characters in a value"),
        pytest.param(b"no field at all\r\nA: b\r\n", [(b"A", b"b")], id="a line without a colon"),
        pytest.param(b": b\r\nA: b\r\n", [(b"A", b"b")], id="a field without a name"),
        pytest.param(b"A B@: b\r\nA: b\r\n", [(b"A", b"b")], id="a name that is none"),
        pytest.param(b"X-Content-Length : 9\r\n", [(b"X-Content-Length", b"9")], id="a length of something else"),
    ],
)
def test_an_odd_field_is_read_as_others_read_it(odd: bytes, plain: list[tuple[bytes, bytes]]) -> None:
    head = read_head(OK + odd + b"\r\n")
    assert head is not None
    assert (head.status, head.fields) == (200, plain)
    assert not head.stays_open, "what follows may be as odd"


@pytest.mark.parametrize(
    "line", [b"HTTP/1.1  200 OK", b"HTTP/1.1\t200 OK", b"http/1.1 200 OK", b"HTTP/2 200", b"HTTP/1.2 200 OK"]
)
def test_an_odd_status_line_is_read(line: bytes) -> None:
    head = read_head(line + b"\r\nA: b\r\n\r\n")
    assert head is not None
    assert (head.status, head.fields) == (200, [(b"A", b"b")])


@pytest.mark.parametrize("line", [b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 200 \xc3\x9cber", b"HTTP/1.1 999 No"])
def test_a_bare_or_foreign_reason_is_nothing_odd(line: bytes) -> None:
    head = read_head(line + b"\r\nContent-Length: 0\r\n\r\n")
    assert head is not None
    assert head.stays_open


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n", id="two lengths"),
        pytest.param(OK + b"Content-Length: 5, 6\r\n\r\n", id="a list of two lengths"),
        pytest.param(OK + b"Content-Length: +5\r\n\r\n", id="a sign"),
        pytest.param(OK + b"Content-Length: 0x5\r\n\r\n", id="hexadecimal"),
        pytest.param(OK + b"Content-Length: 5.0\r\n\r\n", id="a fraction"),
        pytest.param(OK + b"Content-Length:\r\n\r\n", id="no length"),
        pytest.param(OK + b"Content-Length : 5\r\n\r\n", id="a blank before the colon of a length"),
        pytest.param(OK + b"Transfer-Encoding : chunked\r\n\r\n", id="a blank before the colon of a coding"),
        pytest.param(OK + b"Content-Length\xa0: 5\r\n\r\n", id="a length of unusual blanks"),
        pytest.param(OK + b"Content-Length 5\r\nA B: c\r\n\r\n", id="a length without a colon"),
        pytest.param(OK + b"Content-Length: 5\r\n 6\r\n\r\n", id="a folded length"),
        pytest.param(OK + b"Transfer-Encoding: \x0bchunked\r\n\r\n", id="a control character in a coding"),
        pytest.param(OK + b" A: b\r\n\r\n", id="a blank first"),
        pytest.param(OK + b"A: b\rContent-Length: 5\r\n\r\n", id="a bare carriage return"),
        pytest.param(OK + b"A: b\x00c\r\n\r\n", id="a NUL"),
        pytest.param(OK + b"A\x01: b\r\n\r\n", id="a control character in a name"),
        pytest.param(b"HTTP/1.1 20 OK\r\n\r\n", id="two digits"),
        pytest.param(b"HTTP/1.1 2000 OK\r\n\r\n", id="four digits"),
        pytest.param(b"HTTP/1.1 099 OK\r\n\r\n", id="below all classes"),
        pytest.param(b"HTTP/1.1 OK\r\n\r\n", id="no status"),
        pytest.param(b"ICY 200 OK\r\n\r\n", id="another protocol"),
        pytest.param(b"SSH-2.0", id="another protocol without an end"),
    ],
)
def test_what_could_be_understood_in_two_ways_is_refused(wire: bytes) -> None:
    with pytest.raises(NoSuchAnswer):
        read_head(wire)


@pytest.mark.parametrize("wire", [b"H", b"HTTP/1.1 200 OK\r\n", OK + b"Content-Length: 5\r\nContent-Length: 5\r\nA"])
def test_a_head_without_its_end_is_waited_for(wire: bytes) -> None:
    assert read_head(wire) is None


def test_the_lines_of_a_head_are_counted() -> None:
    field = b"A: b\r\n"
    assert read_head(OK + field * MOST_HEADERS + b"\r\n") is not None
    with pytest.raises(AnswerOutOfBounds):
        read_head(OK + field * (MOST_HEADERS + 1) + b"\r\n")


def test_a_head_in_order_is_mended_to_the_same() -> None:
    wire = OK + b"A: b\r\nContent-Type: text/plain\r\n\r\n"
    assert mended(wire) == b"HTTP/1.1 200 \r\nA: b\r\nContent-Type: text/plain\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "end"),
    [(b"a\r\n\r\nb", 5), (b"a\n\nb\r\n\r\n", 3), (b"a\n\r\nb", 4), (b"a\r\n\nb", 4), (b"a\r\nb\r\n", 0), (b"", 0)],
)
def test_a_head_ends_with_its_first_blank_line(data: bytes, end: int) -> None:
    assert end_of_head(data) == end
