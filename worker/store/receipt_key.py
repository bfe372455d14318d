"""The key by which receipts of the ingress are sealed: made once, kept in the store, the same for all its processes."""

from __future__ import annotations

import secrets
from functools import cached_property

from redis import Redis

KEY = "parley:web"
_FIELD = "receipt_key"
_BYTES = 64  # as AES-SIV with 256 bits takes it


class ReceiptKey:
    """Reads the key, or makes it. Raises ``StoreError``."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    @cached_property
    def value(self) -> bytes:
        """The key. Without it, receipts that were given before mean nothing any more."""
        self._redis.hsetnx(KEY, _FIELD, secrets.token_hex(_BYTES))
        kept: str = self._redis.hget(KEY, _FIELD)  # type: ignore[assignment]
        return bytes.fromhex(kept)
