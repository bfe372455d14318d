"""Who the lead of a Captivate request is: its target, from one place in the request."""

from __future__ import annotations

import hmac
import re
from typing import Any

from config.ingress import CaptivateDoor
from config.sections import Privacy

_USUAL = re.compile(r"[^\x00-\x1f\x7f]{1,256}")
_DIGITS = 24


class Leads:
    """Names leads as the settings say. The key is that of hashed handles. Without one, a value that can be guessed can
    be compared with its hash."""

    def __init__(self, door: CaptivateDoor, privacy: Privacy) -> None:
        self._path = door.target
        self._shown = door.target_as == "shown"
        self._key = privacy.handle_key.get_secret_value().encode() if privacy.handle_key else b""

    def target_of(self, payload: dict[str, Any]) -> str:
        """The target of the lead. Without a usable value it is that of the session; '' without a session, too."""
        value = _text_at(payload, self._path)
        if value and self._shown and _USUAL.fullmatch(value):
            return value
        value = value or _text_at(payload, "session_id")
        return self._hashed(value) if value else ""

    def _hashed(self, value: str) -> str:
        digest = hmac.digest(self._key, value.encode("utf-8", "surrogatepass"), "sha256").hex()
        return f"lead-{digest[:_DIGITS]}"


def _text_at(payload: dict[str, Any], path: str) -> str:
    value: Any = payload
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""
