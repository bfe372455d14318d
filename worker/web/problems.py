"""What is answered to a request that is refused: problem documents (RFC 9457), without any content of the request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse

from worker.domain.refusals import Refused
from worker.domain.vocabulary import KINDS as KINDS_OF_EVENT
from worker.domain.vocabulary import Cause
from worker.store import StoreError, StoreFull

MEDIA_TYPE = "application/problem+json"
# Below it, the ingress itself says what each type means.
PAGES = "/problems/"

_AGAIN_SECONDS = 5

_FIELD = re.compile(r"([\w.]{1,80}): ")
_PART = re.compile(r"(\w{1,40}) has \d")


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of problem. ``cure``: what its reader has to do."""

    status: int
    title: str
    cure: str


KINDS = {
    "not-json": Kind(400, "The body is not JSON", "send one JSON object, or an array of them, as UTF-8 text"),
    "query": Kind(400, "The query cannot be used", "correct what is named; see /openapi.json"),
    "unknown-cursor": Kind(400, "The cursor is not known", "begin without one, or with the last one that was answered"),
    "unauthenticated": Kind(401, "The sender is not known", "send the token or the signature of a configured source"),
    "forbidden": Kind(403, "The source may not send this", "widen PERSONAS or KINDS of the source"),
    "not-found": Kind(404, "There is nothing at this address", "see /openapi.json for the addresses"),
    "unknown-persona": Kind(404, "The persona is not configured", "correct the name, or configure the persona"),
    "unknown-receipt": Kind(404, "The receipt is not known", "use the receipt of an event that this source has sent"),
    "notices-off": Kind(404, "Notices are not kept", "set PARLEY_NOTICES__KEEP=true in all processes"),
    "method-not-allowed": Kind(405, "The address does not take this method", "see /openapi.json for the methods"),
    "too-slow": Kind(408, "The request did not arrive in time", "send the same request again, without pauses"),
    "inbox-full": Kind(409, "Too many events of this conversation wait", "send the same event again later"),
    "channel-missing": Kind(
        409, "The conversation has no channel", "send the event with channel: session_id and metadata of Captivate"
    ),
    "body-too-large": Kind(413, "The body is too large", "send fewer events in one request, or shorter ones"),
    "media-type": Kind(415, "The body is of another media type", "send application/json without a content coding"),
    "refused": Kind(422, "The event can not be accepted", "correct the field that is named"),
    "too-many-events": Kind(422, "The array has too many events", "send at most 1000 events in one request"),
    "too-fast": Kind(429, "The source sends too much", "send the same request again after Retry-After"),
    "internal": Kind(500, "The ingress has failed", "send the same request again, and report it if it fails again"),
    "store-unreachable": Kind(
        503, "The store cannot be reached", "send the same request again after Retry-After; with an id that is safe"
    ),
    "store-full": Kind(503, "The store is full", "send the same request again after Retry-After"),
    "not-ready": Kind(503, "The ingress cannot use its store", "see its log; send the same request again later"),
}

_OF_CAUSES = {
    Cause.INBOX_FULL: "inbox-full",
    Cause.CHANNEL_MISSING: "channel-missing",
    Cause.PERSONA_NOT_KNOWN: "unknown-persona",
}


class Problem(Exception):
    """A refusal of the whole request, or of one event of an array.

    ``kind``: a name of ``KINDS``. ``detail``: one sentence about this occurrence, without content. ``retry_seconds``:
    when the same request may be sent again. ``members``: further members of the document.
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        *,
        retry_seconds: float | None = None,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self._detail = detail
        self._members = members
        self.headers = dict(headers or {})
        if retry_seconds is not None:
            self.headers["Retry-After"] = str(max(1, int(-(-retry_seconds // 1))))

    @property
    def status(self) -> int:
        """The HTTP status."""
        return KINDS[self.kind].status

    def document(self) -> dict[str, Any]:
        """The members of the document."""
        kind = KINDS[self.kind]
        common = {"type": PAGES + self.kind, "title": kind.title, "status": kind.status, "detail": self._detail}
        return {**common, **self._members, "cure": kind.cure}

    def response(self) -> JSONResponse:
        """The document as an answer."""
        return JSONResponse(self.document(), self.status, self.headers, MEDIA_TYPE)


def of_refusal(refusal: Refused) -> Problem:
    """The problem of an event that the door has refused: its cause as a code, and the field where there is one."""
    kind = _OF_CAUSES.get(refusal.cause, "refused")
    if kind == "unknown-persona":
        # The door's own words name all other personas: not every source may know them.
        return Problem(kind, "no persona of this name is configured", cause=refusal.cause.value, field="persona")
    text = str(refusal)
    members: dict[str, Any] = {"cause": refusal.cause.value}
    if found := _FIELD.match(text) or _PART.match(text):
        first, _, rest = found[1].partition(".")
        # The door puts the kind in front of the field.
        members["field"] = rest if rest and first in KINDS_OF_EVENT else found[1]
    return Problem(kind, text, retry_seconds=_AGAIN_SECONDS if kind == "inbox-full" else None, **members)


def of_store(error: StoreError) -> Problem:
    """The problem of a store that did not answer, or that is full."""
    if isinstance(error, StoreFull):
        return Problem("store-full", "nothing was accepted", retry_seconds=_AGAIN_SECONDS)
    return Problem("store-unreachable", "it is not known whether anything was accepted", retry_seconds=_AGAIN_SECONDS)


def page(kind: str) -> str:
    """What a type means, as plain text for people."""
    meant = KINDS[kind]
    return f"{meant.title} ({meant.status}).\n\nTo do: {meant.cure}.\n"
