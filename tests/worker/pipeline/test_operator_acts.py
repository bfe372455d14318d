"""What an operator does is done, and is written down with its name."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp, InboundChat
from worker.domain.vocabulary import Gate
from worker.pipeline.operator_acts import OperatorActs
from worker.pipeline.producer import Producer
from worker.pipeline.replay import Replay
from worker.store import StoreError
from worker.store.conversations.consents import ALL_PERSONAS
from worker.store.operator.audit import Act
from worker.store.personas.gates import owner_of

LEAD = Conversation("ava", "@lead")
LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=5)


@pytest.fixture
def acts(store):
    """What kim does under a name of one act, as a process that is new each time; '' = without a name."""
    return lambda call="c1": OperatorActs(store, "kim", call)


@pytest.fixture
def write(store, channel):
    """The lead writes."""

    def send(event_id: str, **fields: str) -> None:
        event = {"event_id": event_id, "persona": "ava", "target": "@lead", "message": "hi", **fields}
        store.inbox.accept(InboundChat(**event, channel=channel))

    return send


@pytest.fixture
def plan(store, channel):
    """A follow-up is asked for."""

    def schedule(event_id: str = "f1") -> None:
        at = datetime.now(UTC) + timedelta(hours=1)
        event = FollowUp(event_id=event_id, persona="ava", target="@lead", channel=channel, not_before=at)
        assert store.follow_ups.schedule(event).status == "scheduled"

    return schedule


@pytest.fixture
def die(store):
    """A turn over all that waits ends as dead."""

    def run(reply: str = "", fate: str = "dead") -> None:
        grant = store.steps.begin(LEAD, uuid.uuid4().hex)
        if reply:
            store.steps.record(grant, reply)
        store.steps.settle(grant, fate, "refused by the persona (status 422)" if fate == "dead" else "")

    return run


@pytest.fixture
def noted(store):
    """Acts and details, the oldest first."""
    return lambda: [(each.act, each.detail) for each in reversed(store.audit.newest())]


def test_gates_of_a_persona_and_of_the_channel_are_opened_in_one_act(store):
    channel = owner_of(Gate.CHANNEL, "dev")
    store.personas.pause("ava", "why")
    store.personas.close_for_probing("ava", Gate.CIRCUIT, "persona_unavailable")
    store.gates.close(channel, Gate.CHANNEL, 60, "channel_unavailable")
    OperatorActs(store, "kim").open_gates("ava", [Gate.PAUSED, Gate.CHANNEL], channel)
    assert not any(field.startswith(("paused", "channel")) for field in store.personas.gates("ava"))
    assert store.gates.of(channel) == {}
    assert "circuit_until" in store.personas.gates("ava"), "it was not named"


def test_a_follow_up_that_was_cancelled_without_a_note_is_noted_when_the_act_comes_again(store, acts, plan, noted):
    plan()
    assert store.follow_ups.cancel(LEAD, "kim", "c1")
    assert not acts("c2").cancel_follow_up(LEAD), "another act finds nothing"
    plan("f2")
    for _ in range(2):
        assert acts().cancel_follow_up(LEAD)
    assert store.follow_ups.state_of(LEAD).due, "the next one is not cancelled"
    assert noted() == [(Act.FOLLOW_UP_CANCELLED, "")]
    assert not acts().cancel_follow_up(Conversation("ava", "@other")), "the name counts for one lead"


def test_a_follow_up_that_was_moved_without_a_note_is_noted_when_the_act_comes_again(store, acts, plan, noted):
    plan()
    assert store.follow_ups.move(LEAD, LATER, "c1")
    store.follow_ups.cancel(LEAD)
    assert not acts("c2").move_follow_up(LEAD, LATER), "another act finds nothing"
    for _ in range(2):
        assert acts().move_follow_up(LEAD, LATER)
    assert not store.follow_ups.state_of(LEAD).due, "it is not planned again"
    assert noted() == [(Act.FOLLOW_UP_MOVED, LATER.isoformat())]
    assert acts().is_repeated("move", LEAD)
    assert not acts("c2").is_repeated("move", LEAD)
    assert not acts("").is_repeated("move", LEAD)


@pytest.mark.parametrize("persona", ["ava", ALL_PERSONAS])
@pytest.mark.parametrize("settings", [{}, {"consent": {"scope": "lead"}}], ids=["a persona", "a lead"])
def test_consent_that_was_written_without_a_note_is_noted_when_the_act_comes_again(
    make_store, write, persona, settings
):
    store, conversation = make_store(**settings), Conversation(persona, "@lead")
    write("e1")
    for call, state in (("c1", "out"), ("c2", "in")):
        assert store.consents.change(conversation, state, "kim: why", call=call)
        assert not OperatorActs(store, "kim", "other").write_consent(conversation, state, "why"), "it is so already"
        for _ in range(2):
            assert OperatorActs(store, "kim", call).write_consent(conversation, state, "why")
    assert OperatorActs(store, "kim", "c1").write_consent(conversation, "out", "why")
    mark = store.consents.of_lead("@lead") if persona == ALL_PERSONAS else store.consents.of(conversation)
    assert mark.state == "in", "the first act is not done again"
    assert [each.detail for each in reversed(store.audit.newest())] == ["out why", "in why"]


def test_a_lead_who_was_forgotten_without_a_note_is_noted_when_the_act_comes_again(store, acts, write, noted):
    write("e1")
    first = store.forgetting.forget(LEAD, store.forgetting.traces(LEAD), call="c1")
    assert (first.status, first.skipped, first.events) == ("forgotten", 1, 1)
    write("e2")
    for _ in range(2):
        assert acts().forget(LEAD, store.forgetting.traces(LEAD)) == first
    assert store.forgetting.traces(LEAD).waiting == 1, "what came since is kept"
    assert noted() == [(Act.FORGOT, "")]
    (remembered,) = store.redis.keys("parley:*:done:*")
    assert "@lead" not in remembered
    assert 0 < store.redis.pttl(remembered) <= 86_400_000


def test_what_was_left_when_a_lead_was_forgotten_is_erased_when_the_act_comes_again(store, acts, write, monkeypatch):
    write("e1")
    store.audit.note("kim", Act.CLAIMED, LEAD)
    with monkeypatch.context() as patched:
        patched.setattr(store.audit, "erase", lambda _: (_ for _ in ()).throw(StoreError("gone")))
        with pytest.raises(StoreError):
            acts().forget(LEAD, store.forgetting.traces(LEAD))
    assert store.audit.names(LEAD)
    assert acts().forget(LEAD, store.forgetting.traces(LEAD)).status == "forgotten"
    assert not store.audit.names(LEAD)
    store.audit.note("kim", Act.CLAIMED, LEAD)
    acts().forget(LEAD, store.forgetting.traces(LEAD))
    assert store.audit.names(LEAD), "what came since is kept"


def test_an_act_that_comes_again_does_not_name_a_lead_who_was_forgotten_since(store, acts, write, plan):
    write("e1")
    plan()
    assert store.follow_ups.move(LEAD, LATER, "c1")
    assert store.follow_ups.cancel(LEAD, "kim", "c1")
    assert store.consents.change(LEAD, "out", "kim", call="c1")
    assert store.consents.change(Conversation(ALL_PERSONAS, "@lead"), "out", "kim", call="c1")
    acts("c2").forget(LEAD, store.forgetting.traces(LEAD), also_consent=True)
    assert not acts().move_follow_up(LEAD, LATER)
    assert not acts().cancel_follow_up(LEAD)
    assert not acts().write_consent(LEAD, "out")
    assert not acts().write_consent(Conversation(ALL_PERSONAS, "@lead"), "out")
    assert not store.audit.names(LEAD)
    assert store.forgetting.traces(LEAD).nothing


@pytest.mark.parametrize(("mode", "act"), [("place", Act.REPLAYED), ("discard", Act.DISCARDED)])
def test_a_letter_that_was_replayed_without_a_note_is_noted_when_the_act_comes_again(
    store, make_settings, acts, write, die, noted, mode, act
):
    write("e1")
    die()
    assert store.dead_letters.replay(LEAD, "e1", mode, "c1").status in ("replayed", "discarded")
    if mode == "place":
        die(fate="answered")
    # Meanwhile the persona has left the settings.
    settings = make_settings(personas={"bea": {"api_key": "ft_sk_bea"}})
    replays = Replay(settings, store, Producer(settings, store=store))
    for _ in range(2):
        assert acts().replay(replays, LEAD, "e1", mode).done
    assert noted() == [(act, "e1")]
    assert acts().has_replayed(LEAD, "e1")
    assert not acts("c2").has_replayed(LEAD, "e1")
    assert not acts("").has_replayed(LEAD, "e1")


def test_a_letter_that_ended_with_the_head_of_its_group_is_noted_when_the_act_comes_again(
    store, make_settings, acts, write, die, noted
):
    write("a")
    write("b")
    die(reply=json.dumps({"bubbles": ["hello"], "fate": "answered"}))
    assert store.dead_letters.replay(LEAD, "a", "place", "c1").status == "replayed"
    assert store.dead_letters.replay(LEAD, "b", "place", "c1").status == "with_head"
    die(fate="answered")
    replays = Replay(make_settings(), store, Producer(make_settings(), store=store))
    for event_id in ("a", "b", "b"):
        assert acts().replay(replays, LEAD, event_id, "place").done
    assert not acts("c2").replay(replays, LEAD, "b", "place").done
    assert store.dead_letters.replay(LEAD, "b", "place", "c1").detail == "a", "it answers the same"
    assert noted() == [(Act.REPLAYED, "a"), (Act.REPLAYED, "b")]


def test_a_letter_that_went_through_the_door_without_a_note_is_noted_when_the_act_comes_again(
    store, make_settings, acts, channel, noted
):
    event = {"kind": "inbound_chat", "persona": "ava", "target": "@lead", "channel": channel, "message": "hi"}
    store.inbox.refuse("ava", "@lead", "m1", json.dumps({**event, "event_id": "m1"}), "InvalidEvent: message")
    replays = Replay(make_settings(), store, Producer(make_settings(), store=store))
    first = replays.run(LEAD, "m1", "place", "c1")
    assert first.done
    for _ in range(2):
        assert acts().replay(replays, LEAD, "m1", "place") == first
    assert noted() == [(Act.REPLAYED, "m1")]
    assert store.redis.llen(store.keys.of(LEAD).inbox(LEAD)) == 1


def test_an_act_is_noted_once_also_when_many_others_were_noted_meanwhile(store, acts, plan):
    plan()
    acts().cancel_follow_up(LEAD)
    for number in range(300):
        store.audit.note("lou", Act.CLAIMED, "bea", str(number))
    acts().cancel_follow_up(LEAD)
    assert len(store.audit.newest(act=Act.FOLLOW_UP_CANCELLED)) == 1
