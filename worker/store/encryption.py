"""Content at rest: encrypted on its way into the store, decrypted on its way out. Scripts see opaque text.

The cipher is AES-256-SIV (RFC 5297) of the package cryptography. It needs no nonce, and the same text of the same place
becomes the same stored text, so scripts can still tell a repetition, also one that another process sends. The place is
authenticated: the text of one conversation, or one field, cannot be read in another.

A stored text names its key, so that any number of keys can be in use while they are changed; one that was stored before
encryption was switched on stands as it is.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.util import find_spec
from typing import Literal

from config.settings import Encryption, SettingsError
from config.values import PLAIN_CONTENT
from worker.domain.conversation import Conversation
from worker.domain.reasons import Reason
from worker.domain.sentences import of_reason
from worker.domain.vocabulary import Cause, figures

Field = Literal["payload", "channel", "reply", "detail", "image_url", "touch_event", "words"]

# The fields of a conversation's and of a journal's hash that are content (``lua/lib/prelude.lua``). ``words`` are in
# lines of a transcript only.
OF_CONVERSATION: tuple[Field, ...] = ("channel", "touch_event")
OF_JOURNAL: tuple[Field, ...] = ("payload", "reply", "detail", "image_url")

_MARK = "aes-siv:"


class Undecryptable(Exception):
    """Stored content that this process cannot read. The text is one line without content: why, and what to do.

    ``key``: name of the key that it needs. ``field``: what the key does not fit; '' = this process has no such key.
    ``reason``: the same as a reason to wait.
    """

    def __init__(self, key: str, field: str = "") -> None:
        self.reason = Reason(Cause.UNDECRYPTABLE, figures(key=key, field=field))
        super().__init__(of_reason(self.reason))


def fault(settings: Encryption) -> str | None:
    """Why these settings cannot be used, as a sentence; None when they can."""
    if settings.keys and not find_spec("cryptography"):
        return "PARLEY_ENCRYPTION__KEYS is set, but cryptography is not installed: install the extra encryption"
    return None


class Content:
    """Encrypts and decrypts with the configured keys; with none it hands texts through. Safe for any number of threads.

    Raises ``SettingsError`` when there are keys and the package is missing.
    """

    def __init__(self, settings: Encryption) -> None:
        if found := fault(settings):
            raise SettingsError(found)
        texts = [key.get_secret_value() for key in settings.keys]
        self._keys = {key.name: key for text in texts if text != PLAIN_CONTENT for key in [_Key(text)]}
        # None: what is stored from now on stays as it is.
        self._writes_with = next(iter(self._keys.values()), None) if texts[:1] != [PLAIN_CONTENT] else None

    @property
    def writes_with(self) -> str:
        """The name of the key that encrypts, eight hexadecimal digits; '' when nothing is encrypted."""
        return self._writes_with.name if self._writes_with else ""

    def encrypt(self, field: Field, conversation: Conversation, text: str) -> str:
        """The text as it is to be stored. Nothing ('') stays nothing."""
        if self._writes_with is None or not text:
            return text
        return self._writes_with.encrypt(field, conversation, text)

    def forms(self, field: Field, conversation: Conversation, text: str) -> list[str]:
        """The text as this process and others may store it: as ``encrypt`` does, then with each other key, and as it
        is. What was stored while keys are changed is recognised by one of them."""
        others = [key.encrypt(field, conversation, text) for key in self._keys.values()] if text else []
        return list(dict.fromkeys([self.encrypt(field, conversation, text), *others, text]))

    def decrypt(self, field: Field, conversation: Conversation, stored: str) -> str:
        """The text that ``encrypt`` was given. Raises ``Undecryptable``."""
        name = key_of(stored)
        if not name:
            return stored
        key = self._keys.get(name)
        if key is None:
            raise Undecryptable(name)
        return key.decrypt(field, conversation, stored)


def key_of(stored: str) -> str:
    """The name of the key that a stored text needs; '' when it is not encrypted."""
    return stored[len(_MARK) :].partition(":")[0] if stored.startswith(_MARK) else ""


class _Key:
    """One key. Its name is told everywhere and says nothing of it."""

    def __init__(self, text: str) -> None:
        # Imported here: only who encrypts needs the package.
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV
        from cryptography.hazmat.primitives.hashes import SHA512
        from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

        given = base64.b64decode(text, validate=True)
        self.name = hashlib.sha256(b"parley key name" + given).hexdigest()[:8]
        # AES-256-SIV takes two keys of 32 bytes.
        self._cipher = AESSIV(HKDFExpand(SHA512(), 64, b"parley stored content").derive(given))
        self._invalid: type[Exception] = InvalidTag

    def encrypt(self, field: Field, conversation: Conversation, text: str) -> str:
        sealed = self._cipher.encrypt(text.encode("utf-8", "surrogateescape"), _place(field, conversation))
        return f"{_MARK}{self.name}:{base64.b64encode(sealed).decode()}"

    def decrypt(self, field: Field, conversation: Conversation, stored: str) -> str:
        try:
            sealed = base64.b64decode(stored[len(_MARK) + len(self.name) + 1 :], validate=True)
            return self._cipher.decrypt(sealed, _place(field, conversation)).decode("utf-8", "surrogateescape")
        except (self._invalid, ValueError):
            raise Undecryptable(self.name, field) from None


def _place(field: Field, conversation: Conversation) -> list[bytes]:
    return [field.encode(), conversation.name.encode("utf-8", "surrogateescape")]
