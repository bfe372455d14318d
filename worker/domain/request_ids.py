"""An id for a Captivate request, which brings none: the same request sent again has the same one.

And one for a request that a gateway has given a key: what it puts there is its own choice.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from typing import Any

from worker.domain import event_ids

# For a request without a time of the platform's.
WINDOW_SECONDS = 60

# With room behind it for the number of a further image.
_USUAL_KEY = re.compile(r"[\x21-\x7e]{1,240}")


def id_of_request(payload: object, now_seconds: float | None = None) -> str:
    """The ``event_id`` for what a webhook was sent.

    A Captivate request has no id of its own. What is said in one session at one time is one message: the id is a digest
    of the session, the words, the files, the actions and ``conversationUpdatedAt``. Where the platform leaves that out,
    the present minute takes its place: a repeated request is known for up to a minute, and a lead who says "yes" twice
    in an hour has said it twice. Links count without their signatures, which may be new with each try.

    ``payload``: the JSON object that Captivate posted; one that is none gets a new id, and ``from_captivate`` refuses
    it. ``now_seconds``: since 1970, default: now. Prefer an id that a gateway gives each message, if there is one.
    """
    if not isinstance(payload, dict):
        return uuid.uuid4().hex
    now = time.time() if now_seconds is None else now_seconds
    told = [payload.get(key) for key in ("session_id", "user_input", "incoming_action")]
    at = _updated_at(payload) or f"minute {int(now // WINDOW_SECONDS)}"
    try:
        text = json.dumps([*told, _unsigned(payload.get("files")), at], sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return uuid.uuid4().hex
    return f"captivate-{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def fingerprint(source: str, persona: str, payload: dict[Any, Any]) -> str:
    """A digest of what is said: source, persona, session, words, files and actions. Links count without their
    signatures. '' for a request that has none, because JSON cannot hold it."""
    told = [source, persona, *(payload.get(key) for key in ("session_id", "user_input", "incoming_action"))]
    try:
        text = json.dumps([*told, _unsigned(payload.get("files"))], sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return ""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def id_of_key(key: str) -> str:
    """The ``event_id`` for the key of a request that a platform has sent: the same for the same key.

    It is the key itself, or ``captivate-key-`` and a digest for a key that cannot be the id of an event: one with more
    than 240 characters, with blanks or characters that are not printable ASCII, or of a form that Parley makes itself.
    """
    if _USUAL_KEY.fullmatch(key) and not event_ids.is_reserved(key):
        return key
    return f"captivate-key-{hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


def _updated_at(payload: dict[Any, Any]) -> str:
    found: Any = payload
    for key in ("metadata", "internal", "channelMetadata", "conversationUpdatedAt"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, str) else ""


def _unsigned(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _unsigned(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_unsigned(each) for each in value]
    if isinstance(value, str) and value[:8].lower().startswith(("http://", "https://")):
        return value.partition("?")[0]
    return value
