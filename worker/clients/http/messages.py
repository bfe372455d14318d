"""HTTP/1.1 as bytes: a request as it goes out, an answer as it comes in. No connection is known here.

The size of everything that is kept of an answer is limited: the peer decides what it sends, not how much is kept.
"""

from __future__ import annotations

from worker.clients.http.bodies import Body, WholeBody, announces_body, body_of
from worker.clients.http.heads import AnswerOutOfBounds, Head, NoSuchAnswer, end_of_head, read_head
from worker.clients.http.requests import Asked, NoSuchRequest, plain

__all__ = ["MOST_HEAD_BYTES", "AnswerReader", "NoSuchAnswer", "request_bytes"]

# Of the answer and of all hints before it.
MOST_HEAD_BYTES = 100 * 1024


def request_bytes(request: Asked) -> bytes:
    """Head and body of ``request``. Raises ``NoSuchRequest`` for what would be read as something else."""
    request = plain(request)
    path = request.url.raw_path
    lines = [b"%b %b HTTP/1.1" % (request.method.encode("ascii", "replace"), path)]
    lines += [b"%b: %b" % field for field in request.all_fields]
    head, breaks = b"\r\n".join(lines), len(lines) - 1
    if head.count(b"\r") != breaks or head.count(b"\n") != breaks or b"\0" in head or b" " in path:
        raise NoSuchRequest("a line break or a space where none can be")
    return b"\r\n".join((head, b"", request.body))


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
        self._left_over = False
        self._unusual = False

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The header fields of the answer, in their order."""
        return self._head.fields if self._head else []

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
        """Whether the connection can carry another request: it stays open, and nothing was unusual or is left over."""
        if self._head is None or self._body is None or self._unusual or self._left_over:
            return False
        return self.complete and self._head.stays_open and not self._body.unusual

    def feed(self, data: bytes) -> None:
        """Go on with what came; empty = the server has closed. Raises ``NoSuchAnswer``."""
        if self.complete:
            # Bytes after a complete answer belong to no request, and are no reason to discard the answer.
            self._left_over = self._left_over or bool(data)
            return
        if self._body is None:
            self._body, data = self._begin(data)
        elif not data:
            self._body.close()
        body = self._body
        if body is None:
            return
        if data and not body.complete:
            body.feed(data)
            data = b""
        self.complete = body.complete
        self._left_over = body.left_over or bool(data)

    def _begin(self, data: bytes) -> tuple[Body | None, bytes]:
        """The body whose head is complete now, and what came of it; None without such a head."""
        if not data:
            raise NoSuchAnswer("closed before its end")
        while data:
            head, data = self._next_head(data)
            if head is not None and head.status >= 200:
                self._head, self.status = head, head.status
                if head.whole_body is not None:
                    return WholeBody(head.whole_body), b""
                return body_of(head), data
            if head is not None and announces_body(head):
                self._unusual = True
            # Else a hint: the answer itself follows.
        return None, b""

    def _next_head(self, data: bytes) -> tuple[Head | None, bytes]:
        begun = self._begun_head
        if begun:
            searched = max(0, len(begun) - 2)
            begun += data
            if not end_of_head(begun, searched):
                self._count(len(begun))
                return None, b""
            data = bytes(begun)
            begun.clear()
        elif data[0] in b"\r\n":
            self._count(0, len(data))
            data = data.lstrip(b"\r\n")
            self._unusual = True
        head = read_head(data) if data else None
        if head is None:
            begun += data
            self._count(len(begun))
            return None, b""
        if head.whole_body is None:
            end = end_of_head(data)
            self._count(0, end)
            data = data[end:]
        return head, data

    def _count(self, begun_bytes: int, more_bytes: int = 0) -> None:
        self._head_bytes += more_bytes
        if self._head_bytes + begun_bytes > MOST_HEAD_BYTES:
            raise AnswerOutOfBounds("a head without an end")
