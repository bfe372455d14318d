"""Signs of life of processes: those that people look at, which belong to no shard, and those that leases depend on."""

from collections.abc import Sequence
from typing import Any

from worker.store.faces.face import face
from worker.store.keys import Key, Shard


@face()
def sign(*, signs: Key, ends_at: int, forgotten: int, latest: str, members: Sequence[str]) -> Any:
    """A process is there; one that has not signed for long is forgotten."""


@face("processes")
def keep_process(keys: Shard, *, process: str, ttl_ms: int) -> Any:
    """A process that runs turns in this shard lives."""
