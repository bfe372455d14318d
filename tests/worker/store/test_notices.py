"""Each fate and each change is told by one notice, in order, without content, also when each call comes twice."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat
from worker.domain.notices import NoticeType
from worker.domain.vocabulary import Gate
from worker.store import Store
from worker.store.conversations.turn_steps import Grant
from worker.store.personas.gates import owner_of
from worker.store.redis import ahead
from worker.store.redis.scripts import Script

LEAD = Conversation("ava", "@lead")


@pytest.fixture(params=["once", "twice"])
def store(request: Any, make_store: Callable[..., Store], monkeypatch: pytest.MonkeyPatch) -> Store:
    """An empty store that keeps notices. The client sends each script once, or again after a timeout: the first answer
    is lost then."""
    if request.param == "twice":
        send = Script.send

        def again(script: Script[Any], words: list[Any]) -> Any:
            send(script, words)
            return send(script, words)

        monkeypatch.setattr(Script, "send", again)
    personas = {name: {"api_key": f"ft_sk_{name}", "takeover": {"livechat": "hold"}} for name in ("ava", "bea")}
    return make_store(ahead=True, notices={"keep": True}, personas=personas)


@pytest.fixture
def told(store: Store) -> Callable[..., list[tuple[str, str, str]]]:
    """What the notices tell: type without its beginning, event id, cause."""

    def read() -> list[tuple[str, str, str]]:
        page = store.notices.read(limit=1000)
        of_lead: dict[Conversation, int] = {}
        for each in page.notices:
            # Without gaps, and never less.
            lead = Conversation(each.persona, each.target)
            assert each.sequence == of_lead.get(lead, each.sequence - 1) + 1
            of_lead[lead] = each.sequence
        return [(each.type.removeprefix("parley."), each.event_id, each.cause) for each in page.notices]

    return read


@pytest.fixture
def turn(store: Store) -> Callable[..., None]:
    """A turn of the lead's conversation that ends like this."""

    def run(fate: Any = "answered", reason: str = "", *, reply: str = "", **more: Any) -> None:
        store.redis.hset(store.keys.of(LEAD).conversation(LEAD), "hold_until", 0)
        grant = store.steps.begin(LEAD, uuid.uuid4().hex)
        assert isinstance(grant, Grant), grant
        if reply:
            store.steps.record(grant, reply)
        store.steps.settle(grant, fate, reason, **more)

    return run


def test_an_answer_is_told_with_what_became_of_the_event_and_no_content(store, chat, turn):
    store.inbox.accept(chat("do not tell", event_id="e1"))
    turn(reply="nor this", detail="nor that")
    (notice,) = store.notices.read().notices
    assert notice.type == NoticeType.EVENT_ANSWERED
    assert (notice.persona, notice.target, notice.event_id, notice.kind) == ("ava", "@lead", "e1", "inbound_chat")
    assert (notice.fate, notice.cause, notice.asked, notice.sent, notice.joined) == ("answered", "", 1, 1, "")
    assert 0 < notice.accepted_at <= notice.ended_at == notice.at == notice.sequence
    stored = str(store.redis.xrange(store.keys.of(LEAD).notices))
    assert not {word for word in ("tell", "nor", "session") if word in stored}


def test_events_that_were_asked_together_are_told_with_the_head_that_they_joined(store, chat, turn):
    for name in ("e1", "e2", "e3"):
        store.inbox.accept(chat(event_id=name))
    turn()
    assert [(each.type, each.event_id, each.joined, each.asked) for each in store.notices.read().notices] == [
        ("parley.event.answered", "e1", "", 1),
        ("parley.event.joined", "e2", "e1", 1),
        ("parley.event.joined", "e3", "e1", 1),
    ]


@pytest.mark.parametrize(
    ("fate", "reason", "cause"),
    [
        ("ignored", "owned_elsewhere", "owned_elsewhere"),
        ("skipped", "too_old seconds=900", "too_old"),
        ("dead", "persona_refused status=422", "persona_refused"),
        ("dead", "refused by the persona: persona_refused status=422", "persona_refused"),
        ("dead", "gave up after 20 attempts", "gave_up"),
    ],
)
def test_a_cause_is_told_as_its_code(store, chat, turn, told, fate, reason, cause):
    store.inbox.accept(chat(event_id="e1"))
    turn(fate, reason)
    assert told() == [(f"event.{fate}", "e1", cause)]
    assert store.notices.read().notices[0].fate == fate


def test_a_persona_s_end_seals_and_an_operator_opens_and_seals(store, chat, turn, told):
    for name in ("e1", "e2"):
        store.inbox.accept(chat(event_id=name))
        turn("sealed", "persona_ended", mark="sealed")
    store.seals.unseal(LEAD, "eve", "SECRET")
    store.seals.seal(LEAD, "eve", "SECRET")
    store.seals.seal(LEAD, "eve", "SECRET")
    assert told() == [
        ("event.sealed", "e1", "persona_ended"),
        ("conversation.sealed", "", "persona_ended"),
        ("event.sealed", "e2", "persona_ended"),
        ("conversation.unsealed", "", "operator"),
        ("conversation.sealed", "", "operator"),
    ]


