"""Acts of operators that come again under the same name, because their first answer was lost.

Most acts leave a mark where they were done. What is moved, cancelled, opted out or forgotten leaves none, so the
scripts of these keep for a day what such an act came to (``lua/lib/repeated.lua``).
"""

from __future__ import annotations

import hashlib
from typing import Literal

from redis import Redis

from worker.domain.conversation import Conversation
from worker.store.keys import Key, Keys

Act = Literal["move", "forget"]


class RepeatedActs:
    """Knows them. Every method may raise ``redis.RedisError``."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    def is_done(self, act: Act, call: str, conversation: Conversation) -> bool:
        """Whether the act of this name was carried out before; not when it has no name ('')."""
        return bool(call) and bool(self._redis.exists(self._key(act, call, conversation)))

    def finish(self, act: Act, call: str, conversation: Conversation) -> None:
        """Nothing of it is left to be done outside of its script."""
        if call:
            self._redis.hdel(self._key(act, call, conversation), "unfinished")

    def _key(self, act: Act, call: str, conversation: Conversation) -> Key:
        digest = hashlib.sha1(f"{act} {call} {conversation.name}".encode()).hexdigest()  # noqa: S324 - as Redis makes it
        return self._keys.of(conversation).key(f"done:{digest}")
