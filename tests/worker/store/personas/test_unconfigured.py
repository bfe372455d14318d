"""Events of a persona that is not configured: one line an hour, however many doorbells there are."""

from __future__ import annotations

import pytest

from worker.store.personas.unconfigured import Unconfigured


@pytest.fixture
def clock():
    """Seconds, in a list so that a test can let time pass."""
    return [0.0]


@pytest.fixture
def unconfigured(clock):
    return Unconfigured(lambda: clock[0])


def test_it_is_said_once_an_hour_for_each_persona(unconfigured, clock, caplog):
    for _ in range(100):
        unconfigured.met("zoe")
        unconfigured.met("kim")
    assert [record.persona for record in caplog.records] == ["zoe", "kim"]
    clock[0] = 3599.0
    unconfigured.met("zoe")
    assert len(caplog.records) == 2
    clock[0] = 3600.0
    unconfigured.met("zoe")
    assert len(caplog.records) == 3


def test_names_that_a_stranger_makes_up_are_bounded_and_the_next_hour_is_free_again(unconfigured, clock, caplog):
    for number in range(1000):
        unconfigured.met(f"made-up-{number}")
    assert len(caplog.records) == 100
    clock[0] = 3600.0
    unconfigured.met("zoe")
    assert caplog.records[-1].persona == "zoe"
