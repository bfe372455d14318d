"""Counts reach the store a little later, and are lost neither with it nor to another thread."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from worker.adapters.tally import Tally
from worker.store import StoreError


class Kept:
    """What was handed over, or an error in its place."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.calls = 0
        self.away = False

    def __call__(self, counts: Mapping[str, int]) -> None:
        self.calls += 1
        if self.away:
            raise StoreError
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count


def test_counts_are_handed_over_once() -> None:
    kept = Kept()
    tally = Tally(kept)
    for name in ("a", "b", "a"):
        tally.count(name)
    tally.write()
    tally.write()
    assert (kept.counts, kept.calls) == ({"a": 2, "b": 1}, 1)


def test_what_could_not_be_handed_over_is_kept() -> None:
    now, kept = [1000.0], Kept()
    tally = Tally(kept, lambda: now[0])
    tally.count("mood")
    kept.away = True
    tally.write()
    tally.count("mood")
    kept.away = False
    tally.write()
    assert kept.counts == {}, "a store that is away is not asked again at once"
    now[0] += 61
    tally.write()
    assert kept.counts == {"mood": 2}


def test_many_threads_count_together() -> None:
    kept = Kept()
    tally = Tally(kept)
    threads = [threading.Thread(target=lambda: [tally.count("a") for _ in range(2000)]) for _ in range(4)]
    for each in threads:
        each.start()
    while any(each.is_alive() for each in threads):
        tally.write()
    tally.write()
    assert kept.counts == {"a": 8000}