def test_a_takeover_and_what_is_dropped_at_its_end(store, chat, turn, told):
    store.inbox.accept(chat(event_id="e1"))
    store.takeovers.claim(LEAD, "eve", "SECRET")
    store.takeovers.claim(LEAD, "eve", "SECRET")
    store.inbox.accept(chat(event_id="e2"))
    store.takeovers.hand_back(LEAD, "none")
    assert told() == [
        ("conversation.taken_over", "", "operator"),
        ("event.skipped", "e1", "dropped_at_hand_back"),
        ("event.skipped", "e2", "dropped_at_hand_back"),
        ("conversation.handed_back", "", "operator"),
    ]


def test_a_takeover_by_an_escalation_ends_when_it_was_quiet_for_long(store, chat, turn, told):
    store.inbox.accept(chat(event_id="e1"))
    turn("dead", "gave_up", mark="escalated")
    store.takeovers.hand_back_quiet(LEAD)
    assert told()[1:] == [("conversation.taken_over", "", "escalated")]


def test_a_takeover_that_the_channel_begins_and_ends(store, chat, told, channel):
    for name, livechat in (("e1", True), ("e2", True), ("e3", False)):
        store.inbox.accept(chat(event_id=name, channel={**channel, "hasLivechat": livechat}))
    assert told() == [("conversation.taken_over", "", "livechat"), ("conversation.handed_back", "", "livechat_over")]


def test_a_dead_letter_that_is_discarded_or_replayed(store, chat, turn, told):
    for name in ("e1", "e2"):
        store.inbox.accept(chat(event_id=name))
        turn("dead", "bad_reply")
    for _ in range(2):
        store.dead_letters.replay(LEAD, "e1", "discard")
        store.dead_letters.replay(LEAD, "e2", "place")
    turn()
    assert told()[2:] == [
        ("event.discarded", "e1", "bad_reply"),
        ("event.replayed", "e2", ""),
        ("event.answered", "e2", ""),
    ]
    fates = {each.type: (each.fate, bool(each.ended_at)) for each in store.notices.read().notices}
    assert fates["parley.event.discarded"] == ("dead", True)
    assert fates["parley.event.replayed"] == ("", False)


def test_a_group_that_died_with_its_reply_ends_with_its_head(store, chat, turn, told):
    for name in ("e1", "e2"):
        store.inbox.accept(chat(event_id=name))
    turn("dead", "delivery_refused", reply="stored")
    store.dead_letters.replay(LEAD, "e1", "place")
    turn()
    assert told() == [
        ("event.dead", "e1", "delivery_refused"),
        ("event.dead", "e2", "delivery_refused"),
        ("event.replayed", "e1", ""),
        ("event.answered", "e1", ""),
        ("event.joined", "e2", ""),
    ]
    answered, joined = store.notices.read().notices[-2:]
    assert joined.joined == "e1"
    assert (joined.asked, joined.sent) == (answered.asked, answered.sent) != (0, 0), "those of its head"


def test_what_is_refused_is_dead_until_it_comes_again_as_it_should_be(store, chat, turn, told):
    for _ in range(2):
        store.inbox.refuse("ava", "@lead", "e1", "SECRET", "InvalidEvent: channel: SECRET")
    store.inbox.accept(chat(event_id="e1"))
    turn()
    assert told() == [("event.dead", "e1", "invalid_event"), ("event.replayed", "e1", ""), ("event.answered", "e1", "")]
    first, *_ = store.notices.read().notices
    assert (first.kind, first.fate) == ("", "dead")


def test_a_refused_letter_that_is_replayed_under_another_id(store, chat, turn, told):
    store.inbox.refuse("ava", "@lead", "e1", "{}", "InvalidEvent: kind")
    store.inbox.accept(chat(event_id="e1-again"))
    for _ in range(2):
        store.dead_letters.readmitted(LEAD, "e1", "e1-again")
    assert told() == [("event.dead", "e1", "invalid_event"), ("event.replayed", "e1", "")]


def test_names_that_no_event_may_have_make_no_other_notice(store, told):
    store.inbox.refuse("ava", "@a\nb", "e\n1", "{}", "InvalidEvent: target\nfate: answered")
    (notice,) = store.notices.read().notices
    assert (notice.target, notice.event_id, notice.cause) == ("@a\nb", "e 1", "invalid_event")


