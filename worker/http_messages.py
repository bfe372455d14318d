"""HTTP/1.1 as bytes: a request as it goes out, an answer as it comes in. No connection is known here.

Everything that is kept of an answer is counted: a peer decides what it sends, not how much of it stays here.
"""

from __future__ import annotations

import re

import httpx

from worker.http_bodies import Body, body_of
from worker.http_heads import AnswerOutOfBounds, Head, NoSuchAnswer

__all__ = ["MOST_HEADERS", "MOST_HEAD_BYTES", "AnswerReader", "NoSuchAnswer", "NoSuchRequest", "request_bytes"]

# Of the answer and of all hints before it.
MOST_HEAD_BYTES = 100 * 1024
MOST_HEADERS = 500

_BREAKS_THE_HEAD = re.compile(rb"[\x00\r\n]")


class NoSuchRequest(Exception):
    """The request cannot be written as HTTP/1.1 with a counted body."""


def request_bytes(request: httpx.Request) -> bytes:
    """Head and body of ``request``. Raises ``NoSuchRequest`` for what would be read as something else."""
    words = [request.method.encode("ascii", "replace"), request.url.raw_path]
    lines = [b"%b %b HTTP/1.1" % (words[0], words[1])]
    for name, value in request.headers.raw:
        words += (name, value)
        lines.append(b"%b: %b" % (name, value))
    if _BREAKS_THE_HEAD.search(b"".join(words)) or b" " in words[1]:
        raise NoSuchRequest("a line break or a space where none can be")
    body = request.read()
    if int(request.headers.get("Content-Length", 0)) != len(body):
        raise NoSuchRequest("the body is not counted")
    return b"\r\n".join((*lines, b"", body))


class AnswerReader:
    """Reads one answer out of the pieces of a connection.

    ``status``: None until the head is there. ``complete``: the whole answer is there.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.complete = False
        self._head: Head | None = None
        self._body: Body | None = None
        self._begun_head = bytearray()
        self._head_bytes = 0
        self._stays_open = self._left_over = False

    @property
    def headers(self) -> httpx.Headers:
        """The headers of the answer, in their order."""
        return httpx.Headers(self._head.fields if self._head else [])

    @property
    def size(self) -> int:
        """Bytes of the body so far."""
        return len(self._body.content) if self._body else 0

    @property
    def body(self) -> bytes:
        """The body so far, without chunks' own bytes."""
        return bytes(self._body.content) if self._body else b""

    @property
    def reusable(self) -> bool:
        """Whether the connection can carry another request: it stays open, and nothing is left over."""
        return self.complete and self._stays_open and not self._left_over

    def feed(self, data: bytes) -> None:
        """Go on with what came; empty = the server has closed. Raises ``NoSuchAnswer``."""
        if self.complete:
            # What follows a complete answer is not ours, and no reason to throw it away.
            self._left_over = self._left_over or bool(data)
            return
        if not data:
            if self._body is None:
                raise NoSuchAnswer("closed before its end")
            self._body.close()
            self.complete = True
            return
        if self._body is None:
            data = self._read_heads(data)
            if self._body is None:
                return
        if data and not self._body.complete:
            self._body.feed(data)
            data = b""
        self.complete = self._body.complete
        self._left_over = self._body.left_over or bool(data)

    def _read_heads(self, data: bytes) -> bytes:
        """Read heads until there is that of the answer. Returns what follows it."""
        while data and self._body is None:
            found = self._complete_head(data)
            if found is None:
                return b""
            head, data = Head(found[0]), found[1]
            if head.status == 101 or head.status < 100:
                raise NoSuchAnswer("another protocol")
            if head.status >= 200:
                self._head, self._body = head, body_of(head)
                self.status = head.status
                self._stays_open = head.stays_open
        return data

    def _complete_head(self, data: bytes) -> tuple[bytes, bytes] | None:
        """The next head, and what follows it. The parser never sees a part of one: it would glue the pieces together
        again and again."""
        begun = self._begun_head
        searched = max(0, len(begun) - 2)
        if not begun and data[0] in b"\r\n":
            self._head_bytes += len(data)
            data = data.lstrip(b"\r\n")
            self._head_bytes -= len(data)
        if begun:
            begun += data
        end = _end_of_head(begun or data, searched)
        if end == 0:
            begun += b"" if begun else data
            self._count(len(begun))
            return None
        if begun:
            data = bytes(begun)
            begun.clear()
        head = data[: end]
        self._head_bytes += len(head)
        self._count(0)
        if head.count(b"\n") > MOST_HEADERS:
            raise AnswerOutOfBounds("a head with too many lines")
        return head, data[end :]

    def _count(self, begun_bytes: int) -> None:
        if self._head_bytes + begun_bytes > MOST_HEAD_BYTES:
            raise AnswerOutOfBounds("a head without an end")


def _end_of_head(data: bytes | bytearray, searched: int) -> int:
    """Where the first blank line ends; 0 if there is none."""
    usual = data.find(b"\n\r\n", searched)
    bare = data.find(b"\n\n", searched, usual + 1 if usual >= 0 else len(data))
    if bare >= 0:
        return bare + 2
    return usual + 3 if usual >= 0 else 0
