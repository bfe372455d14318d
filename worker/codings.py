"""Content codings (RFC 9110, 8.4). None is ever asked for, and yet some servers name one; often it is false."""

from __future__ import annotations

import zlib

_UNDONE = frozenset({"gzip", "x-gzip", "deflate"})
_NOT_UNDONE = frozenset({"br", "zstd", "compress", "x-compress"})


def plain(body: bytes, named: str, max_bytes: int) -> bytes:
    """The content of a body, unpacked if it is packed as its header ``named`` says; as it came if that is false.

    Unpacking ends after ``max_bytes`` and one more byte: a result that long is too large.
    """
    if not named or not _words(named) & _UNDONE:
        return body
    # 32: what the content begins with says whether it is gzip or zlib.
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        content = unpacking.decompress(body, max_bytes + 1)
    except zlib.error:
        return body
    return content if unpacking.eof or len(content) > max_bytes else body


def not_undone(named: str) -> str:
    """The coding among those that a header names that cannot be undone here, '' if there is none."""
    return min(_words(named) & _NOT_UNDONE, default="")


def _words(named: str) -> set[str]:
    return {each.strip().lower() for each in named.split(",")}
