"""Where the body of an HTTP/1.1 answer ends (RFC 9112, 6.3), and its bytes up to there. No connection is known here."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Protocol

from worker.clients.http.heads import AnswerOutOfBounds, Head, NoSuchAnswer

# What stands between the chunks is not kept, but each chunk costs time: so much, and a byte for each eight of content.
MOST_FRAMING_BYTES = 512 * 1024
MOST_LINE_BYTES = 8 * 1024

_CONTENT_FOR_EACH_FRAMING_BYTE = 8
# A bare line feed may end a size, but no extension: that readers see its end in different places is a known attack.
_SIZE_LINE = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,32})[ \t]*(?:;[^\r\x00]*\r|\r?)")
_USUAL_SIZE_LINE = re.compile(rb"[0-9A-Fa-f]+(?:;.*)?\r", re.DOTALL)

_EMPTY = (b"\r", b"")


class Body(Protocol):
    """``content``: what came so far. ``complete``: the end came. ``left_over``: more came than belongs to it.

    ``unusual``: it was clear enough to be read, and yet its server does not write as others do.
    """

    complete: bool
    left_over: bool
    unusual: bool

    @property
    def content(self) -> bytes | bytearray: ...

    def feed(self, piece: bytes) -> None:
        """Go on with what came, at least one byte. Raises ``NoSuchAnswer``."""
        ...

    def close(self) -> None:
        """The connection has ended. Raises ``NoSuchAnswer`` if the body has not."""
        ...


class WholeBody:
    """All of it, come together with its head."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.complete, self.left_over, self.unusual = True, False, False

    def feed(self, piece: bytes) -> None:
        """See ``Body``; never called, it is complete."""

    def close(self) -> None:
        """See ``Body``."""


class CountedBody:
    """So many bytes."""

    def __init__(self, length: int, *, unusual: bool = False) -> None:
        self.content = bytearray()
        self._length = length
        self.complete = length == 0
        self.left_over = False
        self.unusual = unusual

    def feed(self, piece: bytes) -> None:
        """See ``Body``."""
        self.content += piece
        surplus = len(self.content) - self._length
        if surplus >= 0:
            self.complete = True
        if surplus > 0:
            self.left_over = True
            del self.content[self._length :]

    def close(self) -> None:
        """See ``Body``."""
        if not self.complete:
            raise NoSuchAnswer("closed before its end")


class UncountedBody:
    """All that comes until the server closes the connection."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.complete = self.left_over = self.unusual = False

    def feed(self, piece: bytes) -> None:
        """See ``Body``."""
        self.content += piece

    def close(self) -> None:
        """See ``Body``."""
        self.complete = True


class _Expects(Enum):
    """What comes next in a body of chunks."""

    SIZE = auto()
    END_OF_CHUNK = auto()
    TRAILER = auto()


class ChunkedBody:
    """Chunks, each with its size before it. Extensions and trailers are read over.

    ``length``: what a Content-Length beside the chunks says, if there is one; the chunks must come to just that.
    Read as other clients do: blanks around a size, any extension, bare line feeds.
    """

    def __init__(self, length: int | None = None, *, unusual: bool = False) -> None:
        self.content = bytearray()
        self.complete = self.left_over = False
        self.unusual = unusual or length is not None
        self._length = length
        self._expects = _Expects.SIZE
        self._chunk_left = 0
        self._framing_bytes = 0
        self._begun_line = b""

    def feed(self, piece: bytes) -> None:
        """See ``Body``."""
        piece_bytes, content_bytes_before = len(piece), len(self.content)
        if self._begun_line:
            piece = self._begun_line + piece
            self._begun_line = b""
        at = 0
        while at < len(piece) and not self.complete:
            if self._chunk_left:
                part = piece[at : at + self._chunk_left]
                self.content += part
                self._chunk_left -= len(part)
                at += len(part)
                continue
            line_end = piece.find(b"\n", at)
            if line_end < 0:
                self._begun_line = piece[at:]
                break
            self._read_line(piece[at:line_end])
            at = line_end + 1
        self.left_over = self.complete and at < len(piece)
        self._framing_bytes += piece_bytes + content_bytes_before - len(self.content)
        most = MOST_FRAMING_BYTES + len(self.content) // _CONTENT_FOR_EACH_FRAMING_BYTE
        if self._framing_bytes > most or len(self._begun_line) > MOST_LINE_BYTES:
            raise AnswerOutOfBounds("too much between the chunks of the answer, or after them")

    def close(self) -> None:
        """See ``Body``."""
        if not self.complete:
            raise NoSuchAnswer("closed before its end")

    def _read_line(self, line: bytes) -> None:
        if self._expects is _Expects.SIZE:
            found = _SIZE_LINE.fullmatch(line)
            if found is None:
                raise NoSuchAnswer("a chunk without a size")
            self.unusual = self.unusual or _USUAL_SIZE_LINE.fullmatch(line) is None
            self._chunk_left = int(found[1], 16)
            self._expects = _Expects.END_OF_CHUNK if self._chunk_left else _Expects.TRAILER
        elif self._expects is _Expects.END_OF_CHUNK:
            if line not in _EMPTY:
                raise NoSuchAnswer("a chunk that is longer than its size")
            self.unusual = self.unusual or line == b""
            self._expects = _Expects.SIZE
        elif line in _EMPTY:
            if self._length is not None and self._length != len(self.content):
                raise NoSuchAnswer("two different lengths")
            self.unusual = self.unusual or line == b""
            self.complete = True


def body_of(head: Head) -> Body:
    """An empty body of the kind that the head announces. Raises ``NoSuchAnswer`` if that is not clear."""
    if head.status in (204, 304):
        return CountedBody(0, unusual=announces_body(head))
    # The parser lets no second length and no sign pass.
    length = next((int(value) for name, value in head.fields if name.lower() == b"content-length"), None)
    lists = [value.lower().split(b",") for name, value in head.fields if name.lower() == b"transfer-encoding"]
    named = [name.strip() for names in lists for name in names]
    codings = [coding for coding in named if coding not in (b"", b"identity")]
    if b"chunked" in codings[:-1] and set(codings) != {b"chunked"}:
        raise NoSuchAnswer("chunks within another coding")
    if codings and codings[-1] == b"chunked":
        return ChunkedBody(length, unusual=named != [b"chunked"])
    if codings and length is not None:
        raise NoSuchAnswer("a length and a coding without one")
    return UncountedBody() if length is None else CountedBody(length, unusual=bool(lists))


def announces_body(head: Head) -> bool:
    """Whether a head whose status has no body says that one follows. Its server may send it all the same."""
    return any(
        name.lower() == b"transfer-encoding" or (name.lower() == b"content-length" and value.strip(b"0"))
        for name, value in head.fields
    )
