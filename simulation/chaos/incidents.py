"""What was done to the system, and when."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass

# How the kind of an incident begins that nobody has caused.
ENDED_BY_ITSELF = "worker ended by itself"
# What takes the store away, and what ends that. One at a time.
_STORE_AWAY = ("Redis killed (kill -9)", "store full", "store refuses writes", "replica away")
_STORE_BACK = ("Redis back", "store well")


@dataclass(frozen=True, slots=True)
class Incident:
    """``kind``: what happened. ``detail``: to what, or where. ``at``: seconds since 1970."""

    kind: str
    detail: str
    at: float


class Incidents:
    """The record of one run, oldest first."""

    def __init__(self) -> None:
        self._incidents: list[Incident] = []

    def note(self, kind: str, detail: str = "") -> None:
        """Something has just happened."""
        self._incidents.append(Incident(kind, detail, time.time()))

    def of(self, *kinds: str) -> list[Incident]:
        """Those of some kinds."""
        return [incident for incident in self._incidents if incident.kind in kinds]

    def store_away(self) -> list[tuple[float, float]]:
        """From when until when the store was away, or did not do what it was asked to."""
        spans, began_at = [], None
        for incident in self.of(*_STORE_AWAY, *_STORE_BACK):
            if incident.kind in _STORE_AWAY:
                began_at = incident.at
            elif began_at is not None:
                spans.append((began_at, incident.at))
                began_at = None
        return spans

    def counts(self) -> dict[str, int]:
        """How often each kind happened."""
        return dict(Counter(incident.kind for incident in self._incidents))
