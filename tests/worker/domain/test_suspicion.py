"""Which events are tried alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from worker.domain.suspicion import KILLS_ALONE, SUSPECT_AFTER, is_poison, is_suspect, lost_in_trials


@dataclass(frozen=True)
class Head:
    """What the journal knows of the head of an inbox."""

    reply: str | None = None
    asks_vanished: int = 0
    asks_handed_over: int = 0
    sends_vanished: int = 0
    sends_handed_over: int = 0
    killed_alone: int = 0


@pytest.mark.parametrize(
    ("head", "suspect"),
    [
        (Head(asks_vanished=SUSPECT_AFTER - 1), False),
        (Head(asks_vanished=SUSPECT_AFTER), True),
        (Head(asks_vanished=SUSPECT_AFTER, reply="{}"), False),
        (Head(sends_vanished=SUSPECT_AFTER, reply="{}"), True),
        (Head(sends_vanished=SUSPECT_AFTER - 1, reply="{}"), False),
        (Head(asks_vanished=19, asks_handed_over=17), False),
        (Head(asks_vanished=19, asks_handed_over=16), True),
        (Head(sends_vanished=19, sends_handed_over=17, reply="{}"), False),
        (Head(killed_alone=1), True),
        (Head(killed_alone=1, reply="{}"), True),
    ],
)
def test_a_suspect_is_what_several_dead_processes_had_in_hand_in_this_step(head, suspect):
    assert is_suspect(head) == suspect


@pytest.mark.parametrize(
    ("head", "attempts", "poison"),
    [
        (Head(killed_alone=KILLS_ALONE - 1), 20, False),
        (Head(killed_alone=KILLS_ALONE), 20, True),
        (Head(asks_vanished=19, asks_handed_over=19), 20, False),
        (Head(asks_vanished=20, asks_handed_over=20), 20, True),
        (Head(asks_vanished=2, asks_handed_over=2), 1, False),
        (Head(asks_vanished=20, asks_handed_over=20, reply="{}"), 20, False),
        (Head(sends_vanished=20, sends_handed_over=20, reply="{}"), 20, True),
        (Head(asks_vanished=500), 20, False),
    ],
)
def test_poison_kills_alone_or_outlives_its_budget(head, attempts, poison):
    assert is_poison(head, attempts) == poison


@pytest.mark.parametrize(
    ("head", "lost"),
    [
        (Head(), 0),
        (Head(asks_vanished=SUSPECT_AFTER), 0),
        (Head(asks_vanished=SUSPECT_AFTER + 2), 2),
        (Head(asks_vanished=SUSPECT_AFTER + 2, asks_handed_over=1), 1),
        (Head(asks_vanished=SUSPECT_AFTER + 2, reply="{}"), 0),
        (Head(sends_vanished=SUSPECT_AFTER + 2, reply="{}"), 2),
    ],
)
def test_workers_that_died_after_it_was_suspect_died_in_its_trials(head, lost):
    assert lost_in_trials(head) == lost
