"""Who gets a bounded room: first shared between the personas, then by age within each. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

Item = TypeVar("Item")


@dataclass(slots=True)
class Wish:
    """What one persona has for the room. ``waiting``: of its doorbells so many already wait to be taken. ``places``:
    the first of its queue in each shard, by the number of the shard: milliseconds, ascending."""

    waiting: int = 0
    places: dict[int, list[float]] = field(default_factory=dict)


def share(limit: int, in_queue: int, wishes: Mapping[str, Wish]) -> dict[int, dict[str, int]]:
    """How many of which persona to take from which shard.

    ``limit``: doorbells that may wait at once. ``in_queue``: so many do, of all personas together. The rest is filled
    so that all personas have as much as each other, or what they wish for if that is less; within a persona the first
    places go first. A persona that others leave no room has its equal part of ``limit`` (at least one) all the same, so
    at most twice the limit waits, or as many as there are personas.
    """
    asking = {name: sorted(_places(wish), reverse=True) for name, wish in wishes.items() if wish.places}
    held = {name: min(wish.waiting, in_queue) for name, wish in wishes.items()}
    active = sum(1 for name in wishes if name in asking or held[name])
    part = max(1, limit // max(1, active))
    room, taken, total = limit - in_queue, _Taken(), sum(held.values())
    # The least served first; of those that are alike the one whose first place is the oldest.
    line = [(held[name], places[-1], name) for name, places in asking.items() if places]
    heapq.heapify(line)
    while line:
        own, (_, shard), name = heapq.heappop(line)
        crowded_out = own < part and total > own
        if taken.number >= room and not crowded_out:
            continue
        taken.add(shard, name)
        total += 1
        asking[name].pop()
        if asking[name]:
            heapq.heappush(line, (own + 1, asking[name][-1], name))
    return taken.of_shards


def in_turn(items: Iterable[tuple[str, float, Item]]) -> list[Item]:
    """``items`` (persona, since when, what), each persona's oldest first and the personas in turn."""
    rank: dict[str, count[int]] = {}
    ranked = []
    for persona, since, item in sorted(items, key=lambda each: each[1]):
        ranked.append((next(rank.setdefault(persona, count())), since, item))
    return [item for _, _, item in sorted(ranked, key=lambda each: each[:2])]


def _places(wish: Wish) -> Sequence[tuple[float, int]]:
    return [(place, shard) for shard, places in wish.places.items() for place in places]


class _Taken:
    def __init__(self) -> None:
        self.of_shards: dict[int, dict[str, int]] = {}
        self.number = 0

    def add(self, shard: int, persona: str) -> None:
        rooms = self.of_shards.setdefault(shard, {})
        rooms[persona] = rooms.get(persona, 0) + 1
        self.number += 1
