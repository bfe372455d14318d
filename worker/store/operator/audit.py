"""Who did what when: the acts of operators, by the command or elsewhere, without content.

It is bounded: the newest ``MOST_ACTS`` are kept. A lead that is forgotten is no longer named in it.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from redis import Redis

from worker.domain.conversation import Conversation
from worker.domain.moments import as_datetime
from worker.domain.operator_words import MOST_NOTE
from worker.store.conversations.consents import ALL_PERSONAS
from worker.store.keys import Keys
from worker.store.redis.scripts import Scripts

MOST_ACTS = 10_000

_AT_ONCE = 1000
# How many acts may be noted between an act and its repetition: one form can replay a group of letters.
_SINCE_THEN = 1000
# A script is repeated at once.
_AT_THE_SAME_TIME = 100
_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


class Act(StrEnum):
    """What an operator can do."""

    PAUSED = "paused"
    RESUMED = "resumed"
    CLAIMED = "claimed"
    HANDED_BACK = "handed back"
    SAID = "said"
    READ = "read"
    EXPORTED = "exported"
    SEALED = "sealed"
    UNSEALED = "unsealed"
    FORGOT = "forgot"
    REPLAYED = "replayed"
    DISCARDED = "discarded"
    FOLLOW_UP_MOVED = "follow-up moved"
    FOLLOW_UP_CANCELLED = "follow-up cancelled"
    FOLLOW_UPS_PLANNED = "follow-ups planned again"
    CONSENT_WRITTEN = "consent written"
    CONSENT_IMPORTED = "consent imported"
    CONSENT_EXPORTED = "consent exported"
    HASH_LOOKED_UP = "hash looked up"
    KEYS_ROTATED = "keys rotated"
    ENDPOINT_PAUSED = "endpoint paused"
    ENDPOINT_RESUMED = "endpoint resumed"
    ENDPOINT_REPLAYED = "endpoint replayed"
    ENDPOINT_REMOVED = "endpoint removed"
    OPERATOR_ADDED = "operator added"
    OPERATOR_REMOVED = "operator removed"


@dataclass(frozen=True, slots=True)
class Done:
    """One act. ``target``: '' when it is about no lead, or about one that is forgotten (``erased``). ``detail``: more
    of it, such as the id of an event or the reason that was given; never content."""

    at: datetime
    by: str
    act: str
    persona: str = ""
    target: str = ""
    detail: str = ""
    erased: bool = False


class Audit:
    """Notes acts and lists them. Every method may raise ``redis.RedisError``."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._key = keys.shards[0].key("audit")
        self._note = scripts.note_act
        self._erase = scripts.erase_acts

    def note(
        self, by: str, act: Act, about: Conversation | str | None = None, detail: str = "", call: str = ""
    ) -> None:
        """Note an act. ``about``: a conversation, or the name of a persona. ``call``: names this act and no other, so
        that the same one again is one; '' = a new one."""
        persona, target = about if isinstance(about, Conversation) else (about or "", "")
        parts = {"by": by, "act": act.value, "persona": persona, "target": target, "detail": detail[:MOST_NOTE]}
        told = {name: value for name, value in parts.items() if value} | {"call": call or uuid.uuid4().hex}
        looked_at = _SINCE_THEN if call else _AT_THE_SAME_TIME
        self._note.run(audit=self._key, act=_COMPACT.encode(told), entries=MOST_ACTS, looked_at=looked_at)

    def newest(
        self, limit: int = 100, *, by: str = "", act: str = "", persona: str = "", target: str = ""
    ) -> list[Done]:
        """At most ``limit`` acts, the newest first: of this operator, of this kind, about this persona or lead."""
        wanted = {"by": by, "act": act, "persona": persona, "target": target}
        found = []
        for done in self._all():
            if all(not value or getattr(done, name) == value for name, value in wanted.items()):
                found.append(done)
                if len(found) == limit:
                    break
        return found

    def erase(self, conversation: Conversation) -> int:
        """Take the lead's name out of the acts about this conversation. Returns how many there were."""
        personas: Collection[str] = (conversation.persona, ALL_PERSONAS)
        return int(self._erase.run(audit=self._key, target=conversation.target, personas=tuple(personas)))

    def names(self, conversation: Conversation) -> bool:
        """Whether an act names the lead."""
        return any((each.persona, each.target) == tuple(conversation) for each in self._all())

    def _all(self) -> Iterator[Done]:
        for start in range(0, MOST_ACTS, _AT_ONCE):
            lines: list[str] = self._redis.lrange(self._key, start, start + _AT_ONCE - 1)  # type: ignore[assignment]
            yield from map(_done, lines)
            if len(lines) < _AT_ONCE:
                return


def _done(line: str) -> Done:
    at, _, text = line.partition(" ")
    told: dict[str, Any] = json.loads(text)
    told.pop("call", None)
    return Done(at=as_datetime(int(at)), **told)
