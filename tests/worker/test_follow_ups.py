"""When a quiet lead is written to again."""

from __future__ import annotations

import pytest

from worker.follow_ups import next_follow_up

CADENCE = (60.0, 3600.0, 86_400.0)


@pytest.mark.parametrize("kind", ["inbound_chat", "ai_opener", "event_trigger"])
@pytest.mark.parametrize("step", [0, 1, 2, 7])
def test_any_other_reply_starts_the_cadence_again(kind, step):
    assert next_follow_up(kind, step, CADENCE) == (60.0, 0)


@pytest.mark.parametrize(("step", "planned"), [(0, (3600.0, 1)), (1, (86_400.0, 2))])
def test_a_delivered_follow_up_moves_on_to_the_next_step(step, planned):
    assert next_follow_up("follow_up", step, CADENCE) == planned


@pytest.mark.parametrize("step", [2, 3, 100])
def test_after_the_last_step_the_cadence_is_over(step):
    assert next_follow_up("follow_up", step, CADENCE) is None


@pytest.mark.parametrize("kind", ["inbound_chat", "ai_opener", "event_trigger", "follow_up"])
def test_without_a_cadence_nothing_is_planned(kind):
    assert next_follow_up(kind, 0, ()) is None
