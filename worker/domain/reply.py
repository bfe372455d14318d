"""The reply to a lead, as it is stored until it is delivered: pure, for any channel."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from config.settings import Escalation
from worker.domain.unreadable import by_a_newer_release
from worker.domain.vocabulary import Fate, Mark

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Reply:
    """What one turn delivers and how it ends once that is delivered.

    ``bubbles``: separate text messages in order. ``photo_url``: sent after them. ``escalation``: an action for the
    channel, with or without messages. ``fate``, ``reason``, ``mark`` and ``detail`` are what settle writes afterwards.
    ``pauses``: seconds before each message after the first, each of which is then a send of its own; empty: one send
    carries everything. ``photos``: the places in ``bubbles`` that hold the address of a photo instead of a text.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", hide_input_in_errors=True)

    bubbles: tuple[str, ...] = ()
    photo_url: str | None = None
    escalation: dict[str, Any] | None = None
    fate: Fate = "answered"
    reason: str = ""
    mark: Mark = "started"
    detail: str = ""
    pauses: tuple[float, ...] = ()
    photos: tuple[int, ...] = ()

    @property
    def sends(self) -> int:
        """How many sends deliver it."""
        return len(self.pauses) + 1

    def to_json(self) -> str:
        """For the journal; ``of_json`` reads it back."""
        values = {name: getattr(self, name) for name in _FIELDS}
        for name in ("pauses", "photos"):
            if not values[name]:
                # Workers of a release without it may run beside this one, and refuse unknown fields.
                del values[name]
        return _COMPACT.encode(values)

    @classmethod
    def of_json(cls, text: str) -> Reply:
        """The reply that ``to_json`` wrote. Raises ``Unreadable`` for one of another release."""
        try:
            reply = _STORED.validate_json(text)
            if reply.escalation is not None:
                Escalation(**reply.escalation)
        except ValidationError as error:
            raise by_a_newer_release("a stored reply", error.errors(include_input=False, include_url=False)) from None
        return reply


_FIELDS = tuple(field.name for field in fields(Reply))
_STORED = TypeAdapter(Reply)


def farewell(fate: Literal["sealed", "dead"], reason: str, escalation: Escalation, detail: str = "") -> Reply | None:
    """The reply that only hands the conversation over, or None when the policy is silence."""
    if escalation.action == "silence":
        return None
    return Reply(
        escalation=escalation.model_dump(exclude_none=True),
        fate=fate,
        reason=reason,
        mark="sealed" if fate == "sealed" else "escalated",
        detail=detail,
    )
