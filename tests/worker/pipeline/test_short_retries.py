"""Tries within one turn."""

from __future__ import annotations

import time

import pytest

from worker.pipeline.short_retries import patiently, quickly


class Passing(Exception):
    """Worth another try."""


class Lasting(Exception):
    """Not worth another try."""


class Upstream:
    """Raises these one after the other, then answers."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "answer"


def is_passing(error: BaseException) -> bool:
    return isinstance(error, Passing)


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_quickly_calls_again_until_there_is_an_answer(failures):
    upstream = Upstream(*[Passing()] * failures)
    assert quickly(upstream, again_on=is_passing, tries=3, pause_seconds=0) == "answer"
    assert upstream.calls == failures + 1


def test_quickly_gives_up_after_so_many_tries_with_the_last_exception_itself():
    first, last = Passing("first"), Passing("last")
    upstream = Upstream(first, last, Passing("never reached"))
    with pytest.raises(Passing) as caught:
        quickly(upstream, again_on=is_passing, tries=2, pause_seconds=0)
    assert caught.value is last
    assert upstream.calls == 2


def test_quickly_lets_any_other_exception_through_at_once():
    upstream = Upstream(Lasting())
    with pytest.raises(Lasting):
        quickly(upstream, again_on=is_passing, tries=3, pause_seconds=0)
    assert upstream.calls == 1


def test_quickly_pauses_between_two_tries():
    started_at = time.monotonic()
    quickly(Upstream(Passing(), Passing()), again_on=is_passing, tries=3, pause_seconds=0.02)
    assert time.monotonic() - started_at >= 0.04


def test_patiently_outlasts_a_failure_that_passes():
    upstream = Upstream(Passing(), Passing())
    assert patiently(upstream, again_on=Passing, seconds=30) == "answer"
    assert upstream.calls == 3


def test_patiently_lets_any_other_exception_through_at_once():
    upstream = Upstream(Lasting())
    with pytest.raises(Lasting):
        patiently(upstream, again_on=Passing, seconds=30)
    assert upstream.calls == 1


def test_patiently_gives_up_when_the_time_is_over():
    upstream = Upstream(*[Passing()] * 1000)
    started_at = time.monotonic()
    with pytest.raises(Passing):
        patiently(upstream, again_on=Passing, seconds=0.2)
    assert time.monotonic() - started_at >= 0.2
    assert upstream.calls > 1


def test_patiently_also_catches_subclasses():
    class Special(Passing):
        """A kind of it."""

    assert patiently(Upstream(Special()), again_on=Passing, seconds=30) == "answer"
