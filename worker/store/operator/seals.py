"""Sealed conversations: later events end as sealed, without a call. The persona seals (``settle``), an operator may."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from redis import Redis

from config.sections import Retention
from worker.domain.conversation import Conversation
from worker.domain.moments import as_datetime
from worker.store.keys import Keys
from worker.store.redis.scripts import Scripts

Sealed = Literal["done", "nothing", "unknown"]

_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Seal:
    """A sealed conversation. ``by``: the operator and why, '' = the persona ended it."""

    conversation: Conversation
    since: datetime
    by: str


class Seals:
    """Seals conversations, opens them again, lists them. Every method may raise ``redis.RedisError``."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, retention: Retention) -> None:
        self._redis = redis
        self._keys = keys
        self._seal = scripts.seal
        self._timeline_ms = retention.dead_ms
        self._conversation_ms = retention.conversation_ms

    def seal(self, conversation: Conversation, who: str, why: str = "", call: str = "") -> Sealed:
        """What waits and what comes ends as sealed without a call; a stored reply is still delivered.

        Returns ``nothing`` when it is sealed already. ``call``: the same name again answers the same and changes
        nothing; '' = a new one.
        """
        return self._run(conversation, "seal", who, why, call)

    def unseal(self, conversation: Conversation, who: str, why: str = "", call: str = "") -> Sealed:
        """Later events are asked again. Returns ``nothing`` when it is not sealed. ``call``: see ``seal``."""
        return self._run(conversation, "unseal", who, why, call)

    def all(self, persona: str | None = None) -> list[Seal]:
        """All sealed conversations, the oldest seal first. ``persona``: only of this one."""
        found = []
        for shard in self._keys.shards:
            rows = [(Conversation.of_name(str(name)), int(at)) for name, at in self._redis.hscan_iter(shard.sealed)]
            wanted = [row for row in rows if persona in (None, row[0].persona)]
            for start in range(0, len(wanted), _AT_ONCE):
                chunk = wanted[start : start + _AT_ONCE]
                with self._redis.pipeline(transaction=False) as pipeline:
                    for conversation, _ in chunk:
                        pipeline.hget(shard.conversation(conversation), "sealed_by")
                    answers = pipeline.execute()
                for (conversation, at), by in zip(chunk, answers, strict=True):
                    found.append(Seal(conversation, as_datetime(at), by or ""))
        return sorted(found, key=lambda seal: (seal.since, seal.conversation))

    def _run(
        self, conversation: Conversation, step: Literal["seal", "unseal"], who: str, why: str, call: str
    ) -> Sealed:
        keys = self._keys.conversation(conversation)
        status: Sealed = self._seal.run(
            keys,
            name=keys.name,
            step=step,
            by=f"{who}: {why}" if why else who,
            call=call or uuid.uuid4().hex,
            timeline_ms=self._timeline_ms,
            conversation_ms=self._conversation_ms,
        )
        return status
