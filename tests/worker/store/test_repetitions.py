"""Requests without an id that come again at once."""

from __future__ import annotations

from itertools import count

import pytest

WINDOW_MS = 2000


@pytest.fixture
def ids_of(store):
    """The ids of requests with these fingerprints; each proposes a new one."""
    numbers = count(1)
    return lambda *seen: store.repetitions.ids_of([(each, f"new-{next(numbers)}") for each in seen], WINDOW_MS)


def test_the_first_one_names_all_of_its_kind_in_one_call_and_in_later_ones(ids_of):
    assert ids_of("a", "b", "a") == ["new-1", "new-2", "new-1"]
    assert ids_of("b", "c") == ["new-2", "new-5"]


def test_a_repetition_does_not_make_the_window_longer(store, ids_of):
    ids_of("a")
    (key,) = store.redis.scan_iter(match="parley:same:*")
    store.redis.pexpire(key, 500)
    ids_of("a")
    assert 0 < store.redis.pttl(key) <= 500
    store.redis.delete(key)
    assert ids_of("a") == ["new-3"]
    assert 500 < store.redis.pttl(key) <= WINDOW_MS
