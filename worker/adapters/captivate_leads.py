"""Who the lead of a Captivate request is: its target, from one place in the request."""

from __future__ import annotations

import hmac
import re
from typing import Any

from config.ingress import CaptivateDoor
from config.personas import Persona
from config.sections import Privacy
from worker.domain.platforms import LONGEST_TARGET

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# Half a character, and what stands where one could not be read.
_BROKEN = re.compile("[\ud800-\udfff\ufffd]")
_DIGITS = 24


class Leads:
    """Names leads as the settings say. The key is that of hashed handles. Without one, a value that can be guessed can
    be compared with its hash."""

    def __init__(self, door: CaptivateDoor, privacy: Privacy) -> None:
        self._path = door.target
        self._shown = door.target_as == "shown"
        self._key = privacy.handle_key.get_secret_value().encode() if privacy.handle_key else b""

    def target_of(self, payload: dict[str, Any], persona: Persona) -> str:
        """The target of the lead, without the platform of the persona.

        A value that cannot be shown as it is (too long with the platform, control characters, for a persona of the
        Characters API a ``/``) is hashed. Without a value, and with one that has lost a character, it is that of the
        session; '' without a session, too.
        """
        value = _text_at(payload, self._path)
        if _BROKEN.search(value):
            # Two leads whose names differ in what was lost would be one.
            value = ""
        if value and self._shown and _is_target(value, persona):
            return value
        value = value or _text_at(payload, "session_id")
        return self._hashed(value) if value else ""

    def _hashed(self, value: str) -> str:
        digest = hmac.digest(self._key, value.encode("utf-8", "surrogatepass"), "sha256").hex()
        return f"lead-{digest[:_DIGITS]}"


def _is_target(value: str, persona: Persona) -> bool:
    if persona.speaks == "characters" and "/" in value:
        # What stands before it would be read as a platform or an account: a lead who can write the value would choose
        # whose conversation it is.
        return False
    return len(_before_handle(persona)) + len(value) <= LONGEST_TARGET and not _CONTROL.search(value)


def _before_handle(persona: Persona) -> str:
    if persona.speaks == "handshake":
        return ""
    account = f"{persona.own_username}/" if persona.separate_accounts else ""
    return f"{persona.platform}/{account}"


def _text_at(payload: dict[str, Any], path: str) -> str:
    value: Any = payload
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""
