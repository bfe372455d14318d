"""The opaque id of a receipt: it names one event of one source, for this ingress only. Nothing is stored for it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from functools import cached_property
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from worker.domain.conversation import Conversation

# Persona, target, event id and seal, with room.
MOST_CHARACTERS = 4096


class Named(NamedTuple):
    """The event that a receipt names."""

    conversation: Conversation
    event_id: str


class Receipts:
    """Seals and opens ids. The same event of the same source always gets the same one.

    ``key``: asked for with the first receipt; it may raise ``StoreError``.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    def prepare(self) -> None:
        """Have the key, before an event is accepted whose receipt needs it."""
        _ = self._cipher

    def seal(self, source: str, conversation: Conversation, event_id: str) -> str:
        """The id of a receipt."""
        plain = json.dumps([*conversation, event_id], ensure_ascii=True, separators=(",", ":")).encode()
        return base64.urlsafe_b64encode(self._cipher.encrypt(plain, [source.encode()])).decode().rstrip("=")

    def open(self, source: str, receipt: str) -> Named | None:
        """What an id names; None for one that was not given to this source."""
        if len(receipt) > MOST_CHARACTERS:
            return None
        try:
            sealed = base64.b64decode(receipt + "=" * (-len(receipt) % 4), altchars=b"-_", validate=True)
            plain = self._cipher.decrypt(sealed, [source.encode()])
        except (binascii.Error, ValueError, InvalidTag):
            return None
        persona, target, event_id = json.loads(plain)
        return Named(Conversation(persona, target), event_id)

    @cached_property
    def _cipher(self) -> AESSIV:
        return AESSIV(self._key())
