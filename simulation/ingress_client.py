"""Sends events to a running ingress over HTTP, as a program in any language would."""

from __future__ import annotations

from typing import Any

import httpx

from worker.domain.events import Event

_SECONDS = 30.0


class IngressFailed(RuntimeError):
    """The ingress does not answer, or does not take what it was sent."""


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

    def _answered(self, method: str, path: str, status: int, body: object = None) -> httpx.Response:
        try:
            answer = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise IngressFailed(f"the ingress does not answer: {type(error).__name__}") from None
        if answer.status_code != status:
            kind = answer.json().get("type", "") if "json" in answer.headers.get("content-type", "") else ""
            raise IngressFailed(f"the ingress answers {answer.status_code} {kind}".rstrip())
        return answer
