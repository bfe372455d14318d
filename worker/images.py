"""A lead's image: fetched with the guards of ``worker.public_addresses`` and checked to be an image."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from worker.connections import Timeouts
from worker.public_addresses import DOWNLOAD_TIMEOUTS, DownloadError, Downloads

MAX_IMAGE_BYTES = 10 * 1024 * 1024

_EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/bmp": "bmp",
    "image/heic": "heic",
    "image/avif": "avif",
}
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_BMP_HEADER_BYTES = frozenset({12, 40, 52, 56, 64, 108, 124})


class ImageError(Exception):
    """There is no image to be had. ``retryable``: whether trying again later can help. Names the host at most."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """An image: its bytes, a safe file name, and the MIME type that its first bytes show."""

    data: bytes
    filename: str
    content_type: str


class ImageFetcher:
    """Fetches images from public addresses. Safe for threads. Make it after a fork.

    ``allow_private_addresses`` is for tests and demos; ``max_bytes`` bounds one image.
    """

    def __init__(
        self,
        *,
        allow_private_addresses: bool = False,
        max_bytes: int = MAX_IMAGE_BYTES,
        timeouts: Timeouts = DOWNLOAD_TIMEOUTS,
    ) -> None:
        self._max_bytes = max_bytes
        self._downloads = Downloads(allow_private_addresses=allow_private_addresses, timeouts=timeouts)

    def fetch(self, url: str) -> FetchedImage:
        """The image behind a link. Raises ``ImageError``.

        The type is told by the content, never by the server's word, and the file name gets the extension of that type.
        """
        try:
            download = self._downloads.get(url, max_bytes=self._max_bytes)
        except DownloadError as error:
            raise ImageError(f"the image could not be fetched: {error}", retryable=error.retryable) from error
        kind = image_type(download.body)
        if kind is None:
            raise ImageError(f"what {download.url.host} sent is not an image of a known kind")
        return FetchedImage(download.body, _filename(download.url.path, _EXTENSIONS[kind]), kind)

    def close(self) -> None:
        """Close the idle connections."""
        self._downloads.close()


def image_type(data: bytes) -> str | None:
    """The MIME type of an image by its first bytes: JPEG, PNG, GIF, WebP, BMP, HEIC or AVIF; None for all else."""
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "image/webp"
    # "BM" alone also begins ordinary text, so the size of the header that follows has to be a real one.
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADER_BYTES:
        return "image/bmp"
    return _media_container_type(data)


def _media_container_type(data: bytes) -> str | None:
    size = int.from_bytes(data[:4], "big")
    if data[4:8] != b"ftyp" or not 16 <= size <= 256:
        return None
    box = data[:size]
    brands = {box[8:12], *(box[at : at + 4] for at in range(16, len(box), 4))}
    if brands & _AVIF_BRANDS:
        return "image/avif"
    return "image/heic" if box[8:12] in _HEIC_BRANDS else None


def _filename(path: str, extension: str) -> str:
    name = unquote(path).rpartition("/")[2].rpartition(".")[0] or unquote(path).rpartition("/")[2]
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")[:64]
    return f"{stem or 'image'}.{extension}"
