"""What goes into a request: text fields and at most one file, checked and repaired before anything is sent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus

from worker.clients.fluidtalk.errors import InvalidCall
from worker.clients.pictures import image_type, type_of_name
from worker.clients.values.wire_text import repair, to_json

ImagePath = str | os.PathLike[str]
File = tuple[str, bytes]


def expect_text(name: str, value: str) -> None:
    """Raise ``InvalidCall`` unless ``value``, the argument called ``name``, is a text and not empty (F2, F3)."""
    if not isinstance(value, str) or not value:
        raise InvalidCall(f"{name} is not a text or empty; nothing was sent, give a {name}")


def form_bytes(fields: Mapping[str, str]) -> bytes:
    """A form without a file, as it is sent. ``fields``: their names are plain words."""
    return "&".join(f"{name}={quote_plus(text)}" for name, text in fields.items()).encode("ascii")


def text_fields(fields: dict[str, str | None]) -> dict[str, str]:
    """The fields to send: None and "" are left out (F1), broken UTF-16 is repaired (F7).

    Raises ``InvalidCall`` for a value that is not a string.
    """
    texts: dict[str, str] = {}
    for name, value in fields.items():
        if value is not None and not isinstance(value, str):
            raise InvalidCall(f"{name} is a {type(value).__name__}; nothing was sent, give a string")
        if value:
            texts[name] = repair(value)
    return texts


def context_text(context: Mapping[str, Any] | None) -> str | None:
    """An event's context as JSON text, None for an empty one (protocols.md 1.3).

    Raises ``InvalidCall`` for what is not a JSON object or holds what JSON cannot (F7).
    """
    if not context:
        return None
    if not isinstance(context, Mapping):
        raise InvalidCall(f"context is a {type(context).__name__}; nothing was sent, give a JSON object")
    try:
        return to_json(dict(context))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidCall("context holds what JSON cannot; nothing was sent, give names and JSON values") from error


def read_image(path: ImagePath) -> File:
    """The name, without folders, and the bytes of the file at ``path``.

    Raises ``InvalidCall`` for a file that cannot be read (F6) or is empty (F5).
    """
    try:
        plain_path = os.fsdecode(path)
        with open(plain_path, "rb") as image:
            content = image.read()
    except (OSError, TypeError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise InvalidCall(
            f"the image at {path!r} cannot be read ({cause}); nothing was sent, check the path"
        ) from error
    return file_name(os.path.basename(plain_path)), image_bytes(content)


def file_name(name: str) -> str:
    """``name`` as the head of a file part allows it. Raises ``InvalidCall`` if it is not a string."""
    if not isinstance(name, str):
        raise InvalidCall(f"filename is a {type(name).__name__}; nothing was sent, give a string")
    # httpx would write the same; here it does not depend on how a part is given to it.
    return repair(name).replace("\r", "%0D").replace("\n", "%0A")


def image_bytes(data: bytes) -> bytes:
    """``data``, also of a bytearray or memoryview, as bytes. Raises ``InvalidCall`` for others and for none (F5)."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise InvalidCall(f"data is a {type(data).__name__}; nothing was sent, give bytes")
    if not data:
        raise InvalidCall("the image has no bytes; nothing was sent, give another one")
    return bytes(data)


def content_type(name: str, content: bytes) -> str:
    """The type of a file part: by its bytes; by its name only if they are those of no picture that is known here."""
    return image_type(content) or type_of_name(name) or "application/octet-stream"
