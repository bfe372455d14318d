"""Messages of an answer: text, button, table, cards, html, files (protocols.md 2.5, seed "Usage Example")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from worker.clients.captivate.errors import CaptivateValueError
from worker.clients.values.json_values import JsonObject, json_fault


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)


class MessageModel(_Frozen):
    """What all messages have in common. Unknown keys are dropped; fields that a subclass adds are sent (C18)."""


class TextMessageModel(MessageModel):
    """One bubble of text."""

    type: Literal["text"] = "text"
    text: str


class ButtonMessageModel(MessageModel):
    """Buttons: any JSON object, usually ``{"title": str, "options": [{"label": str, "value": str}]}``, sent unchanged
    (C14)."""

    type: Literal["button"] = "button"
    buttons: JsonObject


class TableMessageModel(MessageModel):
    """A table as HTML."""

    type: Literal["table"] = "table"
    table: str


class CardMessageModel(_Frozen):
    """One card of a ``CardCollectionModel``. All four parts are needed; each may be empty."""

    text: str
    description: str
    image_url: str
    link: str


class CardCollectionModel(MessageModel):
    """Cards, nested under ``cards`` on the wire (C13)."""

    type: Literal["cards"] = "cards"
    cards: list[CardMessageModel]


class HtmlMessageModel(MessageModel):
    """HTML, sent unescaped."""

    type: Literal["html"] = "html"
    html: str


class FileModel(_Frozen):
    """One file of a ``FileCollectionModel``. ``type`` is its MIME type; ``url`` or ``filename`` must not be empty."""

    type: str
    url: str | None = None
    filename: str | None = None

    @model_validator(mode="after")
    def _can_be_found(self) -> FileModel:
        if not self.url and not self.filename:
            raise ValueError("a file needs a url or a filename")
        return self


class FileCollectionModel(MessageModel):
    """Files. ``title`` is sent when given and never as null (C15)."""

    type: Literal["files"] = "files"
    files: list[FileModel]
    title: str | None = None

    @model_serializer(mode="wrap")
    def _without_empty_title(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        wire: dict[str, Any] = serialize(self)
        if self.title is None:
            wire.pop("title", None)
        return wire


Message = MessageModel | dict[str, Any]


def checked_messages(values: Sequence[MessageModel | CardMessageModel | FileModel | dict[str, Any]]) -> list[Message]:
    """The messages of an answer, checked. Order and repeats are kept.

    A lone card or file becomes a collection of one; a dict is a custom message and stays as it is, whatever its
    ``type`` (C16, C17). Raises ``CaptivateValueError`` for anything else, naming its position.
    """
    if not isinstance(values, list | tuple):
        raise CaptivateValueError(f"the messages must be a list, not a {type(values).__name__}: put them into [...]")
    return [_message(position, value) for position, value in enumerate(values)]


def _message(position: int, value: object) -> Message:
    if isinstance(value, MessageModel):
        return value
    if isinstance(value, CardMessageModel):
        return CardCollectionModel(cards=[value])
    if isinstance(value, FileModel):
        return FileCollectionModel(files=[value])
    if not isinstance(value, dict):
        raise CaptivateValueError(
            f"message {position} is a {type(value).__name__}: give a message model or a dict, such as TextMessageModel"
        )
    fault = json_fault(value)
    if fault is not None:
        raise CaptivateValueError(f"message {position} cannot be sent: {fault}")
    return value
