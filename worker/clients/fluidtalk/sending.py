"""What both FluidTalk clients share: the service's address, checks of what a client is made with, one request."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any, Self

import httpx

from worker.clients.fluidtalk.errors import InvalidCall, OutcomeUnknown, Unavailable
from worker.clients.http.codings import json_text, plain
from worker.clients.http.connections import MAX_RESPONSE_BYTES, Answer, Connections, NotSent, Timeouts, Unanswered
from worker.clients.http.requests import Asked
from worker.clients.values.wire_text import from_json

DEFAULT_BASE_URL = "https://api-talk.fluidvip.com"
LONGEST_WAIT = 24 * 60 * 60
# A server may choose any coding if none is named.
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "parley-fluidtalk"}
NO_JSON = "the body is not JSON"
TOO_DEEP = "the body is nested too deeply"

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+")


class OwnsConnections:
    """A client that closes the connections it has made; those that it was given stay open for the others."""

    __slots__ = ("_connections", "_owns_connections")

    def __init__(self, connections: Connections | None) -> None:
        self._owns_connections = connections is None
        self._connections = Connections() if connections is None else connections

    def close(self) -> None:
        """Close the client's own connections; shared ones stay open for the others."""
        if self._owns_connections:
            self._connections.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def usable_secret(name: str, value: str, what: str) -> str:
    """``value``, a key or a token, as it can be sent. ``what``: what to give instead.

    Raises ``InvalidCall``, without the value, for one that is empty or could not be sent.
    """
    if not isinstance(value, str) or not value:
        raise InvalidCall(f"{name} is empty; give {what}")
    if not _VISIBLE_ASCII.fullmatch(value):
        called = name.rpartition("_")[2]
        raise InvalidCall(f"{name} holds a line break, a blank or a letter that is not ASCII; copy the {called} again")
    return value


def server_address(address: str) -> httpx.URL:
    """The address of a server. Raises ``InvalidCall`` for any other, and for one with a user, a query or a fragment:
    they would be sent as a login, or take the path away."""
    try:
        url = httpx.URL(address)
    except (TypeError, httpx.InvalidURL, ValueError):
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.raw_host or url.userinfo or url.query or url.fragment:
        raise InvalidCall("base_url is not the http(s) address of a server, without user name and query; correct it")
    return url


def timeouts_of(read: float, connect: float, total: float | None) -> Timeouts:
    """The times of a call, in seconds. ``total``: None = both others and ten more. Raises ``InvalidCall``."""
    read, connect = _seconds("timeout", read), _seconds("connect_timeout", connect)
    return Timeouts(connect, read, read + connect + 10 if total is None else _seconds("total_timeout", total))


def answer_to(connections: Connections, request: Asked, timeouts: Timeouts) -> Answer:
    """Send a request once. Raises ``Unavailable`` when nothing was sent, ``OutcomeUnknown`` without a whole answer."""
    try:
        return connections.send(request, timeouts)
    except NotSent as error:
        said = f"nothing was sent to FluidTalk ({error}): {Unavailable.explanation}"
        raise Unavailable(0, {"error": "network_error"}, said) from error
    except Unanswered as error:
        said = f"no complete answer from FluidTalk ({error}): {OutcomeUnknown.explanation}"
        raise OutcomeUnknown(0, {"error": "network_error"}, said) from error


def content_of(answer: Answer, hidden: str = "") -> tuple[Any, str]:
    """The parsed body of an answer, or its text as ``{"detail": text}`` and why it cannot be parsed.

    ``hidden``: a secret that the text may quote; it is taken out.
    """
    body = plain(answer.body, answer.header(b"content-encoding"), MAX_RESPONSE_BYTES)
    text = json_text(body, lambda: answer.header(b"content-type"))  # F18: never Latin-1 by default
    if hidden:
        text = without(text, hidden)
    try:
        return from_json(text), ""
    except RecursionError:
        return {"detail": text}, TOO_DEEP
    except ValueError:
        return {"detail": text}, NO_JSON


def is_foreign(detail: Any, unreadable: str) -> bool:
    """Whether an answer is a page of something in front of FluidTalk. The arguments: as ``content_of`` returns them."""
    return unreadable == NO_JSON or not isinstance(detail, dict | list)


def without(text: str, secret: str) -> str:
    """``text`` with another word in place of a secret (Q8)."""
    return text.replace(secret, "[hidden]")


def _seconds(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= LONGEST_WAIT:
        raise InvalidCall(f"{name} is {value!r}; give seconds above 0, at most {LONGEST_WAIT}")
    return float(value)
