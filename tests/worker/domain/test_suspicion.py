"""Which events are tried alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from worker.domain.suspicion import KILLS_ALONE, SUSPECT_AFTER, is_poison, is_suspect


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
    ("killed", "handed_over", "attempts", "poison"),
    [
        (KILLS_ALONE - 1, 0, 20, False),
        (KILLS_ALONE, 0, 20, True),
        (0, 19, 20, False),
        (0, 20, 20, True),
        (0, 2, 1, False),
    ],
)
def test_poison_kills_alone_or_outlives_its_budget(killed, handed_over, attempts, poison):
    assert is_poison(killed, handed_over, attempts) == poison
