"""The two requests of a turn as a peer without client packages makes them, and the clients that make them.

One ``httpx`` pool with hundreds of calls in flight is quadratic: so each thread has a client, and in an event loop
clients are checked out of a stack, one connection each, all under one TLS context.
"""

from __future__ import annotations

import os
import ssl
import threading
from functools import cache
from typing import Any

import httpx

CALL_SECONDS = 10.0

_BLANK: dict[str, Any] = {
    "user": None,
    "custom": {},
    "private": {},
    "conversationCreatedAt": None,
    "conversationUpdatedAt": None,
}
_own = threading.local()
_idle: list[httpx.AsyncClient] = []


def answer(persona: str, target: str, session_id: str, metadata: dict[str, Any], text: str) -> None:
    """Ask the persona and send what it says, over this thread's connections. Raises ``httpx.HTTPError``."""
    if not hasattr(_own, "client"):
        _own.client = httpx.Client(verify=_tls(), timeout=CALL_SECONDS, trust_env=False)
    client: httpx.Client = _own.client
    told = client.post(**ask(persona, target, text)).raise_for_status()
    client.post(**delivery(session_id, metadata, told.json()["replies"])).raise_for_status()


async def answer_soon(persona: str, target: str, session_id: str, metadata: dict[str, Any], text: str) -> None:
    """The same in an event loop, over connections that no other call has. Raises ``httpx.HTTPError``."""
    client = _idle.pop() if _idle else httpx.AsyncClient(verify=_tls(), timeout=CALL_SECONDS, trust_env=False)
    try:
        told = (await client.post(**ask(persona, target, text))).raise_for_status()
        (await client.post(**delivery(session_id, metadata, told.json()["replies"]))).raise_for_status()
    finally:
        _idle.append(client)


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


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
