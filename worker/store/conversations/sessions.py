"""Which lead a session of the channel belongs to: what it was first stays, whatever the settings say later."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from redis import Redis

from config.sections import Retention
from worker.domain.conversation import Conversation
from worker.store.keys import Key, Keys

_PREFIX = "parley:session:"
_DAY_MS = 86_400_000


class Kept(NamedTuple):
    """``target``: None = the session is not known. ``is_fresh``: it need not be kept again."""

    target: str | None
    is_fresh: bool


class Sessions:
    """Reads and writes it. A session is kept as long as a quiet conversation, and forgotten with it. Each method may
    raise ``StoreError``."""

    def __init__(self, redis: Redis, keys: Keys, retention: Retention) -> None:
        self._redis = redis
        self._keys = keys
        self._kept_ms = retention.conversation_ms

    def targets_of(self, sessions: Sequence[tuple[str, str]]) -> list[Kept]:
        """The targets that sessions were kept with. ``sessions``: the persona and the session id of each."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for persona, session_id in sessions:
                key = _key(persona, session_id)
                pipeline.get(key)
                pipeline.pttl(key)
            found = pipeline.execute()
        oldest_ms = self._kept_ms - _DAY_MS
        pairs = zip(found[::2], found[1::2], strict=True)
        return [Kept(target, is_fresh=target is not None and left_ms > oldest_ms) for target, left_ms in pairs]

    def keep(self, sessions: Sequence[tuple[str, Conversation]]) -> None:
        """Each of these session ids belongs to its conversation, unless it is kept with another one."""
        pairs = [(_key(conversation.persona, session_id), conversation) for session_id, conversation in sessions]
        # Where forgetting looks comes first: a crash in between leaves a name that stands for nothing.
        with self._redis.pipeline(transaction=False) as pipeline:
            for key, conversation in pairs:
                pipeline.sadd(self._noted(conversation), key)
                pipeline.pexpire(self._noted(conversation), self._kept_ms)
            pipeline.execute()
        with self._redis.pipeline(transaction=False) as pipeline:
            for key, conversation in pairs:
                pipeline.set(key, conversation.target, nx=True, px=self._kept_ms)
            are_new = pipeline.execute()
        with self._redis.pipeline(transaction=False) as pipeline:
            for (key, _), is_new in zip(pairs, are_new, strict=True):
                if not is_new:
                    pipeline.pexpire(key, self._kept_ms)
            pipeline.execute()

    def of(self, conversation: Conversation) -> list[Key]:
        """The keys of its sessions."""
        keys: set[str] = self._redis.smembers(self._noted(conversation))  # type: ignore[assignment]
        return sorted(keys)

    def forget(self, conversation: Conversation) -> None:
        """Erase its sessions. Those that belong to another conversation by now stay."""
        for key in self.of(conversation):
            if self._redis.get(key) == conversation.target:
                self._redis.delete(key)
        self._redis.delete(self._noted(conversation))

    def _noted(self, conversation: Conversation) -> Key:
        return self._keys.of(conversation).sessions(conversation)


def _key(persona: str, session_id: str) -> Key:
    # Keys can be seen where content cannot.
    text = f"{persona}\0{session_id}".encode("utf-8", "surrogatepass")
    return _PREFIX + hashlib.sha256(text).hexdigest()[:32]
