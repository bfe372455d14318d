"""download_file_to_memory: both forms of a file, limits, typed errors (C39)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from worker.clients.captivate import Captivate, CaptivateError, CaptivateValueError, DownloadFailed


def _download(captivate: Captivate, file_info: Any, **options: Any) -> bytes:
    return asyncio.run(captivate.download_file_to_memory(file_info, **options)).read()


@pytest.mark.parametrize("form", ["url", "presigned", "empty url"])
def test_both_forms_of_a_file_are_fetched(server: Any, captivate: Captivate, form: str) -> None:
    server.answers(200, b"content")
    url = f"{server.origin}/a.pdf?signature=s"
    file_info: dict[str, Any] = {
        "url": {"url": url, "type": "application/pdf", "filename": "a.pdf"},
        "presigned": {"storage": {"presignedUrl": url}},
        "empty url": {"url": None, "storage": {"presignedUrl": url}},
    }[form]
    assert _download(captivate, file_info, allow_private_addresses=True) == b"content"
    assert server.requests[0].line == "GET /a.pdf?signature=s HTTP/1.1"


def test_private_addresses_are_refused_by_default(server: Any, captivate: Captivate) -> None:
    with pytest.raises(DownloadFailed, match="not on the public internet") as caught:
        _download(captivate, {"url": f"{server.origin}/a?signature=secret"})
    assert (caught.value.retryable, caught.value.status) == (False, None)
    assert "secret" not in str(caught.value)
    assert server.requests == []


@pytest.mark.parametrize(
    "file_info", [{}, {"url": ""}, {"url": 5}, {"storage": "x"}, {"storage": {}}, None, "http://a"]
)
def test_a_file_without_an_address_is_refused(captivate: Captivate, file_info: Any) -> None:
    with pytest.raises(CaptivateValueError, match="no address"):
        _download(captivate, file_info)


@pytest.mark.parametrize(("status", "retryable"), [(404, False), (403, False), (410, False), (429, True), (500, True)])
def test_failures_say_whether_another_try_can_help(
    server: Any, captivate: Captivate, status: int, retryable: bool
) -> None:
    server.answers(status)
    with pytest.raises(DownloadFailed) as caught:
        _download(captivate, {"url": f"{server.origin}/secret?secret"}, allow_private_addresses=True)
    assert (caught.value.status, caught.value.retryable) == (status, retryable)
    assert isinstance(caught.value, CaptivateError)
    assert "secret" not in str(caught.value)


def test_the_size_is_limited(server: Any, captivate: Captivate) -> None:
    server.answers(200, b"x" * 2000)
    with pytest.raises(DownloadFailed, match="larger than 1999 bytes"):
        _download(captivate, {"url": server.origin}, allow_private_addresses=True, max_bytes=1999)
    assert len(_download(captivate, {"url": server.origin}, allow_private_addresses=True, max_bytes=2000)) == 2000
