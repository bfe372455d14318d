"""How the leads of each persona are named, and what waits under other names.

The targets of a Characters persona name a platform (``instagram/john``), with separate accounts also the account
(``instagram/cleo_de/john``); those of a Handshake persona are as producers wrote them. So with another API the same
lead gets another conversation, with an order of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import NamedTuple

from redis import Redis
from redis.exceptions import MovedError, ResponseError

from worker.domain.conversation import Conversation
from worker.domain.platforms import names_platform, place_of
from worker.store.keys import Keys, Shard

KEY = "parley:apis"

_HANDSHAKE = "handshake"
_SEPARATE = "separate accounts"
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
    speak Handshake, which is all that 0.1.0 knows. ``wanted``: ``Persona.naming`` of each configured persona.
    ``accounts``: its separate accounts. Methods raise ``redis.RedisError``."""

    def __init__(
        self, redis: Redis, keys: Keys, wanted: Mapping[str, str], accounts: Mapping[str, Collection[str]]
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._wanted = wanted
        self._accounts = accounts

    def changes(self) -> list[Change]:
        """The personas whose API has changed since a worker last started with them."""
        try:
            known = self._written()
            changed = [(name, known.get(name, _HANDSHAKE), now) for name, now in sorted(self._wanted.items())]
            return [
                Change(name, before, now, *self._waiting(name, partial(_is_old, before, now, self._accounts[name])))
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

    def _waiting(self, persona: str, is_old: Callable[[str], bool]) -> tuple[int, int]:
        # Conversations and events under old names. Those of other forms keep theirs.
        conversations = events = 0
        for shard in self._keys.shards:
            named = self._names(shard, persona, is_old)
            while names := list(islice(named, _AT_ONCE)):
                with self._redis.pipeline(transaction=False) as pipeline:
                    for name in names:
                        pipeline.llen(shard.inbox_prefix + name)
                    found = [int(length) for length in pipeline.execute() if length]
                conversations += len(found)
                events += sum(found)
        return conversations, events

    def _names(self, shard: Shard, persona: str, is_old: Callable[[str], bool]) -> Iterator[str]:
        # The scan may give a name twice.
        seen: set[str] = set()
        for name, _ in self._redis.zscan_iter(shard.agenda, match=f"{persona}:*", count=_AT_ONCE):
            if name not in seen and is_old(Conversation.of_name(str(name)).target):
                seen.add(name)
                yield str(name)


def _is_old(before: str, now: str, accounts: Collection[str], target: str) -> bool:
    # Producers with the new settings may have sent something already, under names that stay.
    if before == _HANDSHAKE or not names_platform(target):
        return before == _HANDSHAKE and not names_platform(target)
    account = place_of(target, "", separate_accounts=True).account
    if now == _SEPARATE:
        return account not in accounts
    return now == _HANDSHAKE or account is not None
