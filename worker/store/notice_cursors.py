"""Where a reader of notices is: one place for each shard, written as one text that readers keep and hand back."""

from __future__ import annotations

import base64
import binascii
import re
import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

_PLACE = re.compile(r"(\d{1,17})-(\d{1,17})", re.ASCII)
_VERSION = b"1"
_EACH = struct.Struct(">QQ")
# A checksum comes with the compression. Of 100 shards there are some 1000 characters.
_MOST_CHARACTERS = 8192


class UnknownCursor(ValueError):
    """It is no cursor of this store."""


class Place(NamedTuple):
    """``at``: milliseconds. ``number``: of the notice in its shard."""

    at: int
    number: int

    @classmethod
    def of(cls, text: str) -> Place:
        """Reads ``<at>-<number>``. Raises ``UnknownCursor``."""
        found = _PLACE.fullmatch(text)
        if found is None:
            raise UnknownCursor("it is no place in the notices of a shard")
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        return f"{self.at}-{self.number}"


START = Place(0, 0)


def written(places: Sequence[Place]) -> str:
    """The cursor of these places."""
    packed = b"".join(_EACH.pack(*place) for place in places)
    return base64.urlsafe_b64encode(_VERSION + zlib.compress(packed, 9)).decode().rstrip("=")


def read(cursor: str, shards: int) -> list[Place]:
    """The places of a cursor; '' is the start. Raises ``UnknownCursor``."""
    if not cursor:
        return [START] * shards
    wrong = UnknownCursor("it is no cursor of notices, or one of a store with another number of shards")
    if len(cursor) > _MOST_CHARACTERS:
        raise wrong
    size = _EACH.size * shards
    try:
        sealed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        unpacking = zlib.decompressobj()
        packed = unpacking.decompress(sealed[1:], size + 1)
    except (binascii.Error, ValueError, zlib.error):
        raise wrong from None
    if sealed[:1] != _VERSION or len(packed) != size or not unpacking.eof:
        raise wrong
    return [Place(*each) for each in _EACH.iter_unpack(packed)]
