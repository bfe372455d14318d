"""The state of one task that ran several turns."""

from __future__ import annotations

import pytest

from worker.domain.vocabulary import Cause
from worker.pipeline.told import State, Told, state_of_all
from worker.pipeline.turn_result import LEFT, TurnResult, not_now
from worker.store.conversations.turn_steps import NotNow


@pytest.mark.parametrize(
    ("states", "of_all"),
    [
        ([State.SUCCEEDED, State.IGNORED], State.SUCCEEDED),
        ([State.SUCCEEDED, State.RETRIED], State.RETRIED),
        ([State.RETRIED, State.FAILED], State.FAILED),
        ([State.IGNORED], State.IGNORED),
        ([], State.IGNORED),
    ],
)
def test_only_when_each_turn_went_well_is_it_a_success(states, of_all):
    assert state_of_all(Told("a turn", state) for state in states) is of_all


@pytest.mark.parametrize(
    ("result", "state"),
    [
        (TurnResult("answered"), State.SUCCEEDED),
        (TurnResult("skipped", Cause.LEAD_WROTE), State.SUCCEEDED),
        (TurnResult("sealed", Cause.SEALED), State.SUCCEEDED),
        (TurnResult("held", Cause.PERSONA_THROTTLED, "status=429", 4.0), State.RETRIED),
        (TurnResult("kept", Cause.TAKEN_OVER), State.RETRIED),
        (LEFT, State.RETRIED),
        (TurnResult("dead", Cause.PERSONA_REFUSED, "status=422"), State.FAILED),
    ],
)
def test_succeeded_means_answered_or_ended_as_planned(result, state):
    assert result.state is state


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (NotNow("empty", 0, ""), State.IGNORED),
        (NotNow("busy", 1_000, ""), State.RETRIED),
        (NotNow("paused", 1_000, "key rotation"), State.RETRIED),
    ],
)
def test_a_turn_that_does_not_begin_is_no_success(answer, state):
    assert not_now(answer).state is state
