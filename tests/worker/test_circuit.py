"""Failures in a row, for each persona, as one process counts them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from worker.circuit import Circuit


def test_it_opens_with_the_last_of_so_many_failures_in_a_row_and_stays_open():
    circuit = Circuit(failures=3)
    assert [circuit.failed("ava") for _ in range(5)] == [False, False, True, True, True]


def test_one_failure_can_be_enough():
    assert Circuit(failures=1).failed("ava")


def test_an_answer_in_between_starts_the_count_again():
    circuit = Circuit(failures=2)
    circuit.failed("ava")
    circuit.succeeded("ava")
    assert not circuit.failed("ava")
    assert circuit.failed("ava")


def test_an_answer_before_any_failure_changes_nothing():
    circuit = Circuit(failures=1)
    circuit.succeeded("ava")
    assert circuit.failed("ava")


def test_each_persona_is_counted_for_itself():
    circuit = Circuit(failures=2)
    circuit.failed("ava")
    assert not circuit.failed("bea")
    circuit.succeeded("bea")
    assert circuit.failed("ava")


def test_no_failure_is_lost_between_threads():
    circuit = Circuit(failures=1000)
    with ThreadPoolExecutor(16) as pool:
        opened = list(pool.map(lambda _: circuit.failed("ava"), range(1000)))
    assert opened.count(True) == 1
