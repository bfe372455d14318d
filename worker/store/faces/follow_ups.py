"""The next touch of a conversation."""

from typing import Any

from worker.store.faces.face import Text, face
from worker.store.keys import ConversationKeys, Key


@face("conversation inbox follow_ups timeline")
def touch(
    keys: ConversationKeys,
    *,
    name: str,
    plan_as_read: Text,
    due_as_read: Text,
    change: str,
    at: Text,
    rule: str,
    missed: str,
    step: Text,
    quiet_from: Text,
    conversation_ms: Text,
    timeline_ms: Text,
    timeline_entries: int,
    call: str,
) -> Any:
    """Move, drop or miss a touch, or plan one where none is."""


@face("conversation inbox follow_ups timeline")
def schedule(
    keys: ConversationKeys,
    *,
    journal: Key,
    other_journal: Key,
    name: str,
    event_id: str,
    other_id: str,
    event: str,
    not_before_ms: int,
    most_ahead_ms: int,
    rule: str,
    channel: str,
    conversation_ms: Text,
    timeline_ms: Text,
    timeline_entries: int,
    left_out: str,
    plan_as_read: Text,
    call: str,
) -> Any:
    """Plan a touch that a producer asks for."""


@face()
def allow(*, sent: Key, pace: Key, paced: Key, touch: str, most: int, interval_ms: int, kept_ms: Text) -> Any:
    """Whether one more follow-up may be sent."""


@face()
def reserve(*, told: Key, reserved: Key, message: str, per_day: int, per_week: int, reserved_ms: int) -> Any:
    """Reserve one message to a lead among those of all personas."""


@face()
def tell(*, told: Key, reserved: Key, message: str, sent: bool) -> Any:
    """Count a message to a lead as sent, or give its reservation back."""


@face()
def acks(*, pulled: Key, most: int, again_ms: int) -> Any:
    """Take the follow-ups of one shard that are to be acknowledged."""
