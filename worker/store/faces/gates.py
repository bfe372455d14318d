"""Gates of personas and channels, and what has to be done for them."""

from collections.abc import Sequence
from typing import Any

from worker.store.faces.face import Text, face
from worker.store.keys import ConversationKeys, Key, Shard


@face("errands")
def gate(
    keys: Shard, *, gates: Key, gate: str, interval_ms: int, longest_ms: Text, reason: str, token: str, owner: str
) -> Any:
    """Close a gate in one shard."""


@face("errands")
def open_(keys: Shard, *, gates: Key, gate: str, owner: str, finish_ms: int, fields: Sequence[str]) -> Any:
    """Open a gate in its owner's home shard."""


@face("errands persona_prefix channel_prefix")
def errands(keys: Shard, *, most: int, again_ms: int) -> Any:
    """Take the errands of one shard that are due."""


@face("conversation inbox agenda journal_prefix")
def probe(keys: ConversationKeys, *, waiting: Key, name: str, gate: str, try_ms: int, grace_ms: int) -> Any:
    """Let a conversation that waits for a closed gate try it."""
