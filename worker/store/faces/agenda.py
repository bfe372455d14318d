"""What is due."""

from collections.abc import Sequence
from typing import Any

from worker.store.faces.face import Text, face
from worker.store.keys import Key, Shard


@face()
def look(*, looked_at: Sequence[Key], shards: int, gap_ms: int, personas: Sequence[str]) -> Any:
    """Say what is due in all shards."""


@face("agenda ready queued rung processes conversation_prefix inbox_prefix journal_prefix queue_prefix parked_prefix")
def ring(
    keys: Shard,
    *,
    most: int,
    grace_ms: int,
    grace_limit_ms: int,
    places: int,
    in_queue: int,
    lease_ms: int,
    process_ttl_ms: int,
    gap_ms: int,
    personas: Sequence[str],
) -> Any:
    """Find the conversations of one shard that are due."""


@face("agenda queued rung conversation_prefix inbox_prefix queue_prefix parked_prefix")
def ring_outreach(keys: Shard, *, grace_ms: int, grace_limit_ms: int, wanted: Sequence[Text]) -> Any:
    """Take the first of some personas' queues of outreach."""


@face("agenda ready conversation_prefix inbox_prefix journal_prefix")
def wake(keys: Shard, *, held_for: str, names: Sequence[str]) -> Any:
    """Make conversations of one shard due now."""
