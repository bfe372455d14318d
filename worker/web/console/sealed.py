"""Sealed words for addresses: no address of the console names a lead or what somebody looks for."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from functools import cached_property
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

# More than any list that a form of the console brings.
_MOST_CHARACTERS = 131_072


class Sealed:
    """Seals values and opens them: the same value for the same use is always the same word.

    ``key``: asked for with the first one; it may raise ``StoreError``. All processes over one store have the same.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    def seal(self, use: str, value: Any) -> str:
        """A word for a value that JSON can hold. ``use``: a word of another use cannot be put in its place."""
        plain = json.dumps(value, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._cipher.encrypt(plain, _bound(use))).decode().rstrip("=")

    def open(self, use: str, word: str) -> Any:
        """The value; None for a word that was not sealed here for this use."""
        if len(word) > _MOST_CHARACTERS:
            return None
        try:
            sealed = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
            return json.loads(self._cipher.decrypt(sealed, _bound(use)))
        except (binascii.Error, ValueError, InvalidTag):
            return None

    @cached_property
    def _cipher(self) -> AESSIV:
        return AESSIV(self._key())


def _bound(use: str) -> list[bytes]:
    # Receipts are bound to one name, that of a source, so that none is a word of the console.
    return [b"console", use.encode()]
