"""How long the pauses between bubbles are."""

from __future__ import annotations

import random

import pytest

from config.settings import Pacing
from worker.domain.pacing import pauses

STEADY = Pacing(enabled=True, characters_per_second=10, minimum_seconds=1, maximum_seconds=8, jitter=0)


def steady(*bubbles: str, photo: bool = False) -> tuple[float, ...]:
    return pauses(bubbles, photo, STEADY, random.Random(1))


def test_by_default_nothing_is_paced():
    assert pauses(("one", "two"), True, Pacing(), random.Random(1)) == ()


@pytest.mark.parametrize(("bubbles", "photo"), [((), False), (("one",), False), ((), True)])
def test_a_single_message_has_no_pause(bubbles, photo):
    assert pauses(bubbles, photo, STEADY, random.Random(1)) == ()


def test_a_pause_is_as_long_as_typing_the_bubble_that_follows():
    assert steady("x" * 70, "x" * 20, "x" * 50) == (2, 5)


def test_pauses_stay_between_the_least_and_the_longest():
    assert steady("one", "x", "x" * 1000) == (1, 8)


def test_a_photo_is_the_last_message_and_comes_after_the_least_pause():
    assert steady("look", photo=True) == (1,)
    assert steady("look", "x" * 30, photo=True) == (3, 1)


def test_jitter_goes_both_ways_and_no_further_than_its_share():
    pacing = STEADY.model_copy(update={"jitter": 0.5})
    found = [pauses(("a", "x" * 40), False, pacing, random.Random(seed))[0] for seed in range(200)]
    assert 2 <= min(found) < 3
    assert 5 < max(found) <= 6
