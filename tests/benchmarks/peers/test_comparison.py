"""Rounds become medians, ratios and rows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from benchmarks.peers.comparison import COLUMNS, Faults, cost_table, faults, median_ratio, trials_table
from benchmarks.peers.trial import Trial
from simulation.judge.checker import Verdict

CLEAN = Verdict(100, 100, 100, 0, 0, 0, 0, 0, 0, 0, ())


def trial(seconds: float = 10.0, *, in_time: bool = True, busy: float = 12.0, **wrong: Any) -> Trial:
    cpu = {"workers": 5.0, "Redis": 1.0, "simulated services": 2.0}
    return Trial(dataclasses.replace(CLEAN, **wrong), seconds, in_time, cpu, busy, 2 * seconds)


def test_a_turn_counts_when_its_answer_was_delivered():
    found = trial(undelivered=20)
    assert (found.answered, found.turns_per_second, found.cpu_ms_per_turn("workers")) == (80, 8.0, 62.5)


def test_a_ratio_is_that_of_each_round_so_a_slow_round_does_not_decide_it():
    assert median_ratio([600, 60, 500], [300, 30, 300]) == 2.0


def test_a_ratio_to_nothing_is_not_an_error():
    assert median_ratio([5], [0]) == float("inf")
    assert median_ratio([0], [0]) == 1.0


def test_rounds_of_different_number_have_no_ratio():
    with pytest.raises(ValueError, match="argument"):
        median_ratio([1, 2], [1])


def test_faults_of_all_rounds_are_counted_together():
    found = faults([trial(overtaken=3, doubled=1), trial(overtaken=4, asked_twice=2, undelivered=5)])
    assert found == Faults(7, 2, 1, 5)
    assert str(found) == "7 / 2 / 1 / 5"


@pytest.mark.parametrize("fault", ["overtaken", "asked_twice", "doubled", "undelivered"])
def test_each_fault_alone_is_a_fault(fault: str):
    assert faults([trial()]).none
    assert not faults([trial(), trial(**{fault: 1})]).none


def test_a_row_compares_with_ours_and_says_when_the_time_ran_out():
    ours, peer = [trial(5.0), trial(4.0)], [trial(20.0, in_time=False, undelivered=50), trial(10.0, busy=15.0)]
    table = trials_table("the case", {"ours": ours, "peer": peer}, "ours")
    assert table.columns == ("the case", *COLUMNS[1:])
    assert table.rows[0] == ("ours", "22", "1.00", "50.00", "0 / 0 / 0 / 0", "135%", "22%")
    # 2.5 to 20 turns/s and 10 to 25: ratios of 0.125 and 0.4.
    assert table.rows[1][:5] == ("peer", "6", "0.26", "75.00", "0 / 0 / 0 / 50 after 20 s")


def test_the_machine_is_accounted_for_to_the_last_share():
    rows = cost_table([trial(busy=12.0)]).rows
    assert rows == [
        ("workers", "50.00", "25%"),
        ("simulated services", "20.00", "10%"),
        ("Redis", "10.00", "5%"),
        ("everything else on the machine", "", "20%"),
        ("idle", "", "40%"),
    ]
