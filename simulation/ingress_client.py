"""Sends events to a running ingress over HTTP, as a program in any language would."""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx

from worker.domain.events import Event

_SECONDS = 30.0


class IngressFailed(RuntimeError):
    """The ingress does not answer, or does not take what it was sent."""


class NoticePage(NamedTuple):
    """``cursor``: where the next page begins. ``dropped``: notices before it that are gone."""

    notices: list[dict[str, Any]]
    cursor: str
    dropped: int


class IngressClient:
    """``origin``: address of the ingress. ``token``: of the source that sends.

    Each method may raise ``IngressFailed``; its text has no content.
    """

    def __init__(self, origin: str, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        self._client = httpx.Client(base_url=origin, headers=headers, timeout=_SECONDS, trust_env=False)

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def send(self, event: Event) -> str:
        """Send one event. Returns the receipt."""
        answer = self._answered("POST", "/v1/events", 202, event.model_dump(mode="json", exclude_none=True))
        return str(answer.json()["receipt"])

    def send_captivate(self, persona: str, payload: dict[str, Any]) -> str:
        """Send what Captivate posts to a chat endpoint. Returns the receipt."""
        return self._answered("POST", f"/v1/captivate/{persona}", 200, payload).headers["Parley-Receipt"]

    def status(self, receipt: str) -> str:
        """What became of an event: ``waiting``, ``held``, ``scheduled`` or its fate."""
        return str(self._answered("GET", f"/v1/receipts/{receipt}", 200).json()["status"])

    def notices(self, after: str) -> NoticePage:
        """The notices behind a cursor; '' = from the oldest one."""
        query = f"after={after}&limit=1000" if after else "limit=1000"
        told = self._answered("GET", f"/v1/notices?{query}", 200).json()
        return NoticePage(told["notices"], told["cursor"], told["dropped"])

    def _answered(self, method: str, path: str, status: int, body: object = None) -> httpx.Response:
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise IngressFailed(f"the ingress does not answer: {type(error).__name__}") from None
        if answer.status_code != status:
            kind = answer.json().get("type", "") if "json" in answer.headers.get("content-type", "") else ""
            raise IngressFailed(f"the ingress answers {answer.status_code} {kind}".rstrip())
        return answer
