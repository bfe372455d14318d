"""What the ingress publishes about itself: JSON Schemas of events, receipts and problems, and an OpenAPI document.

The schemas of events are those of the event models, so they cannot tell anything else than the code.
"""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from worker import __version__
from worker.domain.events import Event
from worker.domain.notices import NoticeType
from worker.domain.vocabulary import Cause, Fate
from worker.web.notices import MOST_NOTICES, MOST_SECONDS
from worker.web.problems import KINDS, MEDIA_TYPE

_DIALECT = "https://json-schema.org/draft/2020-12/schema"


class Receipt(BaseModel):
    """The event is in the store."""

    model_config = ConfigDict(extra="forbid")

    receipt: str = Field(description="An opaque id of the event for this source.")
    event_id: str
    status: Literal["accepted", "duplicate", "scheduled"]
    position: int = Field(
        ge=0, description="Its place in the conversation's inbox; 1 = next, 0 = it does not wait there."
    )


class Attempts(BaseModel):
    """Attempts so far: calls of the persona, and deliveries."""

    model_config = ConfigDict(extra="forbid")

    asked: int = Field(ge=0)
    sent: int = Field(ge=0)


class State(BaseModel):
    """What became of an event. Times are UTC (RFC 3339)."""

    model_config = ConfigDict(extra="forbid")

    receipt: str
    event_id: str
    kind: str
    status: Fate | Literal["waiting", "held", "scheduled"]
    cause: Cause | None
    position: int = Field(ge=0)
    accepted_at: str | None
    held_until: str | None
    ended_at: str | None
    attempts: Attempts


class NoticeDocument(BaseModel):
    """What became of an event, a conversation or a persona. Times are UTC (RFC 3339)."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="Names it and no other.")
    type: str = Field(
        pattern=r"^parley\.(event|conversation|persona)\.[a-z_]+$", examples=[each.value for each in NoticeType]
    )
    time: str
    persona: str
    target: str | None = Field(description="The lead; null of a persona, and of a lead that was forgotten.")
    sequence: int = Field(description="Grows by one with each notice of a conversation, and of a persona.")
    event_id: str | None
    kind: str | None
    fate: Fate | None
    cause: str | None
    attempts: Attempts | None
    accepted_at: str | None
    ended_at: str | None
    joined: str | None = Field(description="The event that it was asked together with.")


class Notices(BaseModel):
    """The next notices, in the order of each conversation."""

    model_config = ConfigDict(extra="forbid")

    notices: list[NoticeDocument]
    cursor: str = Field(description="For the next request, as after.")
    dropped: int = Field(ge=0, description="How many there were before these, of all sources, and are gone.")


class ProblemDocument(BaseModel):
    """Why a request, or one event of an array, was refused (RFC 9457)."""

    type: Literal[tuple(f"/problems/{kind}" for kind in KINDS)]  # type: ignore[valid-type]
    title: str
    status: int
    detail: str
    cure: str
    cause: Cause | None = None
    field: str | None = None


class Results(BaseModel):
    """A receipt or a problem for each event of an array, in its order."""

    model_config = ConfigDict(extra="forbid")

    results: list[Receipt | ProblemDocument]


class CloudEvent(BaseModel):
    """A CloudEvent 1.0 in structured form that carries an event."""

    specversion: Literal["1.0"]
    id: str = Field(min_length=1, description="The event_id.")
    source: str = Field(min_length=1)
    type: str = Field(pattern=r"^parley\.[a-z_]+$", description="parley. and the kind.")
    subject: str = Field(pattern=r"^[^/]+/.+$", description="persona/target")
    data: dict[str, Any] = Field(default_factory=dict, description="The other fields of the event.")


_MODELS: dict[str, TypeAdapter[Any]] = {
    "event": TypeAdapter(Event),
    "cloud-event": TypeAdapter(CloudEvent),
    "receipt": TypeAdapter(Receipt),
    "results": TypeAdapter(Results),
    "state": TypeAdapter(State),
    "notices": TypeAdapter(Notices),
    "problem": TypeAdapter(ProblemDocument),
}
NAMES = tuple(_MODELS)


@cache
def schema(name: str) -> dict[str, Any]:
    """The JSON Schema of one of ``NAMES``."""
    made = _MODELS[name].json_schema()
    for part in made.get("$defs", {}).values():
        # It has a default in Python, where the class says it.
        if "const" in part.get("properties", {}).get("kind", {}):
            part["required"] = [*part.get("required", []), "kind"]
    return {"$schema": _DIALECT, "$id": f"/schemas/{name}.json", "title": name, **made}


@cache
def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 document. It refers to the schemas at their own addresses."""
    either: list[dict[str, list[str]]] = [{"bearer": []}, {"signature": []}]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Parley ingress", "version": __version__},
        "security": either,
        "paths": {
            "/v1/events": {"post": _send_events()},
            "/v1/captivate/{persona}": {"post": _send_captivate()},
            "/v1/receipts/{receipt}": {"get": _look()},
            "/v1/notices": {"get": _pull()},
        },
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "webhook-signature",
                    "description": "Standard Webhooks, with webhook-id and webhook-timestamp.",
                },
            }
        },
    }


