"""How a request shows which source it comes from: a bearer token, a signature, or nothing.

Source: Standard Webhooks 1.0 (the signature is v1, HMAC-SHA256).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from typing import Protocol

_PREFIX = "whsec_"


class Credentials(Protocol):
    """The headers that a request shows its source with."""

    def headers(self, message_id: str, body: bytes) -> Mapping[str, str]:
        """For one try. ``message_id``: the same for all tries of a request."""
        ...


class NoCredentials:
    """For an open source."""

    def headers(self, message_id: str, body: bytes) -> Mapping[str, str]:
        """None."""
        return {}


class Bearer:
    """A token. Raises ``ValueError`` for one that no header can carry."""

    def __init__(self, token: str) -> None:
        if not re.fullmatch(r"[\x21-\x7e]+", token):
            raise ValueError("token: give printable ASCII without blanks, and without the word Bearer")
        self._token = token

    def headers(self, message_id: str, body: bytes) -> Mapping[str, str]:
        """The header ``Authorization``."""
        return {"Authorization": f"Bearer {self._token}"}


class Signature:
    """A signing secret: base64, with or without ``whsec_`` in front. Raises ``ValueError`` for another text."""

    def __init__(self, secret: str, now: Callable[[], float] = time.time) -> None:
        try:
            self._key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except (binascii.Error, ValueError):
            self._key = b""
        if not self._key:
            raise ValueError("signing_secret: give whsec_ and base64, as the source of the ingress has it")
        self._now = now

    def headers(self, message_id: str, body: bytes) -> Mapping[str, str]:
        """The three headers of the standard. Each try has its own time: an old one is refused."""
        timestamp = str(int(self._now()))
        signed = b".".join([message_id.encode(), timestamp.encode(), body])
        digest = base64.b64encode(hmac.digest(self._key, signed, hashlib.sha256)).decode()
        return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{digest}"}


def credentials(token: str | None, signing_secret: str | None) -> Credentials:
    """Those of a client. Raises ``ValueError`` when both are given, or one that cannot be used."""
    if token is not None and signing_secret is not None:
        raise ValueError("give token or signing_secret, not both: a source of the ingress has one of them")
    if token is not None:
        return Bearer(token)
    return NoCredentials() if signing_secret is None else Signature(signing_secret)
