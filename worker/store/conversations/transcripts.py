"""What was said in a conversation, as far as it is kept (``PARLEY_TRANSCRIPT__DAYS``): off by default.

``accept`` keeps what the lead wrote, in the step that accepts it; ``settle`` keeps what the lead got, in the step that
ends the turn (``lua/lib/transcript.lua``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from redis import Redis

from config.transcript import Transcript
from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat, StoredEvent
from worker.domain.reply import Reply
from worker.domain.unreadable import Unreadable
from worker.store.encryption import Content, Field, Undecryptable
from worker.store.keys import Key, Keys
from worker.store.redis.connection import clock_ms
from worker.store.redis.scripts import Scripts

Who = Literal["lead", "persona", "operator"]

# What a line of each holds, and so what it is encrypted as.
CONTENT_OF: dict[str, Field] = {"lead": "words", "persona": "reply", "operator": "payload"}

# So many transcripts of a shard are looked at in one go.
_AT_ONCE = 100

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Line:
    """What one of them said. ``at``: milliseconds of the store's clock. ``by``: the operator's name. ``texts``: the
    messages, in order; ``images``: how many of the lead's images came with it. ``unreadable``: why this process cannot
    read it; then it has no texts."""

    at: int
    who: Who
    event_id: str
    texts: tuple[str, ...] = field(default=(), repr=False)
    images: int = 0
    by: str = ""
    unreadable: str = ""


class Transcripts:
    """Reads what is kept. Every method may raise ``redis.RedisError``."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, content: Content, rules: Transcript) -> None:
        self._redis = redis
        self._keys = keys
        self._end = scripts.end_transcripts
        self._content = content
        self._rules = rules

    @property
    def kept(self) -> bool:
        """Whether this process's settings keep anything."""
        return self._rules.days > 0

    def of(self, conversation: Conversation, limit: int | None = None) -> list[Line]:
        """All lines that are not older than they may be, the oldest first. ``limit``: how many at most, the newest."""
        key = transcript_key(self._keys, conversation)
        lines: list[str] = self._redis.lrange(key, -limit if limit else 0, -1)  # type: ignore[assignment]
        oldest = clock_ms(self._redis) - self._rules.kept_ms
        return [line for each in lines if (line := self._line(conversation, each)).at >= oldest]

    def trim(self) -> None:
        """Delete the lines that are older than they may be. Does nothing while nothing is kept: what is left from
        before then ends by itself, when nothing was said for as long as it was to be kept."""
        left = self._keys.shards if self.kept else ()
        while left:
            calls = [
                self._end.call(transcripts=shard.key("transcripts"), kept_ms=self._rules.kept_ms, most=_AT_ONCE)
                for shard in left
            ]
            left = tuple(shard for shard, ended in zip(left, self._end.many(calls), strict=True) if ended == _AT_ONCE)

    def _line(self, conversation: Conversation, stored: str) -> Line:
        at, who, event_id, messages, content = parts_of(stored)
        line = Line(int(at), cast(Who, who), event_id)
        try:
            return _with_words(line, self._content.decrypt(CONTENT_OF[who], conversation, content), messages)
        except (Undecryptable, Unreadable) as error:
            return replace(line, unreadable=str(error))


def transcript_key(keys: Keys, conversation: Conversation) -> Key:
    """The lines of a conversation."""
    return keys.of(conversation).key(f"transcript:{conversation.name}")


def parts_of(stored: str) -> tuple[str, str, str, str, str]:
    """The five parts of a stored line; the last is content."""
    at, who, event_id, messages, content = stored.split(" ", 4)
    return at, who, event_id, messages, content


def words_of(event: StoredEvent) -> str:
    """What is kept of an event of the lead, as JSON; '' = nothing."""
    if not isinstance(event, InboundChat):
        return ""
    images = len(event.attachments) + bool(event.image_url)
    return _COMPACT.encode({"text": event.words} | ({"images": images} if images else {}))


def _with_words(line: Line, text: str, messages: str) -> Line:
    if line.who == "persona":
        all_of_it = tuple(_messages(Reply.of_json(text)))
        return replace(line, texts=all_of_it if messages == "-" else all_of_it[: int(messages)])
    said = json.loads(text)
    texts = (said["text"],) if said["text"] else ()
    return replace(line, texts=texts, images=said.get("images", 0), by=said.get("by", ""))


def _messages(reply: Reply) -> Iterator[str]:
    yield from reply.bubbles
    if reply.photo_url:
        yield reply.photo_url
