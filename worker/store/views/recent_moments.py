"""What turns do at this moment, seen from outside: bounded work, and nothing of it costs a turn anything."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from worker.domain.conversation import Conversation
from worker.store.keys import Keys
from worker.store.redis.connection import clock_ms
from worker.store.views.timeline import Moment, moment_of

# A running turn is on the agenda for the end of its lease, and a conversation whose doorbell was just sent for that of
# the grace.
_SOON_MS = 10_000
# Settled conversations leave the agenda; their end is looked for so long.
_AFTER_MS = 5_000
_OF_EACH_SHARD = 20
_LAST = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """One moment of a conversation's timeline."""

    conversation: Conversation
    moment: Moment


class Glimpses:
    """Looks at conversations that have a turn now or soon, and had one at the last looks."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._seen_at: dict[Conversation, int] = {}
        self._moments: dict[tuple[Conversation, str], Moment] = {}

    def look(self, limit: int) -> list[Seen]:
        """The last moments that were seen so far, the newest first, at most ``limit``. Raises ``redis.RedisError``."""
        now = clock_ms(self._redis)
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.zrangebyscore(shard.agenda, "-inf", now + _SOON_MS, start=0, num=_OF_EACH_SHARD)
            names = [str(name) for found in pipeline.execute() for name in found]
        self._seen_at |= dict.fromkeys(map(Conversation.of_name, names), now)
        self._seen_at = {of: at for of, at in self._seen_at.items() if at > now - _AFTER_MS}
        looked_at = list(self._seen_at)
        with self._redis.pipeline(transaction=False) as pipeline:
            for conversation in looked_at:
                pipeline.lrange(self._keys.of(conversation).timeline(conversation), -_LAST, -1)
            answers = pipeline.execute()
        for conversation, lines in zip(looked_at, answers, strict=True):
            self._moments |= {(conversation, line): moment_of(line) for line in lines}
        newest = sorted(self._moments.items(), key=lambda entry: entry[1].at, reverse=True)[:limit]
        self._moments = dict(newest)
        return [Seen(conversation, moment) for (conversation, _), moment in newest]
