"""Looks at one shard that change nothing."""

from typing import Any

from worker.store.faces.face import face
from worker.store.keys import Key, Shard


@face("books agenda inbox_prefix")
def books(keys: Shard) -> Any:
    """The counters, and what waits for each persona."""


@face(
    "books agenda follow_ups dead sealed consents consents_of_leads opted_out taken_over inbox_prefix "
    "conversation_prefix journal_prefix persona_prefix"
)
def measure(keys: Shard, *, channel: Key, most: int) -> Any:
    """What waits, and why."""
