"""Counts by name, of the last seven days."""

from __future__ import annotations

from collections.abc import Callable

from worker.store import Store
from worker.store.redis.ahead import KEY

DAY = 86_400_000


def test_counts_of_seven_days_are_added_up_and_forgotten(make_store: Callable[..., Store]) -> None:
    store = make_store(ahead=True)
    store.drift.add({"field chat.mood": 2, "status 299": 1})
    store.redis.set(KEY, 6 * DAY)
    store.drift.add({"field chat.mood": 1})
    assert store.drift.recent() == {"field chat.mood": 3, "status 299": 1}
    store.redis.set(KEY, 7 * DAY)
    assert store.drift.recent() == {"field chat.mood": 1}
    assert all(0 < store.redis.pttl(key) <= 8 * DAY for key in store.redis.scan_iter(match="parley:drift:*"))


def test_no_process_can_make_more_than_a_hundred_names(store: Store) -> None:
    for process in range(3):
        store.drift.add({f"field chat.of_{process}_{number}": 1 for number in range(50)})
    found = store.drift.recent()
    assert len(found) == 101
    assert found["field unnamed"] == 50


def test_types_of_platform_events_after_the_hundredth_are_left_out(store: Store) -> None:
    store.trigger_types.add({f"cleo type_{number}": 1 for number in range(150)})
    store.trigger_types.add({"cleo type_0": 4, "cleo type_149": 1})
    found = store.trigger_types.recent()
    assert (len(found), found["cleo type_0"]) == (100, 5)
    assert store.drift.recent() == {}
