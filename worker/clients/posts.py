"""Posts bytes to one address that an operator has chosen: the guards of ``worker.clients.downloads`` hold here, too."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx

from worker.clients.downloads import any_addresses, has_valid_host, public_addresses_of
from worker.clients.http.connections import Answer, Connections, Timeouts, Unanswered

# Nobody reads what is answered; only so much of it is taken in.
MOST_ANSWER_BYTES = 64 * 1024

_CONNECT_SECONDS = 5.0


class Posts:
    """Posts to one address. Safe for threads; connections are kept for a moment. Follows no redirect, repeats nothing.

    ``url``: no text quotes it. ``timeout_seconds``: of a whole call. ``allow_private_addresses``: then only the
    metadata of clouds is refused. ``ca_path`` and ``proxy``: as for ``worker.clients.http.connections.Connections``.
    Raises ``ValueError`` for an address that cannot be called.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float,
        allow_private_addresses: bool = False,
        ca_path: Path | None = None,
        proxy: str | None = None,
    ) -> None:
        self._url = _checked(url)
        self._timeouts = Timeouts(min(_CONNECT_SECONDS, timeout_seconds), timeout_seconds, timeout_seconds)
        check = any_addresses if allow_private_addresses else public_addresses_of
        self._connections = Connections(check_address=check, ca_path=ca_path, proxy=proxy)

    def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Post ``body`` once and return the answer; of one that breaks off or has no end, what its head says.

        Raises ``worker.clients.downloads.ForbiddenAddress``, ``NotSent`` or ``Unanswered``.
        """
        request = httpx.Request("POST", self._url, headers={**headers, "User-Agent": "parley-worker"}, content=body)
        try:
            return self._connections.send(request, self._timeouts, MOST_ANSWER_BYTES)
        except Unanswered as error:
            if error.answer is None:
                raise
            return error.answer

    def close(self) -> None:
        """Close the idle connections."""
        self._connections.close()


def _checked(url: str) -> httpx.URL:
    wrong = ValueError("is no address that can be called: write https://host/path")
    try:
        target = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        raise wrong from None
    if target.scheme not in ("http", "https") or target.userinfo or not has_valid_host(target):
        raise wrong
    return target
