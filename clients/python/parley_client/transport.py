"""How requests are sent with httpx, and what its errors mean."""

from __future__ import annotations

import math
import time
from urllib.parse import urlsplit

import httpx

from parley_client.about import __version__
from parley_client.messages import Answer, Lost, Request

USER_AGENT = f"parley-client/{__version__}"
MOST_ANSWER_BYTES = 32 * 1024 * 1024


class TooLong(httpx.RequestError):
    """The answer took longer, or is larger, than this client waits for."""


def checked_origin(base_url: str) -> str:
    """The address of an ingress, without a slash at its end. Raises ``ValueError``."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("base_url: give the address of the ingress, such as http://127.0.0.1:8080")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError("base_url: give it without user, password, query and fragment; use token or signing_secret")
    return base_url.rstrip("/")


def checked_seconds(name: str, seconds: float, least: float) -> float:
    """A time in seconds. Raises ``ValueError``."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not math.isfinite(seconds):
        raise ValueError(f"{name}: give seconds")
    if seconds < least:
        raise ValueError(f"{name}: give at least {least:g} seconds")
    return float(seconds)


def httpx_request(client: httpx.Client | httpx.AsyncClient, request: Request, seconds: float) -> httpx.Request:
    """The request as httpx sends it."""
    headers = {"Accept": "application/json", **request.headers}
    if request.body:
        headers["Content-Type"] = "application/json"
    timeout = httpx.Timeout(seconds, read=seconds + request.wait)
    return client.build_request(
        request.method, request.url, content=request.body or None, headers=headers, timeout=timeout
    )


def check(size: int, until: float) -> None:
    """Whether to read on in an answer, of which there are ``size`` bytes. Raises ``TooLong``."""
    if size > MOST_ANSWER_BYTES or time.monotonic() > until:
        raise TooLong("")


def answer_of(response: httpx.Response, body: bytes) -> Answer:
    """The answer that was read."""
    return Answer(response.status_code, {name.lower(): value for name, value in response.headers.items()}, body)


def lost(error: httpx.RequestError) -> Lost:
    """What an error of httpx means. Its own text can have parts of the request: only that of a failed connection is
    told, which has names of machines."""
    told = f": {error}" if isinstance(error, httpx.ConnectError) and str(error) else ""
    return Lost(f"{type(error).__name__}{told}")
