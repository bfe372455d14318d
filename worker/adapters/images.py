"""A lead's image: fetched with the guards of ``worker.clients.downloads`` and checked to be an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from worker.clients.downloads import DOWNLOAD_TIMEOUTS, DownloadError, Downloads
from worker.clients.http.connections import Timeouts
from worker.clients.pictures import image_type, upload_name
from worker.domain.failures import ImageUnavailable

__all__ = ["MAX_IMAGE_BYTES", "FetchedImage", "ImageFetcher", "image_type"]

MAX_IMAGE_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class FetchedImage:
    """An image: its bytes, a safe file name, and the MIME type that its first bytes show."""

    data: bytes
    filename: str
    content_type: str

    def named(self, name: str | None) -> str:
        """A safe file name for it after what its sender calls it, with the extension of its type."""
        return upload_name(name, self.content_type) if name else self.filename


class ImageFetcher:
    """Fetches images from public addresses. Safe for threads. Make it after a fork.

    ``allow_private_addresses`` is for tests and demos; ``max_bytes`` bounds one image. ``ca_path`` and
    ``proxy``: as for ``worker.clients.downloads.Downloads``.
    """

    def __init__(
        self,
        *,
        allow_private_addresses: bool = False,
        max_bytes: int = MAX_IMAGE_BYTES,
        timeouts: Timeouts = DOWNLOAD_TIMEOUTS,
        ca_path: Path | None = None,
        proxy: str | None = None,
    ) -> None:
        self._max_bytes = max_bytes
        self._downloads = Downloads(
            allow_private_addresses=allow_private_addresses, timeouts=timeouts, ca_path=ca_path, proxy=proxy
        )

    def fetch(self, url: str) -> FetchedImage:
        """The image behind a link. Raises ``ImageUnavailable``.

        The content decides the type, never what the server says, and the file name gets the extension of that type.
        """
        try:
            download = self._downloads.get(url, max_bytes=self._max_bytes)
        except DownloadError as error:
            raise ImageUnavailable(f"the image could not be fetched: {error}", retryable=error.retryable) from error
        kind = image_type(download.body)
        if kind is None:
            packed = f", or it is packed ({download.coding}) although asked not to" if download.coding else ""
            raise ImageUnavailable(f"what {download.url.host} sent is not an image of a known kind{packed}")
        return FetchedImage(
            download.body, upload_name(download.url.raw_path.decode("ascii").partition("?")[0], kind), kind
        )

    def close(self) -> None:
        """Close the idle connections."""
        self._downloads.close()
