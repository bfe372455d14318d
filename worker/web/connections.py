"""Connections with limits: the server's protocol, less patient with senders that are slow, silent, many or large."""

from __future__ import annotations

import asyncio
from typing import ClassVar

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from config.ingress import Ingress

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
# Of a request that is answered before its body has come, the rest is read and dropped for so long: a connection that is
# closed on a sender takes the answer away from it.
_LINGER_SECONDS = 2.0
# Requests of a connection that wait for the answer to the one before: more than any client sends ahead.
_MOST_AHEAD = 16


class HeadTooLarge(Exception):
    """The head of a request is over its limit."""


class TooMuchAhead(Exception):
    """A sender does not wait for its answers."""


class PatientProtocol(HttpToolsProtocol):
    """One connection. ``limited`` makes the class for a server."""

    limits: ClassVar[Ingress]
    # Connections that wait for their sender, the one that has waited for the longest time first: for the rest of a
    # request, or to take an answer. One whose request is there does not.
    silent: ClassVar[dict[PatientProtocol, None]]

    _timer: asyncio.TimerHandle | None = None
    _stalled: asyncio.TimerHandle | None = None
    # Of the head that is being read: as it comes in, and as the parser has told it.
    _head_bytes = 0
    _told_bytes = 0
    _in_head = True
    # Since the last part of a body: how it is cut into chunks, and what follows it.
    _beside_body = 0
    # Nothing more is read; what was asked is answered.
    _is_over = False
    # The request that is being worked on: the oldest one without an answer.
    _worked_on: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Give it a place: another one's when all are taken."""
        if len(self.connections) >= self.limits.connections:
            oldest = next(iter(self.silent), None)
            if oldest is None:
                # All others have a request that is being worked on.
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
        self._give_up()
        if self.transport is not None:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on, unless a head grows beyond its limit."""
        if self.transport is None or self.transport.is_closing() or self._is_over:
            return
        if self._in_head:
            # Line breaks between two requests begin none, and end the time between them.
            if self._timer is None:
                self._within(self.limits.request_seconds)
            # Before the parser, which keeps a single header of any length.
            self._head_bytes += len(data)
        self._beside_body += len(data)
        self._unset_keepalive_if_required()
        self._feed(data)
        if (self._in_head and self._head_bytes > self.limits.head_bytes) or self._beside_body > self.limits.head_bytes:
            self.send_400_response("")

    def eof_received(self) -> bool:  # type: ignore[override]
        """The sender sends nothing more. Some say so with the last request: its answer is awaited."""
        if self._is_working:
            self._answer_and_end()
        return self._is_working

    def on_message_begin(self) -> None:
        """A request begins: its head has to come in time."""
        super().on_message_begin()
        self._in_head, self._told_bytes = True, 0
        if len(self.pipeline) >= _MOST_AHEAD:
            raise TooMuchAhead
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
        if self.parser.should_upgrade():
            return
        self._in_head, self._head_bytes, self._beside_body = False, 0, 0
        self._within(None)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        self._beside_body = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is there, answered already or not."""
        if self.parser.should_upgrade():
            return
        lingered = self.cycle.response_complete
        self._beside_body = 0
        super().on_message_complete()
        if lingered:
            self._within(None)
            self._wait_for_next()
        else:
            self.silent.pop(self, None)

    def on_response_complete(self) -> None:
        """The answer is written."""
        unread, pipelined = self.cycle.more_body, bool(self.pipeline)
        self._worked_on = None
        super().on_response_complete()
        if pipelined or self.transport.is_closing():
            return
        self._wait_for_sender()
        if unread:
            self._unset_keepalive_if_required()
            self._within(_LINGER_SECONDS)
        else:
            self._in_head = True

    def pause_writing(self) -> None:
        """The client does not take its answer: not for ever."""
        super().pause_writing()
        self._wait_for_sender()
        self._take_answer_within(self.limits.request_seconds)

    def resume_writing(self) -> None:
        """It takes it."""
        super().resume_writing()
        self._take_answer_within(None)
        if not self.cycle.response_complete:
            self.silent.pop(self, None)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, or too large a head."""
        if self.transport.is_closing():
            return
        if self._is_working:
            # It would be taken for the answer to the request before.
            self._answer_and_end()
        elif self._worked_on is not None and self._worked_on is not self.cycle:
            self.hang_up()
        elif self._head_bytes > self.limits.head_bytes or self._told_bytes > self.limits.head_bytes:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        else:
            super().send_400_response(msg)

    def hang_up(self) -> None:
        """Close the connection. What its sender does not take is dropped."""
        self.silent.pop(self, None)
        self._give_up()
        if self._stalled is None:
            self.transport.close()
        else:
            self.transport.abort()

    def _feed(self, data: bytes) -> None:
        # Senders that offer HTTP/2, such as Java's, do so with a request. The parser takes all behind such a head for
        # another protocol, also the body, and stops there. So it gets the head once more, without the offer.
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as stopped:
                if self.parser.get_method() == b"CONNECT":
                    self.send_400_response("")
                    return
                data = self._head_without_offer() + data[stopped.args[0] :]
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
                return

    def _head_without_offer(self) -> bytes:
        request = b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, self.parser.get_http_version().encode())
        lines = [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([request, *lines, b"", b""])

    def _count(self, size: int) -> None:
        self._told_bytes += size
        if self._told_bytes > self.limits.head_bytes:
            raise HeadTooLarge

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._worked_on = cycle
        super()._start_asgi_task(cycle, app)

    def _give_up(self) -> None:
        # The server tells the newest request only. Another one would write to a connection that is closed.
        if self._worked_on is not None:
            self._worked_on.disconnected = True
            self._worked_on.message_event.set()

    @property
    def _is_working(self) -> bool:
        # The newest request is there, and not answered.
        return self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body

    def _answer_and_end(self) -> None:
        self._is_over = True
        self._within(None)
        self.cycle.keep_alive = False

    def _wait_for_sender(self) -> None:
        self.silent.pop(self, None)
        self.silent[self] = None

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
        self._stalled = None if seconds is None else self.loop.call_later(seconds, self.hang_up)


def limited(limits: Ingress) -> type[PatientProtocol]:
    """The protocol of a server with these limits."""
    return type("LimitedProtocol", (PatientProtocol,), {"limits": limits, "silent": {}})
