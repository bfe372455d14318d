"""A word of a server that repeats what was said is recognised, however it is written."""

from __future__ import annotations

import pytest

from worker.adapters.quoting import repeats


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("pregnant", "I am pregnant"),
        ("Pregnant", "PREGNANT!"),
        ("is_pregnant", "Pregnant!"),
        ("my_secret", "my secret: please"),
        ("my-secret", "tell my secret"),
        ("john_doe2", "john_doe2"),
        ("john_doe", "@John.Doe"),
        ("history_john_doe", "john_doe"),
        ("doe", "john_doe"),
        ("rene", "René"),
        ("491701234567", "+491701234567"),
    ],
)
def test_a_word_that_was_said_is_recognised(word: str, text: str) -> None:
    assert repeats(word, ["another text", text])


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("cooldown", "I am pregnant"),
        ("cooldown", "cool down"),
        ("cooldown", "a"),
        ("cooldown", "привет"),
        ("cooldown", "🙂"),
        ("cooldown", ""),
        ("shared_context", "I have no context"),
    ],
)
def test_another_word_is_not(word: str, text: str) -> None:
    assert not repeats(word, [text])


def test_nothing_said_is_never_repeated() -> None:
    assert not repeats("cooldown", [])


@pytest.mark.parametrize(
    ("word", "text", "repeated"),
    [
        ("is_pregnant", "I am pregnant", True),
        ("hiv.positive", "I have HIV since May", True),
        ("too_dark", "that is too much for the two of us", False),
        ("no_ab", "no, he said ab", False),
    ],
)
def test_of_a_value_each_part_that_tells_something_counts(word: str, text: str, repeated: bool) -> None:
    assert repeats(word, [text], in_parts=True) is repeated
    assert not repeats(word, [text])
