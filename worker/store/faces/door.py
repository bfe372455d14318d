"""The door: events come in, or are refused."""

from collections.abc import Sequence
from typing import Any

from worker.store.faces.face import Text, face
from worker.store.keys import ConversationKeys, Key


@face(
    "conversation inbox agenda timeline books conversations follow_ups ready taken_over dead consents erased_consents "
    "opted_out errands journal_prefix"
)
def accept(
    keys: ConversationKeys,
    *,
    journal: Key,
    doorbells: Key,
    name: str,
    event_id: str,
    kind: str,
    payload: str,
    channel: str,
    joining: str,
    size: Text,
    settle_ms: int,
    settle_limit_ms: int,
    most_events: int,
    grace_ms: int,
    inbox_limit: int,
    timeline_ms: Text,
    ended_ms: Text,
    doorbell: str,
    erased: str,
    plan: Text,
    takeover: str,
    other_id: str,
    derived_from: str,
    said: str,
    to_lead: bool,
    left_out: str,
    in_front: str,
    in_front_other_id: str,
    ref: str,
    transcript: str,
    words: str,
) -> Any:
    """Accept one event."""


@face("inbox timeline books dead only_counted journal_prefix")
def refuse(
    keys: ConversationKeys,
    *,
    name: str,
    event_id: str,
    payload: str,
    reason: str,
    dead_ms: int,
    timeline_entries: int,
    whole_bytes: Text,
    most_of_conversation: int,
    most_of_shard: Text,
    digests: Sequence[str],
) -> Any:
    """Keep what could not be accepted as a dead letter."""
