"""Signs of life of processes. They belong to no shard."""

from collections.abc import Sequence
from typing import Any

from worker.store.faces.face import face
from worker.store.keys import Key


@face()
def sign(*, signs: Key, ends_at: int, forgotten: int, latest: str, members: Sequence[str]) -> Any:
    """A process is there; one that has not signed for long is forgotten."""
