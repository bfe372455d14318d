"""HTTP/1.1 as bytes: a request as it goes out, an answer as it comes in. No connection is known here.

Answers are parsed by llhttp (through httptools), in its strict mode but for bare line feeds.
"""

from __future__ import annotations

import re

import httptools
import httpx

MOST_HEAD_BYTES = 100 * 1024

_BREAKS_THE_HEAD = re.compile(rb"[\x00\r\n]")


class NoSuchRequest(Exception):
    """The request cannot be written as HTTP/1.1 with a counted body."""


class NoSuchAnswer(Exception):
    """What came is no complete HTTP/1.1 answer. The text never quotes it."""


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

    ``status``: None until the head is there. ``size``: bytes of the body so far.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.size = 0
        self.complete = False
        self._headers: list[tuple[bytes, bytes]] = []
        self._pieces: list[bytes] = []
        self._head_bytes = 0
        self._stays_open = self._left_over = False
        self._parser = httptools.HttpResponseParser(self)
        # As RFC 9112, 2.2 allows: an answer that is all there is not to count as none for its line ends.
        self._parser.set_dangerous_leniencies(lenient_optional_cr_before_lf=True)

    @property
    def headers(self) -> httpx.Headers:
        """The headers of the answer, in their order."""
        return httpx.Headers(self._headers)

    @property
    def body(self) -> bytes:
        """The body so far, without chunks' own bytes."""
        return b"".join(self._pieces)

    @property
    def reusable(self) -> bool:
        """Whether the connection can carry another request: it stays open, and nothing is left over."""
        return self.complete and self._stays_open and not self._left_over

    def feed(self, data: bytes) -> None:
        """Go on with what came; empty = the server has closed. Raises ``NoSuchAnswer``."""
        if not data:
            self._end()
            return
        wrong: str | None = None
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            wrong = "another protocol"
        except httptools.HttpParserError as error:
            wrong = type(error).__name__
        # What follows a complete answer is not ours, and no reason to throw it away.
        if self.complete:
            self._left_over = self._left_over or wrong is not None
        elif wrong is not None:
            raise NoSuchAnswer(wrong)
        elif self.status is None:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                raise NoSuchAnswer("a head without an end")

    def _end(self) -> None:
        # Without a length and without chunks the end of the connection is the end of the body (RFC 9112, 6.3).
        headers = self.headers
        codings = headers.get("Transfer-Encoding", "").lower()
        counted = "Content-Length" in headers or codings.rpartition(",")[2].strip() == "chunked"
        if self.status is None or counted:
            raise NoSuchAnswer("closed before its end")
        self.complete = True

    # What the parser calls.

    def on_message_begin(self) -> None:
        self._left_over = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.complete:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self.complete or status == 101:
            return
        if status < 200:
            # A hint; the answer itself follows.
            self._headers.clear()
        else:
            self.status = status

    def on_body(self, piece: bytes) -> None:
        if not self.complete:
            self._pieces.append(piece)
            self.size += len(piece)

    def on_message_complete(self) -> None:
        if self.status is not None and not self.complete:
            self.complete = True
            self._stays_open = self._parser.should_keep_alive()
