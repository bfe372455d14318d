"""What became of one event."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.events import AiOpener, FollowUp
from worker.domain.vocabulary import Cause, Gate
from worker.store.heartbeats import Served
from worker.store.personas.gates import Owner


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
    store.steps.hold(begin(), 60, "persona_throttled status=429", unknown=False)
    accept("e2")
    held = look("e1")
    assert (held.status, held.cause, held.asks) == ("held", Cause.PERSONA_THROTTLED, 1)
    assert held.held_until > held.accepted_at
    assert look("e2").status == "waiting"


def test_a_hold_that_is_over_is_none(store, accept, begin, look, let_hold_run_out):
    accept("e1")
    store.steps.hold(begin(), 60, "persona_throttled", unknown=False)
    let_hold_run_out()
    assert (look("e1").status, look("e1").cause, look("e1").held_until) == ("waiting", None, 0)


def test_a_conversation_that_a_person_has_is_held(accept, claim, look):
    accept("e1")
    claim()
    assert (look("e1").status, look("e1").cause) == ("held", Cause.TAKEN_OVER)


def test_an_event_for_a_persona_that_no_worker_has_is_held(store, accept, begin, look, let_lease_run_out):
    accept("e1", "e2")
    assert look("e1").status == "waiting", "no worker has said which it has: by the settings"
    store.processes.sign("worker", 5, Served(("bea",), "dev"))
    held = [look(event_id) for event_id in ("e1", "e2")]
    assert [(each.status, each.cause, each.held_until) for each in held] == [("held", Cause.PERSONA_NOT_KNOWN, 0)] * 2
    begin()
    assert look("e1").status == "waiting", "one is at it all the same"
    let_lease_run_out()
    store.processes.sign("worker", 5, Served(("ava", "bea"), "dev"))
    assert look("e1").status == "waiting"


def test_before_a_worker_says_which_personas_it_has_the_settings_tell(make_store, chat, conversation):
    make_store().inbox.accept(chat(event_id="e1"))
    others = make_store(personas={"bea": {"api_key": "ft_sk_bea"}})
    assert others.event_states.of(conversation, "e1").cause is Cause.PERSONA_NOT_KNOWN


@pytest.mark.parametrize(
    ("close", "cause", "has_time"),
    [
        (lambda store: store.personas.pause("ava", "a new key"), Cause.PERSONA_PAUSED, False),
        (lambda store: store.personas.quarantine("ava", "key_refused status=401"), Cause.KEY_REFUSED, False),
        (lambda store: store.personas.hold("ava", 60, "persona_throttled status=429"), Cause.PERSONA_THROTTLED, True),
        (
            lambda store: store.personas.close_for_probing("ava", Gate.CIRCUIT, "no_answer status=503"),
            Cause.PERSONA_UNAVAILABLE,
            True,
        ),
        (
            lambda store: store.personas.close_for_probing("ava", Gate.CREDITS, "credits_out status=402"),
            Cause.CREDITS_OUT,
            True,
        ),
    ],
    ids=["paused", "quarantined", "hold", "circuit", "credits"],
)
def test_a_closed_gate_of_the_persona_holds_all_that_waits_until_it_opens(store, accept, look, close, cause, has_time):
    accept("e1", "e2")
    close(store)
    held = [look(event_id) for event_id in ("e1", "e2")]
    assert [(each.status, each.cause, bool(each.held_until)) for each in held] == [("held", cause, has_time)] * 2
    for gate in Gate:
        store.personas.open_gate("ava", gate)
    assert [look(event_id).status for event_id in ("e1", "e2")] == ["waiting"] * 2


def test_credits_hold_no_conversation_that_has_begun(store, accept, begin, look):
    accept("e1")
    store.steps.settle(begin(), "answered", mark="started")
    accept("e2")
    store.personas.close_for_probing("ava", Gate.CREDITS, "credits_out status=402")
    assert look("e2").status == "waiting"


def test_only_openers_and_follow_ups_are_held_while_outreach_is_stopped(store, conversation, channel, accept, look):
    store.gates.close(Owner("persona", "ava"), Gate.OUTREACH, 0, "openers_bad")
    store.inbox.accept(AiOpener(event_id="o1", persona="ava", target="@lead", channel=channel))
    assert (look("o1").status, look("o1").cause) == ("held", Cause.OUTREACH_STOPPED)
    accept("e1")
    assert look("o1").status == "waiting"


def test_a_stored_reply_is_held_by_the_channel_and_no_longer_by_the_persona(
    store, accept, begin, look, let_lease_run_out
):
    accept("e1")
    store.steps.record(begin(), "{}")
    let_lease_run_out()
    store.personas.pause("ava", "a new key")
    assert look("e1").status == "waiting"
    store.gates.close(Owner("channel", store.channel), Gate.CHANNEL, 5, "channel_unavailable status=503")
    held = look("e1")
    assert (held.status, held.cause, held.held_until > 0) == ("held", Cause.CHANNEL_CLOSED, True)


def test_the_own_reason_of_the_head_goes_before_the_gate_of_others_and_a_running_turn_before_both(
    store, accept, begin, look
):
    accept("e1")
    grant = begin()
    store.personas.close_for_probing("ava", Gate.CIRCUIT, "no_answer status=503")
    assert look("e1").status == "waiting"
    store.steps.hold(grant, 60, "persona_throttled status=429", unknown=False)
    assert look("e1").cause is Cause.PERSONA_THROTTLED


def test_what_the_head_found_itself_is_the_gate_once_it_is_closed(store, accept, begin, look):
    accept("e1", "e2")
    store.steps.hold(begin(), 60, "persona_unavailable status=503", unknown=False)
    assert [look(event_id).status for event_id in ("e1", "e2")] == ["held", "waiting"]
    store.personas.close_for_probing("ava", Gate.CIRCUIT, "no_answer status=503")
    assert [look(event_id).cause for event_id in ("e1", "e2")] == [Cause.PERSONA_UNAVAILABLE] * 2


@pytest.mark.parametrize(("fate", "cause"), [("answered", None), ("dead", Cause.GAVE_UP), ("skipped", Cause.TOO_OLD)])
def test_what_ended_has_its_fate_its_cause_and_its_times(store, accept, begin, look, fate, cause):
    accept("e1")
    store.steps.settle(begin(), fate, cause.value if cause else "")
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


def test_a_scheduled_follow_up_of_a_persona_that_no_worker_has_is_held(store, channel, look):
    later = datetime.now(UTC) + timedelta(hours=1)
    event = FollowUp(event_id="f1", persona="ava", target="@lead", channel=channel, not_before=later)
    store.follow_ups.schedule(event)
    store.processes.sign("worker", 5, Served(("bea",), "dev"))
    held = look("f1")
    assert (held.kind, held.status, held.cause, held.held_until) == ("follow_up", "held", Cause.PERSONA_NOT_KNOWN, 0)
    store.processes.sign("worker", 5, Served(("ava", "bea"), "dev"))
    assert look("f1").status == "scheduled"
    assert look("f2") is None


def test_an_id_that_looks_like_one_of_ours_is_found_where_it_was_put(store, chat, conversation, look):
    images = [{"url": f"https://files.example/{number}.jpg"} for number in range(2)]
    for part in chat(event_id="m", attachments=images).one_image_each():
        store.inbox.accept(part, derived_from="m" if part.event_id != "m" else "")
    assert store.inbox.accept(chat(event_id="m#2")).status == "accepted"
    assert look("m#2").position == 3