def test_what_a_lead_says_about_messages(store, chat, told, turn):
    store.inbox.accept(chat("stop", event_id="e1"))
    store.inbox.accept(chat("stop", event_id="e2"))
    store.inbox.accept(chat("start", event_id="e3"))
    store.consents.write(LEAD, "out", "eve SECRET")
    store.consents.write(LEAD, "out", "eve SECRET")
    store.consents.write(LEAD, "none", "eve SECRET")
    assert told() == [
        ("conversation.opted_out", "", "lead"),
        ("conversation.opted_in", "", "lead"),
        ("conversation.opted_out", "", "operator"),
        ("conversation.consent_removed", "", "operator"),
    ]


def test_a_notice_makes_no_conversation_and_its_count_goes_on_when_that_begins(store, chat, turn, told):
    store.consents.write(LEAD, "out", "eve")
    store.consents.write(LEAD, "in", "eve")
    assert not store.redis.exists(store.keys.of(LEAD).conversation(LEAD))
    store.inbox.accept(chat(event_id="e1"))
    turn()
    assert [each[0] for each in told()] == ["conversation.opted_out", "conversation.opted_in", "event.answered"]
    assert not store.redis.keys("*noticed:*")


def test_gates_are_told_once_and_not_by_every_shard(store, told):
    for _ in range(2):
        store.personas.quarantine("ava", "key_refused status=401")
        store.personas.pause("ava", "SECRET")
        store.personas.close_for_probing("ava", Gate.CREDITS, "credits_out")
        store.personas.hold("ava", 600, "persona_throttled")
    for gate in Gate.QUARANTINED, Gate.PAUSED, Gate.CREDITS, Gate.CREDITS, Gate.HOLD:
        store.personas.open_gate("ava", gate)
    assert [(word, cause) for word, _, cause in told()] == [
        ("persona.quarantined", "quarantined"),
        ("persona.held", "paused"),
        ("persona.held", "credits"),
        ("persona.held", "hold"),
        ("persona.resumed", "quarantined"),
        ("persona.resumed", "paused"),
        ("persona.resumed", "credits"),
        ("persona.resumed", "hold"),
    ]
    assert {(each.persona, each.target) for each in store.notices.read().notices} == {("ava", "")}


def test_a_hold_that_time_has_ended_is_not_resumed_and_the_channel_is_no_persona(store, told):
    store.personas.hold("ava", 5, "persona_throttled")
    ahead.advance(store.redis, 6)
    store.personas.open_gate("ava", Gate.HOLD)
    channel = owner_of(Gate.CHANNEL, "dev")
    store.gates.close(channel, Gate.CHANNEL, 5, "channel_unavailable")
    store.gates.open(channel, Gate.CHANNEL)
    assert [each[0] for each in told()] == ["persona.held"]


def test_the_count_of_a_conversation_has_no_gaps_in_a_hundred_turns_and_more(store, chat, turn, told):
    for number in range(120):
        store.inbox.accept(chat(event_id=f"e{number}"))
        turn()
    assert [event_id for _, event_id, _ in told()] == [f"e{number}" for number in range(120)]


def test_a_lead_who_is_forgotten_is_in_no_notice_and_begins_anew_above(store, chat, turn):
    other = Conversation("ava", "@other lead")
    for name in ("e1", "e2", "e3"):
        store.inbox.accept(chat(event_id=name, target="@lead"))
        store.inbox.accept(InboundChat(**{**chat(event_id=name).model_dump(), "target": other.target}))
        if name == "e1":
            turn()
    cursor = store.notices.end()
    last = store.notices.read().notices[-1]
    store.forgetting.forget(LEAD, store.forgetting.traces(LEAD))
    page = store.notices.read(cursor)
    assert [(each.type, each.event_id, each.target, each.cause) for each in page.notices] == [
        ("parley.event.skipped", "e2", "", "forgotten"),
        ("parley.event.skipped", "e3", "", "forgotten"),
    ]
    assert [each.sequence for each in page.notices] == [last.sequence + 1, last.sequence + 2]
    assert "@lead" not in str([store.redis.xrange(shard.notices) for shard in store.keys.shards])
    assert not [key for key in store.redis.keys("*") if key.endswith("ava:@lead")]
    store.inbox.accept(chat(event_id="e4"))
    turn()
    assert store.notices.read(page.cursor).notices[0].sequence > last.sequence + 2


def test_a_lead_who_is_forgotten_with_a_count_ahead_of_the_clock_begins_again_above_it(store, chat, turn):
    """The count of a new conversation begins with the time: a clock that was set back must not bring a number twice."""
    store.inbox.accept(chat(event_id="e1"))
    turn()
    conversation = store.keys.of(LEAD).conversation(LEAD)
    last = store.notices.read().notices[-1].sequence + 3_600_000
    store.redis.hset(conversation, "noticed", last)
    store.forgetting.forget(LEAD, store.forgetting.traces(LEAD))
    cursor = store.notices.end()
    store.inbox.accept(chat(event_id="e2"))
    turn()
    assert store.notices.read(cursor).notices[0].sequence > last
