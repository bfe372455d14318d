"""What FluidTalk answers: one frozen value for each kind of call, and how it is read from the JSON object.

A field that is missing or null has its documented value (protocols.md 1.4, F8). One of another type is read where it
has one meaning, else left out. So a bad field never costs the rest of a reply. ``NotAsDocumented`` is raised when
nothing is left to send and a part that might have been the reply could not be read.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from worker.clients.fluidtalk.bubble_limits import few, too_many
from worker.clients.values.odd_values import LeftOut, UnusableLink, link_of
from worker.clients.values.reader import Reader
from worker.clients.values.wire_text import to_json

_TOLD = 10


class NotAsDocumented(ValueError):
    """An answer that cannot be read. The text names the field and what it should be, never what it holds."""


class _Answer:
    # No field: a result has the fields of the published client.
    _left_out: tuple[LeftOut, ...] = ()

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The parts of the answer that could not be read: names of fields and reasons, never a value."""
        return self._left_out


@dataclass(frozen=True)
class ChatResult(_Answer):
    """What the persona answers to an inbound chat (seed FluidTalk "Results", protocols.md 1.4).

    ``reply``: the whole answer. ``replies``: the same as separate bubbles, in order: send these, one by one.
    ``should_send_photo``: send ``photo_url`` after the bubbles, if it is not empty.
    ``session_id``: the engine's session, for tracing.
    ``ignored``: the lead belongs to another account of the persona: send nothing. ``ignore_reason`` says why.
    """

    reply: str
    replies: list[str]
    should_send_photo: bool
    photo_url: str | None
    session_id: str | None
    ignored: bool
    ignore_reason: str | None


@dataclass(frozen=True)
class ActionResult(_Answer):
    """What the persona says unasked: opener, event or follow-up (seed FluidTalk "Results", protocols.md 1.4).

    ``message``: the one message to send; nothing to send if it is empty.
    ``session_id``, ``ignored``, ``ignore_reason``: as in ``ChatResult``.
    ``continued``: the lead already had a live conversation. For an opener ``message`` is empty then; an event was
    folded into the conversation, and ``message`` is the reply. ``continued_reason`` says why, for example
    "conversation_already_active".
    """

    session_id: str | None
    message: str
    ignored: bool
    ignore_reason: str | None
    continued: bool = False
    continued_reason: str | None = None


Result = TypeVar("Result", ChatResult, ActionResult)


@dataclass(frozen=True)
class UploadResult:
    """``url``: the hosted address of an uploaded image, to pass as ``image_url``. Never empty (protocols.md F13)."""

    url: str


def chat_result(fields: dict[str, Any]) -> ChatResult:
    """Read the answer to ``inbound_chat``. Raises ``NotAsDocumented`` when nothing that can be sent can be read."""
    _expect_any(fields, ChatResult)
    reader = _Fields(fields)
    texts = reader.texts("reply")
    bubbles = reader.bubbles("replies")
    result = ChatResult(
        reply="\n".join(texts),
        replies=bubbles or reader.few("reply", texts),
        should_send_photo=reader.is_set("should_send_photo"),
        photo_url=reader.link("photo_url"),
        session_id=_note(fields, "session_id"),
        ignored=reader.is_set("ignored"),
        ignore_reason=_note(fields, "ignore_reason"),
    )
    says = result.replies or (result.should_send_photo and result.photo_url)
    return reader.done(result, bool(says))


def action_result(fields: dict[str, Any]) -> ActionResult:
    """Read the answer to ``ai_opener``, ``event_trigger`` or ``follow_up``. Raises ``NotAsDocumented`` when no message
    can be read."""
    _expect_any(fields, ActionResult)
    reader = _Fields(fields)
    result = ActionResult(
        session_id=_note(fields, "session_id"),
        message="\n".join(reader.texts("message")),
        ignored=reader.is_set("ignored"),
        ignore_reason=_note(fields, "ignore_reason"),
        continued=reader.is_set("continued"),
        continued_reason=_note(fields, "continued_reason"),
    )
    return reader.done(result, bool(result.message))


def upload_result(fields: dict[str, Any]) -> UploadResult:
    """Read the answer to ``upload_image``. Raises ``NotAsDocumented``, also if there is no address (F13)."""
    url = fields.get("url") or ""
    if not isinstance(url, str):
        raise NotAsDocumented("url is not a string")
    if not url:
        raise NotAsDocumented("url is missing")
    return UploadResult(url=url)


def _expect_any(fields: dict[str, Any], result: type[ChatResult] | type[ActionResult]) -> None:
    # {"error": "..."} with status 200 must not read as "the persona says nothing" (F9).
    if fields and not any(field.name in fields for field in dataclasses.fields(result)):
        raise NotAsDocumented("none of the documented fields is there")


def _note(fields: dict[str, Any], name: str) -> str | None:
    value = fields.get(name)
    if value is None or isinstance(value, str):
        return value
    try:
        return to_json(value)
    except (ValueError, RecursionError):
        return None


class _Fields(Reader):
    """The fields that decide what a lead sees."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__()
        self._fields = fields

    def texts(self, name: str) -> list[str]:
        """F8, F11, F12: the texts of a field that holds one or a list of them."""
        value = self._fields.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            return self._text(value, name)
        return [text for position, item in enumerate(value) for text in self._text(item, f"{name}.{position}")]

    def bubbles(self, name: str) -> list[str]:
        """The texts of a field that are not empty, as few as one answer may have."""
        return self.few(name, self.texts(name))

    def few(self, name: str, texts: Iterable[str]) -> list[str]:
        """These texts, as few as one answer may have; ``name``: of their field."""
        bubbles, left_out = few(filter(None, texts))
        self.left_out += too_many(name, left_out)
        return bubbles

    def leave_out(self, part: str, reason: str) -> None:
        """As ``Reader.leave_out``, without more than are told."""
        if len(self.left_out) < _TOLD:
            super().leave_out(part, reason)

    def is_set(self, name: str) -> bool:
        """F10: the string "false" is not true."""
        return bool(self.flag(self._fields.get(name), name))

    def link(self, name: str) -> str | None:
        value = self._fields.get(name)
        if value is None or value == "":
            return value
        try:
            return link_of(value)
        except UnusableLink as error:
            self.leave_out(name, str(error))
            return None

    def done(self, result: Result, says_something: bool) -> Result:
        """The result with what was left out. Raises ``NotAsDocumented`` when it says nothing and might have."""
        if self.left_out and not says_something and not result.ignored:
            raise NotAsDocumented("; ".join(map(str, self.left_out)))
        object.__setattr__(result, "_left_out", tuple(self.left_out))
        return result

    def _text(self, value: object, name: str) -> list[str]:
        # A bubble of the newer API is an object with its text in "text".
        held = value.get("text") if isinstance(value, dict) else value
        text = self.text(value if held is None else held, name)
        return [] if text is None else [text]
