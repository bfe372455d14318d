"""Messages that the store takes neither as an event nor as a letter."""

from __future__ import annotations


def test_a_message_is_parked_once(store):
    assert store.parked.keep("words")
    assert store.parked.keep("words")
    assert store.parked.count() == 1
