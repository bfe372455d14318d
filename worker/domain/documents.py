"""The text that a document brings with it: kept for the persona, or left out and named. Pure."""

from __future__ import annotations

from worker.domain.event_parts import LeftOut, told
from worker.domain.events import NOTHING_TO_ANSWER, InboundChat, with_left_out
from worker.domain.refusals import InvalidEvent


def with_documents(chat: InboundChat, *, wanted: bool, most_characters: int) -> InboundChat:
    """The same chat with the documents that the persona gets.

    ``wanted``: whether it gets any. ``most_characters``: of message and documents together, a line break between them;
    a document that does not fit is left out as a whole, because half of one can say the opposite. Raises
    ``InvalidEvent`` when nothing is left to answer.
    """
    if not chat.documents:
        return chat
    kept: list[str] = []
    left_out: list[LeftOut] = []
    room = most_characters - (len(chat.message) + 1 if chat.message else 0)
    for number, text in enumerate(chat.documents):
        if wanted and len(text) <= room:
            kept.append(text)
            room -= len(text) + 1
            continue
        reason = f"{len(text)} characters, and LIMITS__MESSAGE_CHARACTERS has room for {max(0, room)} more"
        left_out.append(LeftOut(f"documents.{number}", reason if wanted else "the persona has DOCUMENTS=leave_out"))
    if not left_out:
        return chat
    if not (kept or chat.message or chat.image_url or chat.attachments):
        raise InvalidEvent(f"{NOTHING_TO_ANSWER} (left out: {told(left_out)})")
    return with_left_out(chat.model_copy(update={"documents": tuple(kept) or None}), [*chat.left_out, *left_out])
