"""The head of an HTTP/1.1 answer. No connection is known here.

llhttp (through httptools) reads it, strictly. A head that it refuses is written out once more without the oddities
that curl, browsers and ``http.client`` overlook, and read again: an answer that was paid for is not to count as none
for a blank. What two readers could understand differently is refused. A connection with any oddity is not kept.
"""

from __future__ import annotations

import re

import httptools

MOST_HEADERS = 500

_STATUS_LINE = re.compile(rb"HTTP/([0-9])(?:\.([0-9]))?[ \t]+([1-9][0-9]{2})(?:[ \t].*)?", re.IGNORECASE | re.DOTALL)
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_NOT_TOKEN = re.compile(rb"[^!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(rb"[\x01-\x08\x0b-\x1f\x7f]")
_FRAMING = (b"content-length", b"transfer-encoding")


class NoSuchAnswer(Exception):
    """What came is no complete HTTP/1.1 answer. The text never quotes it."""


class AnswerOutOfBounds(NoSuchAnswer):
    """More came than may be kept or looked at for one answer."""


class Head:
    """A complete head: ``status``, ``fields`` in their order, and whether the connection ``stays_open`` after the body.

    ``whole_body``: the body, if all of it came together with the head and nothing after it; else None.
    """

    status: int
    stays_open: bool

    def __init__(self) -> None:
        self.fields: list[tuple[bytes, bytes]] = []
        self.whole_body: bytes | None = None
        self.complete = False
        self._pieces: list[bytes] = []
        self._messages = 0

    def read(self, data: bytes, **leniencies: bool) -> None:
        """Read the head that ``data`` begins with. Raises ``httptools.HttpParserError``."""
        self._parser = httptools.HttpResponseParser(self)
        if leniencies:
            self._parser.set_dangerous_leniencies(**leniencies)
        try:
            self._parser.feed_data(data)
        finally:
            del self._parser
        if self._messages == 1:
            self._keep_whole_body(data)

    def _keep_whole_body(self, data: bytes) -> None:
        body = b"".join(self._pieces)
        names = [name.lower() for name, _ in self.fields]
        # The parser reads over line ends behind a message; chunks, and answers without a body, are looked at elsewhere.
        if names.count(b"content-length") == 1 and b"transfer-encoding" not in names and self.status not in (204, 304):
            self.whole_body = body
            self.stays_open = self.stays_open and end_of_head(data) + len(body) == len(data)

    # What the parser calls.

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.complete:
            self.fields.append((name, value))

    def on_headers_complete(self) -> None:
        if not self.complete:
            self.complete = True
            self.status = self._parser.get_status_code()
            self.stays_open = self._parser.should_keep_alive()

    def on_body(self, piece: bytes) -> None:
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        self._messages += 1

    def on_message_begin(self) -> None:
        if self._messages:
            self._messages += 1


def read_head(data: bytes) -> Head | None:
    """The head that ``data`` begins with, None if it is not complete. Raises ``NoSuchAnswer``.

    Give ``data`` from the beginning each time: the parser glues pieces together again and again.
    """
    head = Head()
    try:
        head.read(data)
    except httptools.HttpParserUpgrade as error:
        raise NoSuchAnswer("another protocol") from error
    except httptools.HttpParserError as error:
        if not head.complete:
            head = _read_leniently(data, error)
    if not head.complete:
        if data[:5].upper() != b"HTTP/"[: len(data)] or end_of_head(data):
            raise NoSuchAnswer("another protocol")
        return None
    if head.status == 101 or head.status < 100:
        raise NoSuchAnswer("another protocol")
    if len(head.fields) > MOST_HEADERS:
        raise AnswerOutOfBounds("a head with too many lines")
    if head.status < 200:
        head.whole_body = None
    return head


def end_of_head(data: bytes | bytearray, searched: int = 0) -> int:
    """Where the first blank line ends, 0 if there is none. ``searched``: so many bytes surely hold no end of it."""
    usual = data.find(b"\n\r\n", searched)
    bare = data.find(b"\n\n", searched, usual + 1 if usual >= 0 else len(data))
    if bare >= 0:
        return bare + 2
    return usual + 3 if usual >= 0 else 0


def _read_leniently(data: bytes, error: httptools.HttpParserError) -> Head:
    head, end = Head(), end_of_head(data)
    if end == 0:
        return head
    plain = mended(data[:end])
    if plain is None:
        raise NoSuchAnswer(type(error).__name__) from error
    try:
        # A length beside a coding: whether they agree is seen by ``worker.clients.http.bodies``.
        head.read(plain, lenient_chunked_length=True, lenient_transfer_encoding=True)
    except httptools.HttpParserError:
        raise NoSuchAnswer(type(error).__name__) from error
    # What follows on such a connection may be understood in two ways, too.
    head.stays_open, head.whole_body = False, None
    return head


def mended(head: bytes) -> bytes | None:
    """The head as a strict reader takes it; None if it could be understood in two ways or not at all.

    Mended: odd blanks in the status line, folded lines, blanks before a colon, lines without a colon or with a name
    that is none (left out), control characters in values (a blank), one Content-Length said several times, an empty
    Transfer-Encoding (left out).
    """
    first, *rest = (line.removesuffix(b"\r") for line in head.split(b"\n"))
    found = _STATUS_LINE.fullmatch(first)
    fields = None if b"\0" in head or any(b"\r" in line for line in (first, *rest)) else _unfolded(rest)
    if found is None or fields is None:
        return None
    version = b"1.0" if found[1] + (found[2] or b"") == b"10" else b"1.1"
    lines, length = [b"HTTP/%b %b " % (version, found[3])], set[int]()
    for field in fields:
        name, colon, value = field.partition(b":")
        if not _is_plain(name, colon, value):
            return None
        if name.lower() == b"content-length":
            length |= _numbers(value)
        elif name.lower() == b"transfer-encoding" and not value.strip(b" \t"):
            continue
        elif colon and _TOKEN.fullmatch(name := name.rstrip(b" \t")):
            lines.append(b"%b: %b" % (name, _CONTROL.sub(b" ", value).strip(b" \t")))
    if len(length) > 1 or -1 in length:
        return None
    lines += [b"Content-Length: %d" % one for one in length]
    return b"\r\n".join((*lines, b"", b""))


def _is_plain(name: bytes, colon: bytes, value: bytes) -> bool:
    """Whether no reader could take this for another field, or for one that delimits the body while others do not."""
    if _CONTROL.search(name):
        return False
    if not colon:
        return not any(framing in name.lower() for framing in _FRAMING)
    meant = _NOT_TOKEN.sub(b"", name.lower())
    return meant not in _FRAMING or (name.lower() == meant and not _CONTROL.search(value))


def _unfolded(lines: list[bytes]) -> list[bytes] | None:
    fields: list[bytes] = []
    for line in lines:
        if line[:1] not in (b" ", b"\t"):
            fields.append(line)
        elif fields:
            fields[-1] += b" " + line.strip(b" \t")
        else:
            return None
    return fields


def _numbers(value: bytes) -> set[int]:
    """The lengths that a value names; -1 for what is none. A list may have empty places (RFC 9110, 5.6.1)."""
    parts = [stripped for part in value.split(b",") if (stripped := part.strip(b" \t"))] or [b""]
    return {int(part) if part.isdigit() and len(part) < 20 else -1 for part in parts}
