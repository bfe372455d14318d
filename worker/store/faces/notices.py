"""Notices of a shard."""

from typing import Any

from worker.store.faces.face import face
from worker.store.keys import Shard


@face("notices notices_kept")
def keep_notices(keys: Shard, *, most_bytes: int, age_ms: int, told_ms: int) -> Any:
    """Say that notices are kept, and drop those that are too old."""


@face("notices")
def erase_notices(keys: Shard, *, name: str, after: str, most: int) -> Any:
    """Take out the notices that name one conversation."""
