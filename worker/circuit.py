"""Counts failures in a row, for each persona, as one process sees them."""

from __future__ import annotations

import threading


class Circuit:
    """Says when failures in a row are enough to open a persona's circuit. Costs nothing while all is well."""

    def __init__(self, failures: int) -> None:
        self._limit = failures
        self._in_a_row: dict[str, int] = {}
        self._lock = threading.Lock()

    def succeeded(self, persona: str) -> None:
        """An answer came: whatever it said, the persona can be reached."""
        if persona in self._in_a_row:
            with self._lock:
                self._in_a_row.pop(persona, None)

    def failed(self, persona: str) -> bool:
        """Count one failure. True when the circuit should open."""
        with self._lock:
            self._in_a_row[persona] = self._in_a_row.get(persona, 0) + 1
            return self._in_a_row[persona] >= self._limit
