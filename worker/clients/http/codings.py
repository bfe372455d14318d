"""How the content of an answer is packed and written: what a server says of that is often false.

Content codings (RFC 9110, 8.4) are never asked for. JSON is UTF-8 (RFC 8259, 8.1), whatever the charset beside it.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable

from worker.clients.values.wire_text import repair

_UNDONE = frozenset({"gzip", "x-gzip", "deflate"})
_NOT_UNDONE = frozenset({"br", "zstd", "compress", "x-compress"})
_CHARSET = re.compile(r"charset\s*=\s*[\"']?(?:iso-8859-1|latin-?1|windows-1252|cp1252)\b", re.IGNORECASE)


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


def json_text(body: bytes, content_type: Callable[[], str]) -> str:
    """The text of a JSON body: UTF-8, with or without a mark at its begin, or UTF-16 or UTF-32 as its zeros show.

    Halves of a character that are written one by one (CESU-8) are joined. What is none of them is read as Latin-1 if
    its header, ``content_type()``, says so; else what cannot be read becomes U+FFFD.
    """
    encoding = json.detect_encoding(body)
    try:
        return body.decode(encoding)
    except UnicodeDecodeError:
        pass
    try:
        return repair(body.decode(encoding, "surrogatepass"))
    except UnicodeDecodeError:
        return body.decode("cp1252" if _CHARSET.search(content_type()) else "utf-8-sig", "replace")
