"""Made of worker/domain/event_parts.py by make client: change it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parley_client.models.odd_values import LeftOut, UnusableLink, link_of, name_of_type, text_of

MAX_FILENAME = 1024

_TOLD_PARTS = 10

_TOLD_CHARACTERS = 500

_TEXTS = ("message", "own_username")


def usable(event: Mapping[str, Any], optional: frozenset[str]) -> tuple[dict[str, Any], list[LeftOut]]:
    """The fields of an event with its texts and links as an event can hold them, and what was left out.

    ``optional``: the fields of this kind that have a default; null counts as absent there.
    """
    left_out: list[LeftOut] = []
    parts = {name: value for name, value in event.items() if value is not None or name not in optional}
    for name in _TEXTS:
        if name in parts and (text := text_of(parts[name])) is not None:
            parts[name] = text
    if parts.get("own_username") == "":
        del parts["own_username"]
    if "image_url" in parts and "image_url" in optional:
        try:
            parts["image_url"] = link_of(parts["image_url"])
        except UnusableLink as error:
            del parts["image_url"]
            left_out.append(LeftOut("image_url", str(error)))
    if isinstance(parts.get("attachments"), list | tuple):
        parts["attachments"] = _attachments(parts["attachments"], left_out)
    return parts, left_out


def told(left_out: Sequence[LeftOut]) -> str:
    """What was left out, as one line that may be stored and shown; '' when nothing was."""
    if not left_out:
        return ""
    lines = [str(each) for each in left_out[:_TOLD_PARTS]]
    if len(left_out) > _TOLD_PARTS:
        lines.append(f"and {len(left_out) - _TOLD_PARTS} more")
    return "; ".join(lines)[:_TOLD_CHARACTERS]


def _attachments(attachments: Sequence[object], left_out: list[LeftOut]) -> list[object]:
    kept: list[object] = []
    for position, attachment in enumerate(attachments):
        part = f"attachments.{position}"
        if attachment is None:
            left_out.append(LeftOut(part, "it is null"))
            continue
        if not isinstance(attachment, dict):
            kept.append(attachment)
            continue
        try:
            mended = {**attachment, "url": link_of(attachment.get("url"))}
        except UnusableLink as error:
            left_out.append(LeftOut(part, str(error)))
            continue
        if (reason := _unusable_name(attachment.get("filename"))) is not None:
            mended["filename"] = None
            left_out.append(LeftOut(f"{part}.filename", reason))
        kept.append(mended)
    return kept


def _unusable_name(filename: object) -> str | None:
    # The lead chose the file name: an unusable one is no reason to leave the lead without an answer.
    if filename is None:
        return None
    if not isinstance(filename, str):
        return f"it is {name_of_type(filename)}, not a text"
    return f"it is longer than {MAX_FILENAME} characters" if len(filename) > MAX_FILENAME else None
