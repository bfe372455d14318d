"""One HTTP exchange as an ASGI server shows it, with what ASGI has no word for: closing the connection unanswered."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from simulation.upstreams.answer import Answer

_EXTENSION = "simulation"
_MAX_BODY_BYTES = 32 * 1024 * 1024


class DroppableHttpProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol, which also hands the application the transport of the connection."""

    def on_message_begin(self) -> None:
        """Start a request (called by the parser)."""
        super().on_message_begin()
        self.scope["extensions"] = {_EXTENSION: {"transport": self.transport}}


class BodyTooLarge(Exception):
    """The client sent more than a double keeps in memory."""


class Exchange:
    """One request and its answer. Exactly one of ``answer``, ``answer_half`` and ``drop`` ends it."""

    __slots__ = ("_receive", "_send", "method", "path", "scope", "transport")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.transport: asyncio.Transport = scope["extensions"][_EXTENSION]["transport"]
        self._receive = receive
        self._send = send

    @property
    def client_gone(self) -> bool:
        """Whether the client has closed the connection."""
        return self.transport.is_closing()

    @property
    def origin(self) -> str:
        """The address under which the client sees this server, such as ``http://127.0.0.1:8000``."""
        host, port = self.scope["server"]
        return f"http://{self.header(b'host') or f'{host}:{port}'}"

    def header(self, name: bytes) -> str | None:
        """The value of the header ``name`` (lower case), the first if there are several."""
        for key, value in self.scope["headers"]:
            if key == name:
                return str(value.decode("latin-1"))
        return None

    def headers(self) -> dict[str, str]:
        """All headers, names in lower case."""
        return {name.decode("latin-1"): value.decode("latin-1") for name, value in self.scope["headers"]}

    async def read_body(self) -> bytes:
        """The whole request body. Raises ``BodyTooLarge``, or ``ClientDisconnect`` if the client leaves early."""
        message = await self._receive()
        if not message.get("more_body"):
            return self._part(message)
        parts: list[bytes] = [self._part(message)]
        size = len(parts[0])
        while message.get("more_body"):
            message = await self._receive()
            parts.append(self._part(message))
            size += len(parts[-1])
            if size > _MAX_BODY_BYTES:
                raise BodyTooLarge
        return b"".join(parts)

    async def answer(self, answer: Answer) -> None:
        """Send a whole answer."""
        await self._send(_start(answer))
        await self._send({"type": "http.response.body", "body": answer.body})

    async def answer_half(self, answer: Answer) -> None:
        """Announce the whole answer, send the first half of its body, close the connection."""
        await self._send(_start(answer))
        half = answer.body[: len(answer.body) // 2]
        await self._send({"type": "http.response.body", "body": half, "more_body": True})
        # Unlike abort, close sends what is still waiting in the transport.
        self.transport.close()
        await self.wait_until_closed()

    async def drop(self) -> None:
        """Close the connection without an answer."""
        self.transport.abort()
        # uvicorn answers 500 for an application that returns early, unless it knows that the connection has gone.
        await self.wait_until_closed()

    async def wait_until_closed(self) -> None:
        """Return when the connection is closed, by either side."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    @staticmethod
    def _part(message: Any) -> bytes:
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body: bytes = message.get("body", b"")
        return body


class ClientDisconnect(Exception):
    """The client left before its request was complete, so there is no call to record."""


def _start(answer: Answer) -> dict[str, Any]:
    headers = list(answer.headers)
    # 204 has no body, and so no length of one (RFC 9110, 8.6).
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
        if not any(name == b"content-type" for name, _ in headers):
            headers.append((b"content-type", answer.content_type))
    return {"type": "http.response.start", "status": answer.status, "headers": headers}
