"""Counts what answers of the Characters API have beyond the contract, by names that are safe to show."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import islice

from worker.clients.fluidtalk.character_contract import Exchange, Unknown, unknown_in
from worker.observability import metrics
from worker.store import StoreError

# What stands for a name that may hold content, and for all names when there are too many.
UNNAMED = "unnamed"

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")
_NUMBER = re.compile(r"[0-9]{3}")
_MOST_NAMES = 50
_MOST_OF_AN_ANSWER = 100
# A shorter word of the lead says nothing: "a" is a part of most names.
_SHORTEST = 3
_AGAIN_SECONDS = 60.0


class Drift:
    """Shared by all personas of a process. ``keep``: takes counts by ``<what> <name>`` for ``parley status``; it may
    raise ``StoreError``, and then gets them again with the next ones after a minute. ``clock``: seconds."""

    def __init__(self, keep: Callable[[Mapping[str, int]], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._keep = keep
        self._clock = clock
        self._not_before = 0.0
        self._lock = threading.Lock()
        self._names: set[str] = set()
        self._pending: Counter[str] = Counter()

    def watch(self, exchange: Exchange) -> None:
        """Look at the answer of one call."""
        for unknown in set(islice(unknown_in(exchange), _MOST_OF_AN_ANSWER)):
            name = self._bounded(unknown.what, _safe(unknown, exchange.said))
            metrics.unknown_to_contract(unknown.what, name)
            with self._lock:
                self._pending[f"{unknown.what} {name}"] += 1

    def write(self) -> None:
        """Hand over what was counted. Called every few seconds; costs nothing when there is nothing. An error of the
        store is not raised: nothing waits for these counts."""
        if not self._pending or self._clock() < self._not_before:
            return
        with self._lock:
            counts, self._pending = self._pending, Counter()
        try:
            self._keep(counts)
        except StoreError:
            self._not_before = self._clock() + _AGAIN_SECONDS
            with self._lock:
                self._pending += counts

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
    if not _NAME.fullmatch(name) or _quotes(name.casefold(), said):
        return f"{where}.{UNNAMED}"
    return f"{where}.{name}"


def _quotes(name: str, said: tuple[str, ...]) -> bool:
    # Of a sentence whole words, of one word any part.
    bare = re.sub(r"[_-]+", " ", name)
    for text in said:
        words = text.casefold()
        if len(words.split()) > 1:
            if f" {bare} " in f" {re.sub(r'[^a-z0-9]+', ' ', words)} ":
                return True
        elif name in words or (len(words) >= _SHORTEST and words in name):
            return True
    return False
