"""Requests without an id that come again at once: the same one gets the same id for a while."""

from __future__ import annotations

from collections.abc import Sequence

from redis import Redis

from worker.store.keys import Key

_PREFIX = "parley:same:"


class Repetitions:
    """Remembers fingerprints. It only names events: whether one of this name was accepted, the inbox knows, so that a
    crash in between loses nothing."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    def ids_of(self, requests: Sequence[tuple[str, str]], window_ms: int) -> list[str]:
        """The id of each request: the one that was proposed first within the window. Raises ``StoreError``.

        ``requests``: fingerprint and proposed id of each. A repetition does not make the window longer.
        """
        with self._redis.pipeline(transaction=False) as pipeline:
            for fingerprint, proposed in requests:
                key: Key = _PREFIX + fingerprint
                pipeline.set(key, proposed, nx=True, px=window_ms)
                pipeline.get(key)
            first: list[str | None] = pipeline.execute()[1::2]
        # The window can end in between, and then this request is the first of the next one.
        return [found or proposed for (_, proposed), found in zip(requests, first, strict=True)]
