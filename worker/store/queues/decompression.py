"""Foreign messages are unpacked to a bounded size: a few kilobytes can stand for gigabytes."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any, cast

MOST_BYTES = 16 * 1024 * 1024

# What the strongest preset of xz needs; a larger dictionary is the sender's wish for our memory.
_LZMA_BYTES = 128 * 1024 * 1024
_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS

_UNKNOWN = "its compression is not known here: send zlib, bzip2, lzma or none"
_BROKEN = "its body cannot be unpacked: it is not in the compression that its headers name, or is cut off"

Decoder = Callable[[bytes], bytes]


class NotUnpacked(ValueError):
    """The bytes cannot be unpacked. The text says why, and names nothing of them."""


def unpack(data: bytes, compression: object) -> bytes:
    """Unpack ``data`` as kombu would. ``compression``: the header of that name. Raises ``NotUnpacked``."""
    # Imported here: a producer with the usual single Redis never loads kombu.
    from kombu import compression as kombu_compression

    bound()
    try:
        decoder: Decoder = kombu_compression.get_decoder(cast(Any, compression))
    except (KeyError, TypeError):
        raise NotUnpacked(_UNKNOWN) from None
    try:
        return decoder(data)
    except NotUnpacked:
        raise
    except Exception:
        # Nothing but foreign bytes is read here, so whatever goes wrong, it is their fault.
        raise NotUnpacked(_BROKEN) from None


def bound() -> None:
    """Replace kombu's own decoders, which know no bound, in this process. Kombu unpacks a message when it makes one,
    before a consumer sees it. A compression that we have no bounded decoder for is refused."""
    from kombu import compression as kombu_compression

    kombu: Any = kombu_compression
    for kind in kombu.encoders():
        if not getattr(kombu.get_decoder(kind), "bounded", False):
            encoder, _ = kombu.get_encoder(kind)
            kombu.register(encoder, _decoder(kind), kind)


def _decoder(kind: str) -> Decoder:
    makers: dict[str, Callable[[], Any]] = {
        "application/x-gzip": lambda: zlib.decompressobj(_ZLIB_OR_GZIP),
        "application/x-bz2": bz2.BZ2Decompressor,
        "application/x-lzma": lambda: lzma.LZMADecompressor(memlimit=_LZMA_BYTES),
        "application/zstd": _zstd,
    }
    make = makers.get(kind, _unknown)

    def decode(data: bytes) -> bytes:
        stream = make()
        unpacked: bytes = stream.decompress(data, MOST_BYTES + 1)
        if len(unpacked) > MOST_BYTES:
            raise NotUnpacked(f"unpacked, its body has more than {MOST_BYTES} bytes")
        if not stream.eof or stream.unused_data:
            raise NotUnpacked(_BROKEN)
        return unpacked

    decode.bounded = True  # type: ignore[attr-defined]
    return decode


def _zstd() -> Any:
    # Kombu brings it along where it is installed, and registers the kind only there.
    from kombu import compression as kombu_compression

    return kombu_compression.zstd.ZstdDecompressor()  # type: ignore[attr-defined]


def _unknown() -> Any:
    raise NotUnpacked(_UNKNOWN)
