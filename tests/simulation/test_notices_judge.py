"""The judge of notices finds each thing that could go wrong with them."""

from __future__ import annotations

import dataclasses

import pytest

from simulation.judge.notices import Notices, Told, judge_notices

LEAD, OTHER = ("ava", "@lead"), ("ava", "@other")
FATES = {LEAD: [("a", "answered"), ("b", "joined"), ("c", "skipped")], OTHER: [("a", "dead")]}
GOOD = [
    Told("1", LEAD, 7, "a", "answered"),
    Told("2", LEAD, 8, "b", "joined"),
    Told("3", OTHER, 90, "a", "dead"),
    Told("4", LEAD, 9, "", ""),
    Told("5", LEAD, 10, "c", "skipped"),
]


def found(told, **more):
    """The figures that are not 0, but for the number of notices."""
    verdict = judge_notices(told, FATES, **more)
    return {name: value for name, value in dataclasses.asdict(verdict).items() if value and name != "told"}


def test_of_good_ones_nothing_is_held_against_anybody():
    assert judge_notices(GOOD, FATES) == Notices(told=5)


@pytest.mark.parametrize(
    ("told", "faults"),
    [
        (GOOD[:-1], {"missing": 1}),
        ([*GOOD[:3], *GOOD[4:]], {"gaps": 1}),
        ([*GOOD, Told("6", LEAD, 11, "c", "skipped")], {"again": 1}),
        ([*GOOD, GOOD[-1]], {"again": 1, "gaps": 1, "repeated": 1}),
        ([*GOOD[:2], Told("3", OTHER, 90, "a", "answered"), *GOOD[3:]], {"missing": 1, "wrong": 1}),
        (
            [Told("1", LEAD, 7, "b", "joined"), Told("2", LEAD, 8, "a", "answered"), *GOOD[2:]],
            {"disordered": 1},
        ),
        ([GOOD[1], GOOD[0], *GOOD[2:]], {"gaps": 2, "disordered": 1}),
    ],
)
def test_what_is_missing_doubled_wrong_or_out_of_order_is_found(told, faults):
    assert found(told) == faults


def test_what_the_reader_was_told_to_have_missed_counts():
    assert found(GOOD, dropped=3) == {"dropped": 3}
