"""The words that wait in a conversation: what the lead wrote, and answers that are stored and not delivered yet."""

from __future__ import annotations

from dataclasses import dataclass, field

from redis import Redis

from worker.domain import events
from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat, OperatorMessage, PulledFollowUp, StoredEvent
from worker.domain.reply import Reply
from worker.domain.unreadable import Unreadable
from worker.store.encryption import Content, Undecryptable
from worker.store.keys import Keys

_FIELDS = ("kind", "accepted_at", "payload", "reply")


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event that waits. ``accepted_at``: milliseconds of the store's clock. ``texts``: what the lead wrote, or what
    is written to the lead. ``answer``: the stored reply to it, which the lead does not have yet. ``images``: how many
    came with it. ``by``: the operator who says it. ``unreadable``: why this process cannot read it; then it has no
    texts."""

    event_id: str
    kind: str
    accepted_at: int
    texts: tuple[str, ...] = field(default=(), repr=False)
    answer: tuple[str, ...] = field(default=(), repr=False)
    images: int = 0
    by: str = ""
    unreadable: str = ""


def waiting_words(redis: Redis, keys: Keys, content: Content, conversation: Conversation) -> list[Waiting]:
    """What waits, in order. Changes nothing: a caller that shows it leaves a trace first.

    May raise ``redis.RedisError``."""
    own = keys.conversation(conversation)
    ids: list[str] = redis.lrange(own.inbox, 0, -1)  # type: ignore[assignment]
    with redis.pipeline(transaction=False) as pipeline:
        for event_id in ids:
            pipeline.hmget(own.journal(event_id), *_FIELDS)
        found = pipeline.execute()
    return [
        _read(content, conversation, event_id, *fields)
        for event_id, fields in zip(ids, found, strict=True)
        if fields[0] is not None  # else it has ended meanwhile
    ]


def _read(
    content: Content,
    conversation: Conversation,
    event_id: str,
    kind: str,
    accepted_at: str,
    payload: str | None,
    reply: str | None,
) -> Waiting:
    try:
        event = events.parse_json(content.decrypt("payload", conversation, payload or ""), accepted=True)
        stored = Reply.of_json(content.decrypt("reply", conversation, reply)) if reply else Reply()
    except (Undecryptable, Unreadable) as error:
        return Waiting(event_id, kind, int(accepted_at), unreadable=str(error))
    texts, images = _said(event)
    by = event.by if isinstance(event, OperatorMessage) else ""
    answer = () if by else stored.bubbles
    return Waiting(event_id, kind, int(accepted_at), texts, answer, images, by)


def _said(event: StoredEvent) -> tuple[tuple[str, ...], int]:
    match event:
        case InboundChat():
            words = (event.words,) if event.words else ()
            return words, len(event.attachments) + bool(event.image_url)
        case OperatorMessage():
            return (event.text,), 0
        case PulledFollowUp():
            return event.bubbles, 0
        case _:
            return (), 0
