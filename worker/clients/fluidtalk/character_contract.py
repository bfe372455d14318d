"""What the contract of the Characters API names, and what an answer has beyond it: the API moves often.

Only names come from here, never values: of fields where the contract lists the fields, of reasons where it lists
reasons, and numbers of statuses. Pure. Source: characters.md 3, 4 and 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Literal, NamedTuple

from worker.clients.values.odd_values import flag_of

What = Literal["field", "status", "reason"]


class Unknown(NamedTuple):
    """A ``name`` that the contract does not have. It is the server's: of any length, with any characters."""

    what: What
    name: str


class Exchange(NamedTuple):
    """One answered call: ``path`` behind the API's own, ``status``, and ``data`` of a readable 2xx (else None).
    ``said``: what the call told of the lead, which a server might repeat anywhere."""

    path: str
    status: int
    data: Any
    said: tuple[str, ...]


Watch = Callable[[Exchange], None]

_REASONED = ("ignored", "ignore_reason", "paused", "pause_reason", "silent")
_REPLY = frozenset(("session_id", "bubbles", *_REASONED, "deduped", "explain", "vision", "request_id"))
_BUBBLE = frozenset(("text", "delay_ms", "image_url"))
_VISION = frozenset(("seen", "reason", "description", "kind"))
_FOLLOW_UP = frozenset(("id", "handle", "lead_handle", "message", "bubbles"))
_MEDIA = frozenset(("url", "ignore_reason", "pause_reason", "request_id"))

# Name of the call, and the fields of its data. Of all other calls no field is documented.
_CALLS = {
    "/chat": ("chat", _REPLY),
    "/triggers": ("trigger", _REPLY | {"fireable_event_ids"}),
    "/followups": ("followups", frozenset(("followups", "request_id"))),
    "/inbound-media": ("media", _MEDIA),
}
_PARTS = {"bubbles": ("bubble", _BUBBLE), "vision": ("vision", _VISION), "followups": ("followup", _FOLLOW_UP)}
_REASONS = {
    "ignored": ("ignore_reason", frozenset(("lead_claimed_by_other_account",))),
    "ignore_reason": ("ignore_reason", frozenset(("lead_claimed_by_other_account",))),
    "paused": ("pause_reason", frozenset()),
    "pause_reason": ("pause_reason", frozenset()),
    "silent": ("silent", frozenset(("duplicate_message",))),
}
_SUCCESSES, _REDIRECTS = range(200, 205), (301, 302, 303, 307, 308)
_REFUSALS = 400, 401, 402, 403, 404, 408, 409, 410, 413, 415, 422, 425, 429
_FAULTS = 500, 502, 503, 504
_STATUSES = frozenset((*_SUCCESSES, *_REDIRECTS, *_REFUSALS, *_FAULTS))


def unknown_in(exchange: Exchange) -> Iterator[Unknown]:
    """What the answer of a call has and the contract has not. A name may come more than once."""
    if exchange.status not in _STATUSES:
        yield Unknown("status", str(exchange.status))
    known, data = _CALLS.get(exchange.path), exchange.data
    if known is None:
        return
    call, fields = known
    if isinstance(data, list) and call == "followups":
        data = {"followups": data}
    if not isinstance(data, dict) or (call == "followups" and not isinstance(data.get(call), list)):
        # An object in place of the list may have leads as its names.
        return
    for name, value in data.items():
        if name not in fields:
            yield Unknown("field", f"{call}.{name}")
        elif part := _PARTS.get(name):
            yield from _in_parts(value, *part)
        elif name in _REASONS:
            yield from _reason(value, *_REASONS[name])


def _in_parts(value: Any, part: str, fields: frozenset[str]) -> Iterator[Unknown]:
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, dict):
            yield from (Unknown("field", f"{part}.{name}") for name in item if name not in fields)


def _reason(value: Any, field: str, known: frozenset[str]) -> Iterator[Unknown]:
    # A flag in place of a reason has no name.
    if isinstance(value, str) and value.strip() and flag_of(value) is None and value not in known:
        yield Unknown("reason", f"{field}.{value}")
