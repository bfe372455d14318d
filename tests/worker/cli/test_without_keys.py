"""Commands that only look need the store and the names of the personas, as a producer does."""

from __future__ import annotations

import pytest

LOOKS = (
    "status",
    "books",
    "explain ava @lead",
    "find lead",
    "conversations",
    "outreach ava",
    "claims",
    "seals",
    "consent show bea @lead",
    "dead list",
    "dead causes",
    "dead show chat-1 ava @lead",
    "follow-ups list",
    "follow-ups show ava @lead",
    "follow-ups preview",
    "consent list",
    "consent show ava @lead",
    "consent export",
)


@pytest.fixture
def without_keys(parley, monkeypatch):
    """The command where no key and no channel is set."""
    for name in ("CAPTIVATE__ENVIRONMENT", "PERSONAS__AVA__API_KEY", "PERSONAS__BEA__API_KEY"):
        monkeypatch.delenv(f"PARLEY_{name}")
    monkeypatch.setenv("PARLEY_PERSONAS", "ava,bea")
    return parley


@pytest.mark.parametrize("words", LOOKS)
def test_who_looks_needs_no_key(without_keys, store, chat, die, words):
    die("chat-1")
    ended = without_keys(*words.split())
    assert ended.status in (0, 1), ended.err
    assert "is missing" not in ended.err


@pytest.mark.parametrize(
    "words", ["pause ava", "dead replay-all --cause 422", "follow-ups apply", "consent set ava @lead out"]
)
def test_who_changes_something_needs_all_settings(without_keys, words):
    ended = without_keys(*words.split())
    assert ended.status == 2
    assert "PARLEY_CAPTIVATE__ENVIRONMENT is missing" in ended.err
