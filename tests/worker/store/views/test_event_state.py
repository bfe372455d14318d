"""What became of one event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.events import FollowUp
from worker.domain.vocabulary import Cause


@pytest.fixture
def look(store, conversation):
    """The state of an event of the conversation."""
    return lambda event_id: store.event_states.of(conversation, event_id)


def test_nothing_is_known_of_an_event_that_never_came(accept, look):
    accept("e1")
    assert look("e2") is None


def test_those_that_wait_have_a_place(accept, look):
    accept("e1", "e2")
    states = [look(event_id) for event_id in ("e1", "e2")]
    assert [(each.status, each.position, each.kind) for each in states] == [
        ("waiting", 1, "inbound_chat"),
        ("waiting", 2, "inbound_chat"),
    ]
    assert all(each.accepted_at and not each.ended_at for each in states)


def test_the_head_is_held_for_a_cause_until_a_time_and_those_behind_it_wait(store, accept, begin, look):
    accept("e1")
    store.leases.hold(begin(), 60, "persona_throttled status=429", unknown=False)
    accept("e2")
    held = look("e1")
    assert (held.status, held.cause, held.asks) == ("held", Cause.PERSONA_THROTTLED, 1)
    assert held.held_until > held.accepted_at
    assert look("e2").status == "waiting"


def test_a_hold_that_is_over_is_none(store, accept, begin, look, let_hold_run_out):
    accept("e1")
    store.leases.hold(begin(), 60, "persona_throttled", unknown=False)
    let_hold_run_out()
    assert (look("e1").status, look("e1").cause, look("e1").held_until) == ("waiting", None, 0)


def test_a_conversation_that_a_person_has_is_held(accept, claim, look):
    accept("e1")
    claim()
    assert (look("e1").status, look("e1").cause) == ("held", Cause.TAKEN_OVER)


@pytest.mark.parametrize(("fate", "cause"), [("answered", None), ("dead", Cause.GAVE_UP), ("skipped", Cause.TOO_OLD)])
def test_what_ended_has_its_fate_its_cause_and_its_times(store, accept, begin, look, fate, cause):
    accept("e1")
    store.leases.settle(begin(), fate, cause.value if cause else "")
    ended = look("e1")
    assert (ended.status, ended.cause, ended.position) == (fate, cause, 0)
    assert ended.ended_at >= ended.accepted_at > 0


def test_a_follow_up_whose_time_has_not_come_is_scheduled(store, conversation, channel, look):
    later = datetime.now(UTC) + timedelta(hours=1)
    event = FollowUp(event_id="f1", persona="ava", target="@lead", channel=channel, not_before=later)
    assert store.follow_ups.schedule(event).status == "scheduled"
    scheduled = look("f1")
    assert (scheduled.status, scheduled.kind) == ("scheduled", "follow_up")
    assert abs(scheduled.held_until - later.timestamp() * 1000) < 2
    assert look("f2") is None


def test_an_id_that_looks_like_one_of_ours_is_found_where_it_was_put(store, chat, conversation, look):
    images = [{"url": f"https://files.example/{number}.jpg"} for number in range(2)]
    for part in chat(event_id="m", attachments=images).one_image_each():
        store.inbox.accept(part, derived_from="m" if part.event_id != "m" else "")
    assert store.inbox.accept(chat(event_id="m#2")).status == "accepted"
    assert look("m#2").position == 3
