"""The double of the FluidTalk Characters API (characters.md): served by the FluidTalk double beside Handshake."""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from simulation.upstreams.answer import Answer, json_answer
from simulation.upstreams.call_log import Call
from simulation.upstreams.characters import Character, Lead, Spoken
from simulation.upstreams.exchange import Exchange
from simulation.upstreams.personas import Refused
from simulation.upstreams.simulation import Simulation

_PREFIX = re.compile(r"/api/[A-Za-z0-9._-]+/characters(/.+)")
_ACK = re.compile(r"/followups/([^/]+)/ack")
_MAX_UPLOAD_BYTES = 10 * 1024 * 1024
_UNSAFE_IN_NAMES = re.compile(r"[/\\\x00-\x1f\x7f]")
_MODES = ("live", "mock", "sandbox")

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Asked:
    """One call: of which character, and what it says."""

    character: Character
    method: str
    path: str
    fields: Fields
    mode: str
    origin: str

    def text(self, name: str) -> str:
        """A field that must be there. Raises ``Refused`` with 422."""
        value = self.fields.get(name)
        if not isinstance(value, str) or not value:
            raise Refused(422, f"{name}: field required")
        return value


class CharactersApi:
    """Describes and carries out calls of the Characters API."""

    def __init__(self, simulation: Simulation, photo_path: str) -> None:
        self._simulation = simulation
        self._photo_path = photo_path
        self._numbers = itertools.count(1)
        self._routes: dict[tuple[str, str], Callable[[_Asked], Spoken]] = {
            ("POST", "/chat"): self._chat,
            ("POST", "/triggers"): _trigger,
            ("POST", "/events"): _event,
            ("GET", "/followups"): _follow_ups,
            ("POST", "/followups/sweep"): lambda asked: asked.character.sweep(asked.text("platform")),
            ("GET", "/self-test"): _self_test,
            ("POST", "/inbound-media"): self._hosted,
            ("POST", "/comments/media"): self._hosted,
            ("POST", "/posts/media"): self._hosted,
            ("POST", "/comments"): _comment,
            ("POST", "/comments/reply"): _comment_reply,
            ("POST", "/comments/engage"): _comment_reply,
            ("POST", "/posts"): lambda _: Spoken({"decision": "no_suitable_post_found", "post": None, "gate": "quiet"}),
        }

    @staticmethod
    def owns(path: str) -> bool:
        """Whether a path is one of this API."""
        return _PREFIX.fullmatch(path) is not None

    def read(self, exchange: Exchange, body: bytes) -> tuple[Call, Callable[[], Answer]]:
        """Describe the call; nothing is changed yet."""
        found = _PREFIX.fullmatch(exchange.path)
        path = found[1] if found else ""
        token = exchange.header(b"x-connector-token") or ""
        character = self._simulation.characters.get(self._simulation.keys.get(token, ""))
        call = Call(
            service="fluidtalk",
            method=exchange.method,
            path=exchange.path,
            persona=character.name if character else None,
        )
        fields, fault = _fields(exchange, body)
        call.fields = {name: value for name, value in fields.items() if name != "data_b64"}
        if fields.get("platform") and fields.get("handle"):
            call.target = f"{fields['platform']}/{fields['handle']}"
        call.action = str(fields["event_id"]) if path == "/triggers" and fields.get("event_id") else path
        if exchange.header(b"authorization") is not None:
            character = None
        mode = exchange.header(b"x-fluidtalk-mode") or "live"
        return call, partial(self._act, call, character, path, fields, fault, mode, exchange.origin)

    def _act(
        self, call: Call, character: Character | None, path: str, fields: Fields, fault: str, mode: str, origin: str
    ) -> Answer:
        if character is None:
            return self._error(401, "unauthorized", "The connector token is missing or wrong")
        if fault:
            return self._error(400, "bad_request", fault)
        if mode not in _MODES or (
            mode != "live" and "handle" in fields and not str(fields["handle"]).startswith("test_")
        ):
            return self._error(400, "bad_mode", "mock and sandbox want a handle that begins with test_")
        try:
            spoken = self._spoken(_Asked(character, call.method, path, fields, mode, origin))
        except Refused as refused:
            return self._error(refused.status, _CODES.get(refused.status, "refused"), refused.detail)
        call.turn, call.acted = spoken.turn, spoken.acted
        return json_answer(200, {"data": spoken.data, "request_id": self._request_id()})

    def _spoken(self, asked: _Asked) -> Spoken:
        if ack := _ACK.fullmatch(asked.path):
            return asked.character.acknowledge(unquote(ack[1]))
        carry_out = self._routes.get((asked.method, asked.path))
        if carry_out is None:
            raise Refused(404, "Not found")
        return carry_out(asked)

    def _chat(self, asked: _Asked) -> Spoken:
        lead = _lead(asked)
        message, image = (str(asked.fields.get(name) or "") for name in ("message", "image_url"))
        if not message and not image:
            raise Refused(422, "message or image_url is required")
        photo = asked.origin + self._photo_path
        return asked.character.chat(lead, message, image, photo, guarded=asked.mode != "sandbox")

    def _hosted(self, asked: _Asked) -> Spoken:
        asked.text("platform")
        try:
            content = base64.b64decode(asked.text("data_b64"), validate=True)
        except (binascii.Error, ValueError):
            raise Refused(400, "data_b64 is not base64") from None
        if len(content) > _MAX_UPLOAD_BYTES:
            raise Refused(413, "the file is too large")
        name = _UNSAFE_IN_NAMES.sub("_", str(asked.fields.get("filename") or "")) or "image"
        path = f"/media/{len(self._simulation.uploads) + 1}/{name}"
        self._simulation.uploads[path] = content
        return Spoken({"url": asked.origin + quote(path)})

    def _error(self, status: int, code: str, message: str) -> Answer:
        request_id = self._request_id()
        kind = "client_error" if status < 500 else "server_error"
        error = {"code": code, "message": message, "type": kind, "request_id": request_id}
        return json_answer(status, {"error": error}, ((b"x-request-id", request_id.encode()),))

    def _request_id(self) -> str:
        return f"req_{next(self._numbers)}"


