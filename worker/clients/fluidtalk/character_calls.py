"""One request to the Characters API and its answer: addresses, headers, the envelope, the errors.

Source: characters.md 1, 3 (envelope), 4 and the quirks named at their places.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from worker.clients.fluidtalk.character_contract import Exchange, Watch
from worker.clients.fluidtalk.errors import BadReply, InvalidCall, character_error_for
from worker.clients.fluidtalk.form import image_bytes
from worker.clients.fluidtalk.results import NotAsDocumented
from worker.clients.fluidtalk.sending import (
    HEADERS,
    answer_to,
    content_of,
    is_foreign,
    server_address,
    timeouts_of,
    without,
)
from worker.clients.http.connections import Answer, Connections
from worker.clients.values.json_values import texts_in
from worker.clients.values.wire_text import to_json

_VERSION = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")

# Fields of a call that a server might repeat as the name of anything.
_OF_THE_LEAD = ("handle", "message", "own_username", "session_id", "image_url", "context", "raw")

# What a call is made for. An error beside it is odd, and costs none of it.
_CONTENT = ("bubbles", "silent", "ignored", "paused", "followups", "url", "comment", "reply", "post", "checks")

Result = TypeVar("Result")
Read = Callable[[Any, str | None], Result]


class CharacterCalls:
    """Sends calls of one character. ``seconds``: of silence, for a connection, in all (None = both and ten more).
    ``watch``: is shown each answered call."""

    def __init__(
        self,
        token: str,
        base_url: str,
        api_version: str,
        mode: str,
        seconds: tuple[float, float, float | None],
        connections: Connections,
        watch: Watch | None = None,
    ) -> None:
        if not isinstance(api_version, str) or not _VERSION.fullmatch(api_version):
            raise InvalidCall("api_version is no single word such as v1; correct it")
        self.base_url = _origin(base_url)
        self.connections = connections
        self._api = f"{self.base_url}/api/{api_version}/characters"
        self._seconds = seconds
        self.timeouts = timeouts_of(*seconds)
        self._token = token
        self._watch = watch
        self._headers = {
            "X-Connector-Token": token,
            "Accept": "application/json",
            **HEADERS,
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
        answer = answer_to(self.connections, httpx.Request("GET", address, headers=self._headers), self.timeouts)
        return self._read(answer, read, path, _said(query))

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
        timeouts = self.timeouts if timeout is None else timeouts_of(timeout, *self._seconds[1:])
        headers, content = self._headers, b""
        if body is not None:
            headers, content = {**headers, "Content-Type": "application/json"}, _json(body)
        request = httpx.Request("POST", self._api + path, headers=headers, content=content)
        return self._read(answer_to(self.connections, request, timeouts), read, path, _said(body), any_body)

    def _read(
        self, answer: Answer, read: Read[Result], path: str, of_lead: tuple[str, ...], any_body: bool = False
    ) -> Result:
        # Q8: what the server says may quote the token, and ends in a caller's hands.
        detail, unreadable = content_of(answer, hidden=self._token)
        header = without(answer.header(b"x-request-id"), self._token) or None
        if self._watch:
            data = detail.get("data", detail) if isinstance(detail, dict) else detail
            readable = 200 <= answer.status < 300 and not unreadable
            self._watch(Exchange(path, answer.status, data if readable else None, of_lead + _leads_in(data)))
        foreign = is_foreign(detail, unreadable)
        if not 200 <= answer.status < 300:
            raise character_error_for(answer.status, detail, answer.retry_after, header, foreign=foreign)
        if any_body:
            return read(detail.get("data") if isinstance(detail, dict) else None, _request_id(detail) or header)
        try:
            if not unreadable:
                return read(_data(detail), _request_id(detail) or header)
        except NotAsDocumented as error:
            unreadable = str(error)
        said = f"FluidTalk answered {answer.status}, but {unreadable}: {BadReply.explanation}"
        failed = BadReply(answer.status, detail, said)
        failed.request_id, failed.foreign = header, foreign
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
    # Q10. An empty query or fragment takes the path away as well.
    server_address(base_url)
    if "?" in base_url or "#" in base_url:
        raise InvalidCall("base_url holds a query or a fragment; correct it")
    return base_url.rstrip("/")


def _data(detail: Any) -> Any:
    # Q13: an error in a 2xx is no silence. A bare object or list is read as if it were the data.
    if isinstance(detail, dict):
        if "data" in detail:
            if detail["data"] is None:
                raise NotAsDocumented("data is null")
            if detail.get("error") and not _has_content(detail["data"]):
                raise NotAsDocumented("there is an error beside its data")
            return detail["data"]
        if not detail or "error" in detail or set(detail) <= {"request_id"}:
            raise NotAsDocumented("there is no data")
    return detail


def _has_content(data: Any) -> bool:
    return bool(data) and (not isinstance(data, dict) or any(data.get(name) for name in _CONTENT))


def _said(body: Mapping[str, Any] | None) -> tuple[str, ...]:
    told = (body or {}).get
    return tuple(text for name in _OF_THE_LEAD for text in texts_in(told(name)) if text)


def _leads_in(data: Any) -> tuple[str, ...]:
    # A list of follow-ups names leads of whom the call told nothing.
    items = data.get("followups") if isinstance(data, dict) else data
    named = (item.get(name) for item in _dicts(items) for name in ("handle", "lead_handle"))
    return tuple(handle for handle in named if isinstance(handle, str) and handle)


def _dicts(items: Any) -> Iterator[dict[str, Any]]:
    return (item for item in items if isinstance(item, dict)) if isinstance(items, list) else iter(())


def _request_id(detail: Any) -> str | None:
    value = detail.get("request_id") if isinstance(detail, dict) else None
    return value if isinstance(value, str) and value else None
