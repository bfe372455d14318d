"""The two requests of a turn as a peer without client packages makes them: keyword arguments for ``httpx``."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

_BLANK: dict[str, Any] = {
    "user": None,
    "custom": {},
    "private": {},
    "conversationCreatedAt": None,
    "conversationUpdatedAt": None,
}


def ask(persona: str, target: str, text: str) -> dict[str, Any]:
    """A POST that asks the persona; its answer has the bubbles under ``replies``."""
    url, headers = _persona(persona)
    return {"url": url, "headers": headers, "data": {"target": target, "message": text}}


def delivery(session_id: str, metadata: dict[str, Any], bubbles: list[str]) -> dict[str, Any]:
    """A POST that sends the bubbles to the channel."""
    channel = {**_BLANK, **metadata["internal"]["channelMetadata"]}
    body = {
        "response": [{"type": "text", "text": bubble} for bubble in bubbles],
        "session_id": session_id,
        "metadata": {"internal": {"channelMetadata": channel}},
        "outgoing_action": None,
        "hasLivechat": False,
    }
    return {"url": os.environ["PARLEY_CAPTIVATE__BASE_URL"] + "/api/channel/v2/sendMessage", "json": body}


@cache
def _persona(name: str) -> tuple[str, dict[str, str]]:
    url = os.environ["PARLEY_FLUIDTALK__BASE_URL"] + "/api/v1/bot/chat"
    return url, {"X-API-Key": os.environ[f"PARLEY_PERSONAS__{name.upper()}__API_KEY"]}
