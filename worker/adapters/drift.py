"""Counts what answers of the Characters API have beyond the contract, by names that are safe to show."""

from __future__ import annotations

import re
import threading
from itertools import islice

from worker.adapters.quoting import repeats
from worker.adapters.tally import Tally
from worker.clients.fluidtalk.character_contract import Exchange, Unknown, unknown_in
from worker.observability import metrics

# What stands for a name that may hold content, and for all names when there are too many.
UNNAMED = "unnamed"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_NUMBER = re.compile(r"[0-9]{3}")
_MOST_NAMES = 50
_MOST_OF_AN_ANSWER = 100


class Drift:
    """Shared by all personas of a process. ``tally``: takes names as ``<what> <name>``, for ``parley status``."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._lock = threading.Lock()
        self._names: set[str] = set()

    def watch(self, exchange: Exchange) -> None:
        """Look at the answer of one call."""
        for unknown in set(islice(unknown_in(exchange), _MOST_OF_AN_ANSWER)):
            name = self._bounded(unknown.what, _safe(unknown, exchange.said))
            metrics.unknown_to_contract(unknown.what, name)
            self._tally.count(f"{unknown.what} {name}")

    def _bounded(self, what: str, name: str) -> str:
        with self._lock:
            if f"{what} {name}" not in self._names:
                if len(self._names) >= _MOST_NAMES:
                    return UNNAMED
                self._names.add(f"{what} {name}")
        return name


def _safe(unknown: Unknown, said: tuple[str, ...]) -> str:
    # The last part is the server's. It may be a sentence, or the lead's own words as a key.
    if unknown.what == "status":
        return unknown.name if _NUMBER.fullmatch(unknown.name) else UNNAMED
    where, _, name = unknown.name.partition(".")
    if not _NAME.fullmatch(name) or repeats(name, said, in_parts=unknown.what == "reason"):
        return f"{where}.{UNNAMED}"
    return f"{where}.{name}"
