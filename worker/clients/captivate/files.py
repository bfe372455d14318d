"""Files that come with a request (protocols.md 2.8, "download_file_to_memory")."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from worker.clients.captivate.errors import CaptivateValueError, DownloadFailed
from worker.clients.downloads import DownloadError, Downloads


def address_of(file_info: dict[str, Any]) -> str:
    """Where a file is: its ``url`` (old form) or ``storage.presignedUrl`` (the form of client 0.6).

    Raises ``CaptivateValueError`` when it has neither.
    """
    storage = file_info.get("storage") if isinstance(file_info, dict) else None
    candidates = (
        file_info.get("url") if isinstance(file_info, dict) else None,
        storage.get("presignedUrl") if isinstance(storage, dict) else None,
    )
    for candidate in candidates:
        if candidate and isinstance(candidate, str):
            return candidate
    raise CaptivateValueError("the file has no address: file_info needs url or storage.presignedUrl")


def download(url: str, allow_private_addresses: bool, max_bytes: int) -> bytes:
    """The content behind ``url``. Raises ``DownloadFailed``."""
    try:
        found = shared_downloads(allow_private_addresses).get(url, max_bytes=max_bytes)
    except DownloadError as error:
        raise DownloadFailed(str(error), status=error.status, retryable=error.retryable) from error
    if found.coding:
        raise DownloadFailed(f"{found.url.host} sent content in the coding {found.coding} although asked not to")
    return found.body


def shared_downloads(allow_private_addresses: bool) -> Downloads:
    """The downloads of this process: connections must not be shared across a fork."""
    return _shared_downloads(allow_private_addresses, os.getpid())


@lru_cache(maxsize=4)
def _shared_downloads(allow_private_addresses: bool, _process: int) -> Downloads:
    return Downloads(allow_private_addresses=allow_private_addresses)
