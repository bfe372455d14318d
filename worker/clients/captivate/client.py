"""Sends the answer of a conversation to Captivate (protocols.md 2.8)."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Literal, Protocol

import httpx

from worker.clients.captivate.errors import (
    CaptivateError,
    CaptivateValueError,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Unavailable,
)
from worker.clients.downloads import has_valid_host
from worker.clients.http.connections import Connections, NotSent, Timeouts, Unanswered
from worker.clients.http.requests import Field, Request
from worker.clients.values.wire_text import repair

Environment = Literal["dev", "prod"]

PATH = "/api/channel/v2/sendMessage"

_ORIGINS: dict[str, str] = {
    "dev": "https://channel.dev.captivat.io",
    "prod": "https://channel.prod.captivat.io",
}
_COMPACT = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_OURS = frozenset({"content-type", "content-length", "transfer-encoding", "idempotency-key"})
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


class Conversation(Protocol):
    """What can be sent: anything that knows its body, such as ``Captivate``."""

    def body(self) -> dict[str, Any]:
        """The JSON object to send."""
        ...


class CaptivateClient:
    """Sends answers to exactly one origin, over connections that are kept alive (C33). Safe for threads.

    ``environment``: "dev" or "prod". ``base_url`` replaces the host, the path stays (C31: neither, or an unknown name,
    is a ValueError). ``timeout``, ``connect_timeout`` in seconds: silence while reading, and until connected;
    ``total_timeout``: the whole call, by default the sum of both. ``headers`` go with every send, for a gateway (C34).
    ``connections``: to share; else the client makes its own. Make it after a fork, not before.
    """

    def __init__(
        self,
        environment: Environment | None = None,
        base_url: str | None = None,
        *,
        timeout: float = 15.0,
        connect_timeout: float = 5.0,
        total_timeout: float | None = None,
        headers: Mapping[str, str] | None = None,
        connections: Connections | None = None,
    ) -> None:
        self._url = _address(environment, base_url)
        self._timeouts = Timeouts(connect_timeout, timeout, total_timeout or connect_timeout + timeout)
        self._fields = _fields(self._url, headers)
        self._connections = connections or Connections()

    def send_message(self, captivate: Conversation, idempotency_key: str | None = None) -> dict[str, Any] | None:
        """Deliver the answer of a conversation: one POST, no retry, no redirect.

        Returns the decoded answer of the server, None when it is not a JSON object: any 2xx is delivered, whatever the
        body (C32). ``idempotency_key`` goes out as header ``Idempotency-Key``; give the same one when sending again.
        Raises ``Throttled``, ``Unavailable``, ``OutcomeUnknown`` or ``Rejected``; ``CaptivateValueError`` before
        sending.
        """
        return self.send_body(captivate.body(), idempotency_key)

    def send_body(self, body: dict[str, Any], idempotency_key: str | None = None) -> dict[str, Any] | None:
        """The same as ``send_message`` for a body made earlier."""
        fields = self._fields
        if idempotency_key is not None:
            if not _HEADER_VALUE.fullmatch(idempotency_key):
                raise CaptivateValueError("the idempotency key must be printable ASCII, such as an event id")
            fields = (*fields, (b"Idempotency-Key", idempotency_key.encode("ascii")))
        try:
            answer = self._connections.send(Request("POST", self._url, fields, _encode(body)), self._timeouts)
        except NotSent as error:
            raise Unavailable(
                f"Captivate could not be reached ({error}): nothing was sent, send again later"
            ) from error
        except Unanswered as error:
            if error.answer is None:
                raise OutcomeUnknown(
                    f"Captivate did not answer ({error}): perhaps delivered, send again with the same idempotency key",
                    acted="unknown",
                ) from error
            answer = error.answer  # the head came, and the status decides
        if 200 <= answer.status < 300:
            return _json_object(answer.body)
        failed = _error(answer.status, answer.retry_after)
        failed.foreign = 300 <= answer.status < 400 or not _is_json(answer.body)
        raise failed

    def reachable(self) -> bool:
        """Whether the channel answers at all, with anything but 5xx. Sends nothing: a GET of the same address."""
        try:
            return self._connections.send(Request("GET", self._url, self._fields), self._timeouts).status < 500
        except NotSent:
            return False
        except Unanswered as error:
            return error.status is not None and error.status < 500

    def close(self) -> None:
        """Close the idle connections, shared ones too."""
        self._connections.close()


def shared_client(environment: str, base_url: str | None) -> CaptivateClient:
    """The client of this process for an origin, made when first asked for. Raises ``ValueError`` as the class does."""
    _address(environment, base_url)
    return _shared_client(environment if base_url is None else None, base_url, os.getpid())


@lru_cache(maxsize=16)
def _shared_client(environment: Environment | None, base_url: str | None, _process: int) -> CaptivateClient:
    return CaptivateClient(environment, base_url)


def _address(environment: str | None, base_url: str | None) -> httpx.URL:
    if environment is not None and environment not in _ORIGINS:
        raise ValueError(f"unknown Captivate environment {environment!r}: choose dev or prod")
    if base_url is None:
        if environment is None:
            raise ValueError("no Captivate address: give environment (dev or prod) or base_url")
        return httpx.URL(_ORIGINS[environment] + PATH)
    # The address can hold a password, so no text below quotes it and no cause is chained.
    wrong = ValueError(
        "base_url must be http(s)://host or http(s)://host:port, without path, query or user: only the "
        "host can be replaced, give a gateway's credentials as headers"
    )
    try:
        url = httpx.URL(base_url)
    except (httpx.InvalidURL, TypeError):
        raise wrong from None
    bare = url.raw_path == b"/" and not url.userinfo and not url.fragment
    if url.scheme not in ("http", "https") or not has_valid_host(url) or not bare:
        raise wrong
    return url.copy_with(raw_path=PATH.encode())


def _fields(url: httpx.URL, gateway: Mapping[str, str] | None) -> tuple[Field, ...]:
    fields = httpx.Headers(
        {"Host": url.netloc.decode(), "Content-Type": "application/json", "User-Agent": "parley-worker"}
    )
    for name, value in (gateway or {}).items():
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _OURS:
            raise ValueError(f"header {name!r} cannot be set: choose another name")
        if not _HEADER_VALUE.fullmatch(value):
            raise ValueError(f"the value of header {name!r} must be printable ASCII without line breaks")
        fields[name] = value
    return tuple(fields.raw)


def _encode(body: dict[str, Any]) -> bytes:
    try:
        text = _COMPACT.encode(body)
    except (TypeError, ValueError, RecursionError):
        raise CaptivateValueError(
            "the answer holds a value that JSON cannot hold: was a list or an object changed after it was set?"
        ) from None
    return repair(text).encode()  # C35


def _error(status: int, retry_after: float | None) -> CaptivateError:
    if status in (408, 425, 429):
        return Throttled(f"Captivate answered {status}: wait, then send again", status=status, retry_after=retry_after)
    if status == 503:
        return Unavailable(
            f"Captivate answered {status}: nothing was delivered, send again later",
            status=status,
            retry_after=retry_after,
        )
    if 300 <= status < 400:
        return Rejected(
            f"Captivate answered {status}, a redirect, which is never followed: check base_url", status=status
        )
    if 400 <= status < 500:
        return Rejected(f"Captivate refused the message with {status}: sending it again changes nothing", status=status)
    return OutcomeUnknown(
        f"Captivate answered {status}: perhaps delivered, send again with the same idempotency key",
        status=status,
        retry_after=retry_after,
        acted="unknown",
    )


def _is_json(content: bytes) -> bool:
    try:
        return isinstance(json.loads(content), dict | list)
    except RecursionError:
        return True
    except ValueError:
        return False


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
