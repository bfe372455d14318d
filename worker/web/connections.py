"""Connections with limits: the server's protocol, less patient with senders that are slow, silent, many or large."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from config.ingress import Ingress

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
# Of a request that is answered before its body has come, the rest is read and dropped for so long: a connection that is
# closed on a sender takes the answer away from it.
_LINGER_SECONDS = 2.0


class HeadTooLarge(Exception):
    """The head of a request is over its limit."""


class PatientProtocol(HttpToolsProtocol):
    """One connection. ``limited`` makes the class for a server."""

    limits: ClassVar[Ingress]
    # Connections without a request, the one that has been silent for the longest time first.
    silent: ClassVar[dict[PatientProtocol, None]]

    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    # Of the head that is being read: as it comes in, and as the parser has told it.
    _head_bytes = 0
    _told_bytes = 0
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give it a place: another one's when all are taken."""
        if len(self.connections) >= self.limits.connections:
            oldest = next(iter(self.silent), None)
            if oldest is None:
                # All others have a request that is being answered.
                transport.abort()
                return
            oldest.hang_up()
        super().connection_made(transport)
        self.silent[self] = None
        self._within(self.limits.request_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give its place back."""
        self._within(None)
        self._take_answer_within(None)
        self.silent.pop(self, None)
        if self.transport is not None:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless a head grows beyond its limit."""
        if self.transport is None or self.transport.is_closing():
            return
        if self._in_head:
            # Line breaks between two requests begin none, and end the time between them.
            if self._timer is None:
                self._within(self.limits.request_seconds)
            # Before the parser, which keeps a single header of any length.
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > self.limits.head_bytes:
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """A request begins: its head has to come in time."""
        super().on_message_begin()
        self._in_head, self._told_bytes = True, 0
        if self._timer is None:
            self._within(self.limits.request_seconds)

    def on_url(self, url: bytes) -> None:
        """A part of the address."""
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._count(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there. The body has a time of its own (``worker/web/bodies.py``)."""
        self._in_head, self._head_bytes = False, 0
        self._within(None)
        self.silent.pop(self, None)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The request is there, answered already or not."""
        lingered = self.cycle.response_complete
        super().on_message_complete()
        if lingered:
            self._within(None)
            self._wait_for_next()

    def on_response_complete(self) -> None:
        """The answer is written."""
        unread, pipelined = self.cycle.more_body, bool(self.pipeline)
        super().on_response_complete()
        if pipelined or self.transport.is_closing():
            return
        self.silent[self] = None
        if unread:
            self._unset_keepalive_if_required()
            self._within(_LINGER_SECONDS)
        else:
            self._in_head = True

    def pause_writing(self) -> None:
        """The client does not take its answer: not for ever."""
        super().pause_writing()
        self._take_answer_within(self.limits.request_seconds)

    def resume_writing(self) -> None:
        """It takes it."""
        super().resume_writing()
        self._take_answer_within(None)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or too large a head."""
        if self.transport.is_closing():
            return
        if self._head_bytes > self.limits.head_bytes or self._told_bytes > self.limits.head_bytes:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        else:
            super().send_400_response(msg)

    def hang_up(self) -> None:
        """Close the connection."""
        self.silent.pop(self, None)
        self.transport.close()

    def _count(self, size: int) -> None:
        self._told_bytes += size
        if self._told_bytes > self.limits.head_bytes:
            raise HeadTooLarge

    def _wait_for_next(self) -> None:
        self._in_head = True
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _within(self, seconds: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if seconds is None else self.loop.call_later(seconds, self.hang_up)

    def _take_answer_within(self, seconds: float | None) -> None:
        if self._stalled is not None:
            self._stalled.cancel()
        self._stalled = None if seconds is None else self.loop.call_later(seconds, self.transport.abort)


def limited(limits: Ingress) -> type[PatientProtocol]:
    """The protocol of a server with these limits."""
    return type("LimitedProtocol", (PatientProtocol,), {"limits": limits, "silent": {}})
