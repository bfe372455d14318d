"""Requests without an id that come again at once: the same one gets the same id for a while."""

from __future__ import annotations

from redis import Redis

from worker.store.keys import Key

_PREFIX = "parley:same:"


class Repetitions:
    """Remembers fingerprints. It only names events: whether one of this name was accepted, the inbox knows, so that a
    crash in between loses nothing."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def id_of(self, fingerprint: str, proposed: str, window_ms: int) -> str:
        """The id of this request: the one that was proposed first within the window. Raises ``StoreError``.

        A repetition does not make the window longer.
        """
        key: Key = _PREFIX + fingerprint
        while True:
            if self._redis.set(key, proposed, nx=True, px=window_ms):
                return proposed
            first: str | None = self._redis.get(key)  # type: ignore[assignment]
            # None: the window has ended in between.
            if first is not None:
                return first
