"""How long the pauses between bubbles are."""

from __future__ import annotations

import random

import pytest

from config.settings import Pacing
from worker.domain.pacing import paced
from worker.domain.reply import Reply

STEADY = Pacing(enabled=True, characters_per_second=10, minimum_seconds=1, maximum_seconds=8, jitter=0)


def steady(*bubbles: str, photo: bool = False) -> tuple[float, ...]:
    return pauses(bubbles, photo, STEADY)


def pauses(bubbles: tuple[str, ...], photo: bool, pacing: Pacing, seed: int = 1) -> tuple[float, ...]:
    reply = Reply(bubbles, photo_url="https://photos.test/1.jpg" if photo else None)
    return paced(reply, pacing, random.Random(seed)).pauses


def test_by_default_nothing_is_paced():
    assert pauses(("one", "two"), True, Pacing()) == ()


@pytest.mark.parametrize(("bubbles", "photo"), [((), False), (("one",), False), ((), True)])
def test_a_single_message_has_no_pause(bubbles, photo):
    assert pauses(bubbles, photo, STEADY) == ()


def test_a_pause_is_as_long_as_typing_the_bubble_that_follows():
    assert steady("x" * 70, "x" * 20, "x" * 50) == (2, 5)


def test_pauses_stay_between_the_least_and_the_longest():
    assert steady("one", "x", "x" * 1000) == (1, 8)


def test_a_photo_is_the_last_message_and_comes_after_the_least_pause():
    assert steady("look", photo=True) == (1,)
    assert steady("look", "x" * 30, photo=True) == (3, 1)


def test_jitter_goes_both_ways_and_no_further_than_its_share():
    pacing = STEADY.model_copy(update={"jitter": 0.5})
    found = [pauses(("a", "x" * 40), False, pacing, seed)[0] for seed in range(200)]
    assert 2 <= min(found) < 3
    assert 5 < max(found) <= 6


def test_a_photo_between_texts_takes_no_typing():
    reply = Reply(("look", "https://photos.test/" + "x" * 100, "x" * 30), photos=(1,))
    assert paced(reply, STEADY, random.Random(1)).pauses == (1, 3)


NAMED = Reply(("a", "b", "c"), pauses=(2.5, 60.0))


def test_the_pauses_that_the_persona_named_are_kept_up_to_the_longest_when_it_sets_the_timing():
    vendor = STEADY.model_copy(update={"timing": "vendor"})
    assert paced(NAMED, vendor, random.Random(1)).pauses == (2.5, 8)
    assert paced(Reply(("a", "x" * 30)), vendor, random.Random(1)).pauses == (3,), "it named none"


def test_the_pauses_that_the_persona_named_are_left_aside_otherwise():
    assert paced(NAMED, STEADY, random.Random(1)).pauses == (1, 1)
    assert paced(NAMED, Pacing(), random.Random(1)).pauses == ()
