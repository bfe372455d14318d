"""How the leads of each persona are named, and what waits under other names.

The targets of a Characters persona name a platform (``instagram/john``), with separate accounts also the account
(``instagram/cleo_de/john``); those of a Handshake persona are as producers wrote them. So with another API the same
lead gets another conversation, with an order of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import NamedTuple

from redis import Redis
from redis.exceptions import MovedError, ResponseError

from worker.domain.conversation import Conversation
from worker.domain.platforms import names_platform
from worker.store.keys import Keys, Shard

KEY = "parley:apis"

_HANDSHAKE = "handshake"
_AT_ONCE = 1000


class Change(NamedTuple):
    """A persona that spoke ``before`` and is to speak ``now``; what waits under names of before."""

    persona: str
    before: str
    now: str
    conversations: int
    events: int


class Apis:
    """What is written down: the personas of the Characters API, and which of them have separate accounts. The others
    speak Handshake, which is all that 0.1.0 knows. ``wanted``: ``Persona.naming`` of each configured persona. Methods
    raise ``redis.RedisError``."""

    def __init__(self, redis: Redis, keys: Keys, wanted: Mapping[str, str]) -> None:
        self._redis = redis
        self._keys = keys
        self._wanted = wanted

    def changes(self) -> list[Change]:
        """The personas whose API has changed since a worker last started with them."""
        try:
            known = self._written()
            changed = [(name, known.get(name, _HANDSHAKE), now) for name, now in sorted(self._wanted.items())]
            return [
                Change(name, before, now, *self._waiting(name, platforms=before != _HANDSHAKE))
                for name, before, now in changed
                if before != now
            ]
        except MovedError:
            # A node of a cluster that is named as a single server: another check says so.
            return []

    def note(self) -> None:
        """A worker starts with these settings. A full store keeps it from being written down, and nothing else."""
        with suppress(ResponseError):
            known = self._written()
            ours = {name: way for name, way in self._wanted.items() if way not in (_HANDSHAKE, known.get(name))}
            others = [name for name, way in self._wanted.items() if way == _HANDSHAKE and name in known]
            if others:
                self._redis.hdel(KEY, *others)
            for name, way in ours.items():
                self._redis.hset(KEY, name, way)

    def _written(self) -> dict[str, str]:
        known: dict[str, str] = self._redis.hgetall(KEY)  # type: ignore[assignment]
        return known

    def _waiting(self, persona: str, *, platforms: bool) -> tuple[int, int]:
        # Conversations and events under names with or without a platform. Those of the other form keep their names.
        conversations = events = 0
        for shard in self._keys.shards:
            named = self._names(shard, persona, platforms)
            while names := list(islice(named, _AT_ONCE)):
                with self._redis.pipeline(transaction=False) as pipeline:
                    for name in names:
                        pipeline.llen(shard.inbox_prefix + name)
                    found = [int(length) for length in pipeline.execute() if length]
                conversations += len(found)
                events += sum(found)
        return conversations, events

    def _names(self, shard: Shard, persona: str, platforms: bool) -> Iterator[str]:
        # The scan may give a name twice.
        seen: set[str] = set()
        for name, _ in self._redis.zscan_iter(shard.agenda, match=f"{persona}:*", count=_AT_ONCE):
            if name not in seen and names_platform(Conversation.of_name(str(name)).target) == platforms:
                seen.add(name)
                yield str(name)