_CODES = {402: "payment_required", 404: "not_found", 413: "too_large", 422: "validation_error"}


def _fields(exchange: Exchange, body: bytes) -> tuple[Fields, str]:
    if exchange.method == "GET":
        query = exchange.scope.get("query_string", b"").decode("ascii", "replace")
        return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}, ""
    if not body:
        return {}, ""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}, "the body is not JSON"
    return (fields, "") if isinstance(fields, dict) else ({}, "the body is not an object")


def _lead(asked: _Asked) -> Lead:
    return asked.character.lead(asked.text("platform"), asked.text("handle"), _account(asked))


def _account(asked: _Asked) -> str:
    return str(asked.fields.get("own_username") or "")


def _trigger(asked: _Asked) -> Spoken:
    handle = asked.text("handle")
    lead = _lead(asked)
    names = asked.text("event_id"), asked.text("external_event_id")
    return asked.character.trigger(lead, handle, *names, _context(asked.fields.get("context")))


def _event(asked: _Asked) -> Spoken:
    who = asked.text("platform"), asked.text("handle"), asked.text("external_event_id")
    return asked.character.event(*who, asked.fields)


def _follow_ups(asked: _Asked) -> Spoken:
    limit = int(asked.fields.get("limit") or 100)
    found = asked.character.follow_ups(asked.text("platform"), _account(asked), limit)
    return Spoken({"followups": found}, acted=False)


def _self_test(asked: _Asked) -> Spoken:
    return Spoken(asked.character.self_test(str(asked.fields.get("platform") or "")), acted=False)


def _comment(asked: _Asked) -> Spoken:
    asked.text("post_ref")
    max_chars = asked.fields.get("max_chars") or 150
    return Spoken({"comment": "Nice post!", "max_chars": max_chars, "truncated": False})


def _comment_reply(asked: _Asked) -> Spoken:
    asked.text("post_ref")
    return Spoken({"decision": "engage", "reply": "Thank you!", "reason": None})


def _context(value: Any) -> str:
    return "" if value is None else json.dumps(value, ensure_ascii=False)
