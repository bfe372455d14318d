"""Posts a notice to an endpoint: what its receiver answers decides what becomes of the notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from worker.clients.downloads import DownloadError
from worker.clients.http.connections import NotSent, Unanswered
from worker.clients.posts import Posts

# What a proxy on the way says, and no receiver.
_PROXY_WANTS_A_LOGIN = 407
_REFUSALS_THAT_PASS = (408, 429, _PROXY_WANTS_A_LOGIN)
_SAY_WHEN = (429, 503)

Ending = Literal["sent", "dropped", "failed"]


@dataclass(frozen=True, slots=True)
class Called:
    """How a call ended. ``sent``: the receiver has the notice; ``dropped``: it refuses it for good; ``failed``: it may
    not have it. ``said``: a code for logs and people, without address or content. ``retry_after``: the seconds that the
    receiver asks for, None = nothing."""

    ending: Ending
    said: str
    status: int = 0
    retry_after: float | None = None


class NoticeCalls:
    """Calls one endpoint. Safe for threads. Arguments and errors: as for ``worker.clients.posts.Posts``."""

    def __init__(
        self,
        url: str,
        *,
        timeout_seconds: float,
        allow_private_addresses: bool = False,
        ca_path: Path | None = None,
        proxy: str | None = None,
    ) -> None:
        self._posts = Posts(
            url,
            timeout_seconds=timeout_seconds,
            allow_private_addresses=allow_private_addresses,
            ca_path=ca_path,
            proxy=proxy,
        )

    def post(self, body: bytes, headers: Mapping[str, str]) -> Called:
        """Post ``body`` once. Raises nothing: what goes wrong is an ending."""
        try:
            answer = self._posts.post(body, headers)
        except DownloadError:
            return Called("failed", "address_not_allowed")
        except NotSent:
            return Called("failed", "not_reached")
        except Unanswered:
            return Called("failed", "no_answer")
        status = answer.status
        if 200 <= status < 300:
            return Called("sent", f"status={status}", status)
        if 400 <= status < 500 and status not in _REFUSALS_THAT_PASS:
            return Called("dropped", f"status={status}", status)
        return Called("failed", f"status={status}", status, answer.retry_after if status in _SAY_WHEN else None)

    def close(self) -> None:
        """Close the idle connections."""
        self._posts.close()
