"""What Captivate sends, in the domain's words: a request becomes an event, a channel context a conversation."""

from __future__ import annotations

from typing import Any

from worker.clients import pictures
from worker.clients.captivate import Captivate, CaptivatePayloadError
from worker.clients.values.odd_values import UnusableLink, link_of
from worker.domain.event_parts import LeftOut, told
from worker.domain.events import (
    MAX_ATTACHMENTS,
    MAX_DOCUMENTS,
    NOTHING_TO_ANSWER,
    ChannelContext,
    InboundChat,
    parse,
    with_left_out,
)
from worker.domain.refusals import InvalidEvent

_CHANNEL_PARTS = ("session_id", "metadata", "hasLivechat")
# Where platforms say what a file is.
_TYPE_KEYS = ("type", "mimetype", "mimeType", "mime_type", "contentType", "content_type")


def from_captivate(
    payload: object,
    *,
    persona: str,
    target: str,
    own_username: str | None = None,
    event_id: str | None = None,
) -> InboundChat:
    """An inbound chat with the message, the image files, the texts of documents and the channel of a Captivate request.

    ``payload``: the JSON object that Captivate posted. ``event_id``: give the id of the request when there is
    one, so that a repeated request is recognised. Files whose declared type is another than that of a picture are
    not for a persona and are left out, unless their name is that of a picture.
    Only ``session_id`` and something to answer, text or an image, are required. Other parts that cannot be used are
    listed in ``left_out``. Raises ``InvalidEvent`` naming the field at fault, never its value.
    """
    try:
        request = Captivate.parse(payload)
    except CaptivatePayloadError as error:
        raise InvalidEvent(f"not a Captivate request: {error}") from None
    assert isinstance(payload, dict)  # noqa: S101 - Captivate.parse accepts nothing else
    files = _pictures(request.get_files())
    images = [{"url": _link(file), "filename": _name(file)} for file in files]
    texts = [text for file in request.get_files() if file not in files and (text := _text(file))]
    left_out = [
        *request.left_out,
        *_too_many("images", len(images), MAX_ATTACHMENTS),
        *_too_many("documents", len(texts), MAX_DOCUMENTS),
    ]
    message, attachments = request.get_user_input() or "", images[:MAX_ATTACHMENTS]
    if left_out and not message and not attachments and not texts:
        raise InvalidEvent(f"{NOTHING_TO_ANSWER} (left out: {told(left_out)})")
    event = parse(
        {
            "kind": "inbound_chat",
            "persona": persona,
            "target": target,
            "own_username": own_username,
            "message": message,
            "attachments": attachments,
            "documents": texts[:MAX_DOCUMENTS] or None,
            "channel": {"metadata": {}, **{key: payload[key] for key in _CHANNEL_PARTS if key in payload}},
            **({"event_id": event_id} if event_id else {}),
        }
    )
    assert isinstance(event, InboundChat)  # noqa: S101 - narrows the union for the type checker
    return with_left_out(event, [*left_out, *event.left_out]) if left_out else event


def conversation_of(context: ChannelContext) -> Captivate:
    """A fresh Captivate conversation to answer into, without anything that came in. Its ``left_out`` says which parts
    of the context could not be used and are not sent back."""
    return Captivate.parse(
        {"session_id": context.session_id, "metadata": context.metadata, "hasLivechat": context.hasLivechat}
    )


def empty_answer(context: ChannelContext) -> dict[str, Any]:
    """What a chat endpoint answers when the reply comes later: a response without messages."""
    return conversation_of(context).body()


def _too_many(what: str, number: int, most: int) -> list[LeftOut]:
    return [LeftOut("files", f"{number - most} {what} more than {most}")] if number > most else []


def _pictures(files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The files that may be pictures: the bytes decide, once they are fetched. Without one that is likely, the first
    whose type says nothing is tried whatever its name says."""
    found = [(_chance(file), file) for file in files]
    likely = [file for chance, file in found if chance is pictures.Chance.GOOD]
    unlikely = [file for chance, file in found if chance is pictures.Chance.SMALL]
    return likely or unlikely[:1]


def _text(file: dict[str, Any]) -> str | None:
    """What Captivate's widget has read in a document, if it has."""
    content = file.get("textContent")
    text = content.get("text") if isinstance(content, dict) else content
    return text if isinstance(text, str) and text.strip() else None


def _chance(file: dict[str, Any]) -> pictures.Chance:
    link = _link(file)
    url = link if isinstance(link, str) else ""
    return pictures.chance([file.get(key) for key in _TYPE_KEYS], _name(file), url)


def _name(file: dict[str, Any]) -> object:
    return file.get("filename") or file.get("name")


def _link(file: dict[str, Any]) -> object:
    # The first one that can be used; else any of them, so that the refusal can name its reason.
    storage = file.get("storage")
    candidates = [storage.get("presignedUrl") if isinstance(storage, dict) else None, file.get("url")]
    for candidate in candidates:
        try:
            return link_of(candidate)
        except UnusableLink:
            continue
    return candidates[0] or candidates[1]
