"""What counts against an event, when its budget is used up, how long it pauses."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from config.settings import Retry
from worker.domain.retry import UNTRIED, Failed, Failure, Tries, limit_of, pause, pause_after, spent, tries
from worker.domain.vocabulary import Cause


@dataclass(frozen=True)
class Head:
    """The failed attempts of a step as the journal knows them."""

    failures: int = 0
    failures_ms: int = 0
    failed: Failure | None = None


UNKNOWN = Failure(at=1000, what="unknown", pause_ms=700, limit=5, why="no answer")
RETRY = Retry()


def test_a_failed_attempt_counts_when_another_call_succeeded_after_it():
    head = Head(failures=2, failures_ms=300, failed=UNKNOWN)
    assert tries(head, succeeded_at=1001) == Tries(3, 1000, judged=True)


@pytest.mark.parametrize("succeeded_at", [0, 999, 1000])
def test_a_failed_attempt_does_not_count_while_nothing_has_succeeded_since(succeeded_at):
    assert tries(Head(2, 300, UNKNOWN), succeeded_at) == Tries(2, 300, judged=False)


def test_an_event_that_never_failed_has_nothing_against_it():
    assert tries(Head(), succeeded_at=5000) == UNTRIED
    assert spent(Head(), UNTRIED, RETRY) is None


def test_what_is_written_is_read_back():
    text = Failed("unavailable", 20).to_text(1500, "persona_unavailable status=503")
    assert Failure.of_text(f"99 {text}") == Failure(99, "unavailable", 1500, 20, "persona_unavailable status=503")


def test_the_budget_is_a_number_of_attempts_that_count():
    head = Head(failed=UNKNOWN)
    assert spent(head, Tries(4, 0), RETRY) is None
    assert spent(head, Tries(5, 0), RETRY) == (Cause.OUTCOME_UNKNOWN, "times=5")


def test_the_budget_is_also_a_sum_of_pauses():
    head = Head(failed=Failure(0, "throttled", 0, limit_of("throttled", RETRY), "channel_unavailable status=429"))
    assert spent(head, Tries(10_000, 0), RETRY) is None
    seconds = int(RETRY.age_seconds)
    cause, detail = spent(head, Tries(1, seconds * 1000), RETRY)
    assert (cause, detail) == (
        Cause.GAVE_UP,
        f"attempts=1 seconds={seconds} last=channel_unavailable status=429",
    )


def test_pauses_stay_short_until_it_is_known_who_is_at_fault():
    jitter = random.Random(1)
    assert all(pause_after("unknown", attempt, UNTRIED, RETRY, jitter) <= 5 for attempt in range(1, 100))


def test_who_alone_gets_no_answer_is_asked_again_after_minutes():
    jitter = random.Random(1)
    pauses = [pause_after("unknown", 1, Tries(counted), RETRY, jitter) for counted in range(1, 5)]
    assert [low <= seconds <= 2 * low for seconds, low in zip(pauses, (5, 30, 60, 60), strict=True)] == [True] * 4


def test_unavailable_pauses_double_with_each_attempt_that_counts():
    jitter = random.Random(1)
    pauses = [pause_after("unavailable", 9, Tries(counted), RETRY, jitter) for counted in range(1, 12)]
    assert 1 <= pauses[0] <= 2
    assert 60 <= pauses[-1] <= 120


# The server's word and the back-off


def test_pauses_double_up_to_their_limit_with_jitter():
    retry = Retry(pause_seconds=1, pause_limit_seconds=120)
    for attempt, full in [(1, 1), (2, 2), (3, 4), (8, 120), (1000, 120)]:
        pauses = [pause(attempt, None, retry, random.Random(seed)) for seed in range(50)]
        assert full / 2 <= min(pauses) < max(pauses) <= full


def test_retry_after_is_never_shortened_and_hardly_exceeded():
    for asked in (1.0, 30.0, 3600.0):
        given = pause(3, asked, Retry(), random.Random(1))
        assert asked <= given <= asked + min(1.0, asked / 10)
