"""One request to the Characters API and its answer: addresses, headers, the envelope, the errors.

Source: characters.md 1, 3 (envelope), 4 and the quirks named at their places.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from worker.clients.fluidtalk.client import seconds_of
from worker.clients.fluidtalk.errors import (
    BadReply,
    InvalidCall,
    OutcomeUnknown,
    Unavailable,
    character_error_for,
)
from worker.clients.fluidtalk.form import image_bytes
from worker.clients.fluidtalk.results import NotAsDocumented
from worker.clients.http.codings import json_text, plain
from worker.clients.http.connections import MAX_RESPONSE_BYTES, Answer, Connections, NotSent, Timeouts, Unanswered
from worker.clients.values.wire_text import from_json, to_json

_VERSION = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_HIDDEN = "[hidden]"

Result = TypeVar("Result")
Read = Callable[[Any, str | None], Result]


class CharacterCalls:
    """Sends calls of one character. ``seconds``: of silence, for a connection, in all (None = both and ten more)."""

    def __init__(
        self,
        token: str,
        base_url: str,
        api_version: str,
        mode: str,
        seconds: tuple[float, float, float | None],
        connections: Connections,
    ) -> None:
        if not isinstance(api_version, str) or not _VERSION.fullmatch(api_version):
            raise InvalidCall("api_version is no single word such as v1; correct it")
        self.base_url = _origin(base_url)
        self.connections = connections
        self._api = f"{self.base_url}/api/{api_version}/characters"
        read, connect, total = seconds
        self._connect = seconds_of("connect_timeout", connect)
        self._total = None if total is None else seconds_of("total_timeout", total)
        self.timeouts = self._timeouts(read)
        self._token = token
        self._headers = {
            "X-Connector-Token": token,
            "Accept": "application/json",
            # A server may choose any coding if none is named.
            "Accept-Encoding": "identity",
            "User-Agent": "parley-fluidtalk",
        }
        if mode != "live":
            self._headers["X-FluidTalk-Mode"] = mode

    def get(self, path: str, query: Mapping[str, Any], read: Read[Result]) -> Result:
        """GET with what is given of ``query``. Raises ``FluidTalkError``."""
        given = {name: value for name, value in query.items() if value is not None}
        try:
            address = httpx.URL(self._api + path, params=given)
        except (TypeError, ValueError) as error:
            raise InvalidCall("an argument of the query is no text or number; nothing was sent") from error
        return self._send(httpx.Request("GET", address, headers=self._headers), self.timeouts, read)

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | None,
        read: Read[Result],
        *,
        timeout: float | None = None,
        any_body: bool = False,
    ) -> Result:
        """POST what is given of ``body`` as JSON, or no body at all. ``any_body``: any 2xx is a success.

        Raises ``FluidTalkError``.
        """
        timeouts = self.timeouts if timeout is None else self._timeouts(timeout)
        headers, content = self._headers, b""
        if body is not None:
            headers, content = {**headers, "Content-Type": "application/json"}, _json(body)
        return self._send(
            httpx.Request("POST", self._api + path, headers=headers, content=content), timeouts, read, any_body
        )

    def _timeouts(self, read: float) -> Timeouts:
        seconds = seconds_of("timeout", read)
        return Timeouts(self._connect, seconds, self._total or seconds + self._connect + 10)

    def _send(self, request: httpx.Request, timeouts: Timeouts, read: Read[Result], any_body: bool = False) -> Result:
        try:
            answer = self.connections.send(request, timeouts)
        except NotSent as error:
            said = f"nothing was sent to FluidTalk ({error}): {Unavailable.explanation}"
            raise Unavailable(0, {"error": "network_error"}, said) from error
        except Unanswered as error:
            said = f"no complete answer from FluidTalk ({error}): {OutcomeUnknown.explanation}"
            raise OutcomeUnknown(0, {"error": "network_error"}, said) from error
        return self._read(answer, read, any_body)

    def _read(self, answer: Answer, read: Read[Result], any_body: bool) -> Result:
        body = plain(answer.body, answer.header(b"content-encoding"), MAX_RESPONSE_BYTES)
        # Q8: what the server says may quote the token, and ends in a caller's hands.
        text = json_text(body, lambda: answer.header(b"content-type")).replace(self._token, _HIDDEN)
        detail: Any
        try:
            detail, unreadable = from_json(text), ""
        except (ValueError, RecursionError):
            detail, unreadable = {"detail": text}, "the body is not JSON"
        header = answer.header(b"x-request-id").replace(self._token, _HIDDEN) or None
        if not 200 <= answer.status < 300:
            raise character_error_for(answer.status, detail, answer.retry_after, header)
        if any_body:
            return read(detail.get("data") if isinstance(detail, dict) else None, _request_id(detail) or header)
        try:
            if not unreadable:
                return read(_data(detail), _request_id(detail) or header)
        except NotAsDocumented as error:
            unreadable = str(error)
        said = f"FluidTalk answered {answer.status}, but {unreadable}: {BadReply.explanation}"
        failed = BadReply(answer.status, detail, said)
        failed.request_id = header
        raise failed


def path_segment(name: str, value: str | int) -> str:
    """One part of a path that leads nowhere else (Q5). Raises ``InvalidCall`` for what cannot be one."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or text in ("", ".", ".."):
        raise InvalidCall(f"{name} is empty or no id; nothing was sent")
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as error:
        raise InvalidCall(f"{name} holds half a character; nothing was sent") from error


def media(data: bytes, filename: str | None, content_type: str | None) -> dict[str, Any]:
    """The fields of an upload. Raises ``InvalidCall`` for no bytes (Q25)."""
    content = base64.b64encode(image_bytes(data)).decode("ascii")
    return {"data_b64": content, "filename": filename, "content_type": content_type}


def _json(body: Mapping[str, Any]) -> bytes:
    try:
        return to_json({name: value for name, value in body.items() if value is not None}).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidCall("an argument holds what JSON cannot; nothing was sent, give JSON values") from error


def _origin(base_url: str) -> str:
    # Q10: user and password would be sent as another authorization; a query or fragment swallows the path.
    try:
        url = httpx.URL(base_url) if isinstance(base_url, str) else httpx.URL("")
    except (httpx.InvalidURL, ValueError):
        url = httpx.URL("")
    extra = url.userinfo or "?" in str(base_url) or "#" in str(base_url)
    if url.scheme not in ("http", "https") or not url.raw_host or extra:
        raise InvalidCall("base_url is not the http(s) address of a server, without user name and query; correct it")
    return base_url.rstrip("/")


def _data(detail: Any) -> Any:
    # Q13: an error in a 2xx is no silence. A bare object or list is read as if it were the data.
    if isinstance(detail, dict):
        if "data" in detail:
            if detail["data"] is None:
                raise NotAsDocumented("data is null")
            return detail["data"]
        if not detail or "error" in detail or set(detail) <= {"request_id"}:
            raise NotAsDocumented("there is no data")
    return detail


def _request_id(detail: Any) -> str | None:
    value = detail.get("request_id") if isinstance(detail, dict) else None
    return value if isinstance(value, str) and value else None
