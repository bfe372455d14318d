"""Where a process can be told to die."""

from __future__ import annotations

import os
import signal

import pytest

from worker.pipeline import failpoints


@pytest.fixture
def killed(monkeypatch):
    """The signals that this process would have got."""
    signals = []
    monkeypatch.setattr(os, "kill", lambda pid, number: signals.append((pid, number)))
    yield signals
    failpoints.arm(None)


def test_it_dies_where_it_is_told_the_first_time(killed):
    failpoints.arm("after ask")
    failpoints.reached("before ask")
    assert killed == []
    failpoints.reached("after ask")
    assert killed == [(os.getpid(), signal.SIGKILL)]


def test_it_dies_at_the_third_pass_and_at_no_other(killed):
    failpoints.arm("after ask:3")
    passes = []
    for _ in range(5):
        failpoints.reached("after ask")
        passes.append(len(killed))
    assert passes == [0, 0, 1, 1, 1]


def test_a_place_that_does_not_exist_is_refused(killed):
    with pytest.raises(ValueError, match="there is no crash point 'nowhere'; choose one of after begin, "):
        failpoints.arm("nowhere")


def test_nowhere_is_the_default(killed):
    failpoints.arm(None)
    failpoints.reached("after ask")
    assert killed == []
