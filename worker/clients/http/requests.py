"""A request whose head is written here: the framework looks through all fields again to find what it could add."""

from __future__ import annotations

from collections.abc import Iterable

import httpx

Field = tuple[bytes, bytes]


def request(method: str, url: httpx.URL, fields: Iterable[Field], body: bytes = b"") -> httpx.Request:
    """A request with these header fields, and with the length of its body.

    ``fields``: name and value of each as they are sent, with ``Host`` (``url.netloc``) and without ``Content-Length``.
    """
    head = list(fields)
    if body or method != "GET":
        head.append((b"Content-Length", b"%d" % len(body)))
    return httpx.Request(method, url, headers=head, stream=httpx.ByteStream(body))
