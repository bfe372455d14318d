"""Counts failures in a row, for each upstream, as one process sees them."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class _Row:
    failures: int = 0
    conversations: set[str] = field(default_factory=set)


class Circuit:
    """Says when failures in a row are enough to close an upstream's gate. Costs nothing while calls succeed.

    ``failures``: how many in a row, of at least two conversations. One conversation alone may cause its own failures,
    and is held anyway.
    """

    def __init__(self, failures: int) -> None:
        self._limit = failures
        self._distinct = min(2, failures)
        self._rows: dict[str, _Row] = {}
        self._succeeded_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def succeeded(self, upstream: str) -> None:
        """An answer came: whatever it said, the upstream can be reached."""
        self._succeeded_at[upstream] = time.monotonic()
        if upstream in self._rows:
            with self._lock:
                self._rows.pop(upstream, None)

    def failed(self, upstream: str, conversation: str, begun_at: float) -> bool:
        """Count one failed call. True when the gate should close; then the count starts again.

        ``begun_at``: monotonic time when the call began. One that began before the last success is ignored.
        """
        if begun_at < self._succeeded_at.get(upstream, float("-inf")):
            return False
        with self._lock:
            row = self._rows.setdefault(upstream, _Row())
            row.failures += 1
            if len(row.conversations) < self._distinct:
                row.conversations.add(conversation)
            if row.failures < self._limit or len(row.conversations) < self._distinct:
                return False
            del self._rows[upstream]
            return True
