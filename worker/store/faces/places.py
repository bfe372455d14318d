"""Places and moments for calls with a persona's key."""

from collections.abc import Sequence
from typing import Any

from worker.store.faces.face import Text, face
from worker.store.keys import ConversationKeys, PersonaKeys


@face("rate reserved running line errands")
def admit(
    keys: PersonaKeys,
    *,
    name: str,
    token: str,
    interval_ms: int,
    most: int,
    lease_ms: int,
    keep_ms: int,
    persona: str,
    since: Text,
) -> Any:
    """Whether a call with a persona's key may be made now."""


@face("running line errands")
def release(keys: PersonaKeys, *, token: str, most: int, keep_ms: int, persona: str) -> Any:
    """A call has ended: keep its place for the next in line."""


@face("running")
def renew_places(keys: PersonaKeys, *, lease_ms: int, tokens: Sequence[str]) -> Any:
    """Move the end of places whose calls are still being made."""


@face("conversation inbox agenda journal_prefix")
def next_(keys: ConversationKeys, *, name: str, reason: str, grace_ms: int) -> Any:
    """A place is kept for a conversation: end its hold."""
