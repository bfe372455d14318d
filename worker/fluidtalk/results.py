"""What FluidTalk answers: one frozen value for each kind of call, and how it is read from the JSON object.

A field that is missing or null has its documented value (protocols.md 1.4, F8). A field that decides what a lead gets
to see must be of the documented type, or ``NotAsDocumented`` is raised; one that only explains never costs a reply.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from worker.fluidtalk.wire_text import to_json


class NotAsDocumented(ValueError):
    """An answer that cannot be read. The text names the field and what it should be, never what it holds."""


@dataclass(frozen=True)
class ChatResult:
    """What the persona answers to an inbound chat (seed FluidTalk "Results", protocols.md 1.4).

    ``reply``: the whole answer. ``replies``: the same as separate bubbles, in order: send these, one by one.
    ``should_send_photo``: send ``photo_url`` after the bubbles, if it is not empty.
    ``session_id``: the engine's session, for tracing.
    ``ignored``: the lead belongs to another account of the persona: send nothing. ``ignore_reason`` tells why.
    """

    reply: str
    replies: list[str]
    should_send_photo: bool
    photo_url: str | None
    session_id: str | None
    ignored: bool
    ignore_reason: str | None


@dataclass(frozen=True)
class ActionResult:
    """What the persona says unasked: opener, event or follow-up (seed FluidTalk "Results", protocols.md 1.4).

    ``message``: the one message to send; nothing to send if it is empty.
    ``session_id``, ``ignored``, ``ignore_reason``: as in ``ChatResult``.
    ``continued``: the lead already had a live conversation. For an opener ``message`` is empty then; an event was
    folded into the conversation, and ``message`` is the reply. ``continued_reason`` tells why, for example
    "conversation_already_active".
    """

    session_id: str | None
    message: str
    ignored: bool
    ignore_reason: str | None
    continued: bool = False
    continued_reason: str | None = None


@dataclass(frozen=True)
class UploadResult:
    """``url``: the hosted address of an uploaded image, to pass as ``image_url``. Never empty (protocols.md F13)."""

    url: str


def chat_result(fields: dict[str, Any]) -> ChatResult:
    """Read the answer to ``inbound_chat``. Raises ``NotAsDocumented``."""
    _expect_any(fields, ChatResult)
    reply = _text(fields, "reply")
    return ChatResult(
        reply=reply,
        replies=_bubbles(fields, reply),
        should_send_photo=_flag(fields, "should_send_photo"),
        photo_url=_optional_text(fields, "photo_url"),
        session_id=_note(fields, "session_id"),
        ignored=_flag(fields, "ignored"),
        ignore_reason=_note(fields, "ignore_reason"),
    )


def action_result(fields: dict[str, Any]) -> ActionResult:
    """Read the answer to ``ai_opener``, ``event_trigger`` or ``follow_up``. Raises ``NotAsDocumented``."""
    _expect_any(fields, ActionResult)
    return ActionResult(
        session_id=_note(fields, "session_id"),
        message=_text(fields, "message"),
        ignored=_flag(fields, "ignored"),
        ignore_reason=_note(fields, "ignore_reason"),
        continued=_flag(fields, "continued"),
        continued_reason=_note(fields, "continued_reason"),
    )


def upload_result(fields: dict[str, Any]) -> UploadResult:
    """Read the answer to ``upload_image``. Raises ``NotAsDocumented``, also if there is no address (F13)."""
    url = _text(fields, "url")
    if not url:
        raise NotAsDocumented("url is missing")
    return UploadResult(url=url)


def _expect_any(fields: dict[str, Any], result: type[ChatResult] | type[ActionResult]) -> None:
    # {"error": "..."} with status 200 must not read as "the persona says nothing" (F9).
    if fields and not any(field.name in fields for field in dataclasses.fields(result)):
        raise NotAsDocumented("none of the documented fields is there")


def _text(fields: dict[str, Any], name: str) -> str:
    return _optional_text(fields, name) or ""


def _optional_text(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    raise NotAsDocumented(f"{name} is not a string")


def _note(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    try:
        return to_json(value)
    except (ValueError, RecursionError):
        return None


def _flag(fields: dict[str, Any], name: str) -> bool:
    """F10: the string "false" is not true."""
    value = fields.get(name)
    if value is None:
        return False
    if isinstance(value, str):
        value = {"true": True, "false": False}.get(value.lower())
    if isinstance(value, bool):
        return value
    raise NotAsDocumented(f"{name} is neither true nor false")


def _bubbles(fields: dict[str, Any], reply: str) -> list[str]:
    """F8, F11, F12: a string is one bubble, not one bubble for each letter; without bubbles the reply is the bubble."""
    bubbles = fields.get("replies")
    if bubbles is None or isinstance(bubbles, str):
        bubbles = [bubbles or reply]
    if not isinstance(bubbles, list) or not all(isinstance(bubble, str) for bubble in bubbles):
        raise NotAsDocumented("replies is not a list of strings")
    return [bubble for bubble in bubbles if bubble]
