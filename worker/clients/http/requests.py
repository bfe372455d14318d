"""A request as it is sent.

One of httpx costs as much as all else that a call does before its first byte, so the calls of a turn are made without
it. What needs its forms and files makes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

Field = tuple[bytes, bytes]


class NoSuchRequest(Exception):
    """The request cannot be written as HTTP/1.1 with a counted body."""


@dataclass(frozen=True, slots=True, repr=False)
class Request:
    """A request whose text shows neither its key nor its content.

    ``fields``: name and value of each header as they are sent, with ``Host`` (``url.netloc``) and without
    ``Content-Length``, which is that of ``body``."""

    method: str
    url: httpx.URL
    fields: Sequence[Field]
    body: bytes = b""

    @property
    def all_fields(self) -> list[Field]:
        """The header fields, with the length of the body unless a GET has none."""
        if self.body or self.method != "GET":
            return [*self.fields, (b"Content-Length", b"%d" % len(self.body))]
        return list(self.fields)


Asked = Request | httpx.Request


def plain(request: Asked) -> Request:
    """The same request. Raises ``NoSuchRequest`` for one of httpx whose body is not counted."""
    if isinstance(request, Request):
        return request
    fields, counted = [], 0
    for name, value in request.headers.raw:
        if name.lower() == b"content-length":
            counted = int(value)
        else:
            fields.append((name, value))
    body = request.read()
    if counted != len(body):
        raise NoSuchRequest("the body is not counted")
    return Request(request.method, request.url, fields, body)
