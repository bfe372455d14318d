"""Follow-ups that a persona's server has written: who pulls them, which are known, which are to be acknowledged.

Each has its name in one set of its conversation's shard, from its acceptance until a day after its ack. ``accept`` puts
it there, the script that gives the event its fate says that an ack is owed, and only an ack that was taken ends it. So
none is accepted twice, however long the server cannot be told.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from typing import NamedTuple

from redis import Redis

from worker.domain.conversation import Conversation
from worker.store.keys import Keys, Shard
from worker.store.redis.connection import clock_ms
from worker.store.redis.scripts import Scripts

# An ack that was taken and not finished is taken by another process after so long; one that failed is tried again then.
AGAIN_SECONDS = 60.0

# So long a list that was read before an ack may arrive after it.
_REMEMBERED_MS = 86_400_000
_AT_ONCE = 10
# A right, or the pause behind it.
_LONGEST_MS = 86_400_000


class Owed(NamedTuple):
    """An ack that is owed, and the shard that knows it."""

    shard: Shard
    ref: str


class Pulled:
    """What was pulled. Methods raise ``redis.RedisError``."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._keys = keys
        self._acks = scripts.acks

    def take_right(self, persona: str, what: str, seconds: float) -> str | None:
        """The right to do ``what`` for a persona, for so long at most. None: another process has it, or it was done
        and it is not yet time again."""
        key, token, milliseconds = self._keys.persona(persona).pulling(what), uuid.uuid4().hex, int(seconds * 1000)
        if self._redis.set(key, token, nx=True, px=milliseconds):
            return token
        longest = max(milliseconds, _LONGEST_MS)
        if self._redis.pttl(key) > longest:
            # The server's clock has stepped back: it must not last longer than it was given for.
            self._redis.pexpire(key, longest)
        return None

    def done(self, persona: str, what: str, token: str, seconds: float) -> None:
        """It is done, and may be done again after so long."""
        key = self._keys.persona(persona).pulling(what)
        if self._redis.get(key) == token:
            self._redis.pexpire(key, int(seconds * 1000))

    def unacknowledged(self, persona: str) -> int:
        """How many of its follow-ups were pulled and are not acknowledged."""
        forgotten = -(clock_ms(self._redis) - _REMEMBERED_MS)
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.zremrangebyscore(shard.pulled(persona), forgotten, "(0")
                pipeline.zcount(shard.pulled(persona), 0, "+inf")
            return sum(pipeline.execute()[1::2])

    def known(self, events: Sequence[tuple[Conversation, str]]) -> list[bool | None]:
        """Of each conversation and name: True = it has its fate, False = it waits, None = it was not pulled before."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for conversation, ref in events:
                pipeline.zscore(self._keys.of(conversation).pulled(conversation.persona), ref)
            return [None if score is None else math.isfinite(score) for score in pipeline.execute()]

    def owe(self, persona: str, refs: Sequence[str]) -> None:
        """These can become no event: they are only to be acknowledged."""
        if refs:
            now = clock_ms(self._redis)
            self._redis.zadd(self._keys.home(persona).pulled(persona), dict.fromkeys(refs, now), nx=True)

    def take_owed(self, persona: str) -> list[Owed]:
        """Acks that are due, each for this process."""
        again_ms = int(AGAIN_SECONDS * 1000)
        shards = self._keys.shards
        calls = [self._acks.call(pulled=shard.pulled(persona), most=_AT_ONCE, again_ms=again_ms) for shard in shards]
        answers = self._acks.many(calls)
        return [Owed(shard, ref) for shard, refs in zip(shards, answers, strict=True) for ref in refs]

    def acknowledged(self, persona: str, owed: Owed) -> None:
        """The server has taken the ack."""
        self._redis.zadd(owed.shard.pulled(persona), {owed.ref: -clock_ms(self._redis)}, xx=True)

    def later(self, persona: str, owed: Sequence[Owed], seconds: float) -> None:
        """These acks are tried again only after so long."""
        at = clock_ms(self._redis) + int(seconds * 1000)
        for each in owed:
            self._redis.zadd(each.shard.pulled(persona), {each.ref: at}, xx=True)
