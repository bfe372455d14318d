"""How a turn went, as codes and as a phrase."""

from __future__ import annotations

import pytest

from worker.domain.vocabulary import Cause
from worker.pipeline.told import State
from worker.pipeline.turn_result import LEFT, TurnResult, not_now
from worker.store.conversations.turn_steps import NotNow


@pytest.mark.parametrize(
    ("result", "phrase", "codes"),
    [
        (TurnResult("answered"), "answered", {}),
        (TurnResult("answered", joined=2), "answered, joined 2", {}),
        (
            TurnResult("held", Cause.PERSONA_UNAVAILABLE, "status=503", 4.25),
            "held for 4.2 s: persona unavailable (status 503)",
            {"cause": "persona_unavailable", "detail": "status=503"},
        ),
        (
            TurnResult("kept", Cause.TAKEN_OVER),
            "kept: a person has taken over, the reply waits until hand-back",
            {"cause": "taken_over"},
        ),
        (TurnResult("kept", Cause.CHANNEL_CLOSED), "kept: the channel takes nothing now", {"cause": "channel_closed"}),
        (
            TurnResult("dead", Cause.BAD_REPLY, joined=1),
            "dead: bad reply: not the documented JSON, joined 1",
            {"cause": "bad_reply"},
        ),
        (LEFT, "left to another turn: lease lost", {"cause": "lease_lost"}),
    ],
)
def test_a_turn_is_told_in_codes_and_in_a_phrase(result, phrase, codes):
    assert (result.phrase, result.codes) == (phrase, codes)


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("circuit", ": FluidTalk does not answer for the persona"),
        ("credits", ": credits out (402), or paused at FluidTalk"),
        ("channel", ": the channel takes nothing now"),
        ("throttled by the persona (429)", ": throttled by the persona (429)"),
        ("", ""),
    ],
)
def test_a_turn_that_may_not_begin_says_why_in_words(reason, why):
    told = not_now(NotNow("held", 50_531_000, reason))
    assert (told, told.state) == (f"held until 14:02:11 UTC{why}", State.RETRIED)
