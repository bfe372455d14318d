"""Looks at one shard that change nothing."""

from collections.abc import Sequence
from typing import Any

from worker.store.faces.face import Text, face
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


@face("conversations agenda dead sealed consents taken_over")
def known(
    keys: Shard,
    *,
    persona: str,
    states: str,
    most: int,
    scanned: int,
    last_at: Text,
    last_name: str,
    texts: Sequence[str],
) -> Any:
    """Find the newest conversations that match."""


@face("dead inbox_prefix conversation_prefix")
def known_rows(keys: Shard, *, states: str, names: Sequence[str]) -> Any:
    """What lists show of conversations."""
