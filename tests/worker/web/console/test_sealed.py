"""Sealed words."""

from __future__ import annotations

from worker.web.console.sealed import Sealed
from worker.web.receipts import Receipts

KEY = b"k" * 64


def test_what_is_sealed_is_opened_for_its_use_only():
    sealed = Sealed(lambda: KEY)
    word = sealed.seal("place", ["ava", "@john"])
    assert sealed.open("place", word) == ["ava", "@john"]
    assert sealed.seal("place", ["ava", "@john"]) == word, "a page keeps its address"
    assert sealed.open("search", word) is None
    assert Sealed(lambda: b"x" * 64).open("place", word) is None
    for odd in ("", "x", word[:-2], word + "AA", "ü", "A" * 10_000):
        assert sealed.open("place", odd) is None


def test_a_receipt_of_a_producer_is_no_word_of_the_console():
    from worker.domain.conversation import Conversation

    receipt = Receipts(lambda: KEY).seal("console", Conversation("ava", "@john"), "e-1")
    assert Sealed(lambda: KEY).open("place", receipt) is None
    assert Sealed(lambda: KEY).open("", receipt) is None
