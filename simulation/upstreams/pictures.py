"""The one picture the simulated personas have, and what kind of picture some bytes are."""

from __future__ import annotations

import struct
import zlib

_SIDE = 64
_COLOR = bytes((0x2F, 0x80, 0xED))
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", b"image/png"),
    (b"\xff\xd8\xff", b"image/jpeg"),
    (b"GIF8", b"image/gif"),
)


def media_type(content: bytes) -> bytes:
    """The media type by the first bytes; ``application/octet-stream`` if they tell nothing."""
    return next((kind for start, kind in _SIGNATURES if content.startswith(start)), b"application/octet-stream")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _plain_png(side: int, color: bytes) -> bytes:
    """A PNG of one color, 8 bits for each of red, green and blue (PNG specification, third edition, 11.2)."""
    rows = (b"\x00" + color * side) * side
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = (_chunk(b"IHDR", header), _chunk(b"IDAT", zlib.compress(rows)), _chunk(b"IEND", b""))
    return _SIGNATURES[0][0] + b"".join(chunks)


PHOTO = _plain_png(_SIDE, _COLOR)