@cache
def written(name: str) -> bytes:
    """One of ``NAMES``, or ``openapi``, as JSON. Strangers may ask for it as often as they like: it is made once."""
    return json.dumps(openapi() if name == "openapi" else schema(name), ensure_ascii=False).encode()


def _send_events() -> dict[str, Any]:
    one = [_ref("event"), _ref("cloud-event")]
    many = {"type": "array", "maxItems": 1000, "items": {"anyOf": one}}
    return {
        "operationId": "sendEvents",
        "summary": "Send one event, or an array of them",
        "parameters": [_key()],
        "requestBody": _body({"anyOf": [*one, many]}),
        "responses": {
            "202": _answer("The event is in the store", "receipt"),
            "207": _answer("A result for each event", "results"),
            **_problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503),
        },
    }


def _send_captivate() -> dict[str, Any]:
    return {
        "operationId": "sendCaptivate",
        "summary": "What Captivate posts to a chat endpoint",
        "parameters": [_in_path("persona"), _key()],
        "requestBody": _body({"type": "object"}),
        "responses": {
            "200": {"description": "A response without messages", "content": {"application/json": {"schema": {}}}},
            "202": _answer("The event is in the store (by setting)", "receipt"),
            **_problems(400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503),
        },
    }


def _look() -> dict[str, Any]:
    return {
        "operationId": "lookAtReceipt",
        "summary": "What became of an event",
        "parameters": [_in_path("receipt")],
        "responses": {"200": _answer("Its state", "state"), **_problems(401, 404, 429, 500, 503)},
    }


def _pull() -> dict[str, Any]:
    return {
        "operationId": "pullNotices",
        "summary": "The next notices",
        "parameters": [
            _in_query("after", {"type": "string", "maxLength": 8192}),
            _in_query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_NOTICES, "default": 100}),
            _in_query("wait", {"type": "integer", "minimum": 0, "maximum": MOST_SECONDS, "default": 0}),
        ],
        "responses": {"200": _answer("Those behind the cursor", "notices"), **_problems(400, 401, 404, 429, 500, 503)},
    }


def _in_query(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"/schemas/{name}.json"}


def _answer(says: str, name: str, media_type: str = "application/json") -> dict[str, Any]:
    return {"description": says, "content": {media_type: {"schema": _ref(name)}}}


def _problems(*statuses: int) -> dict[str, Any]:
    titles = {status: " / ".join(kind.title for kind in KINDS.values() if kind.status == status) for status in statuses}
    return {str(status): _answer(titles[status], "problem", MEDIA_TYPE) for status in statuses}


def _body(schema: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _key() -> dict[str, Any]:
    return {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}}
