"""A persona of the Characters API beside one of Handshake, in one worker, on real HTTP and a real store."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from simulation.upstreams.control import SimulatedUpstreams
from simulation.upstreams.faults import FaultKind, FaultRule
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, EventTrigger, FollowUp, InboundChat
from worker.domain.refusals import InvalidEvent
from worker.store import Store

CLEO = Conversation("cleo", "instagram/mark")


@pytest.fixture
def tell(channel: dict[str, Any]) -> Callable[..., Any]:
    """An event of the lead mark."""

    def make(kind: type = InboundChat, **fields: Any) -> Any:
        content = {"message": "hi"} if kind is InboundChat else {}
        return kind(**{"persona": "cleo", "target": "mark", "channel": channel, **content, **fields})

    return make


def test_both_kinds_answer_in_one_worker(cleo: Any, tell: Callable[..., Any], say: Callable[..., Any]) -> None:
    cleo.producer.enqueue(tell(message="one\ntwo"))
    cleo.producer.enqueue(say("three"))
    assert cleo.work(CLEO) == ["answered"]
    assert cleo.work() == ["answered"]
    assert cleo.texts() == [["You said: one", "You said: two"], ["You said: three"]]
    assert [call.path for call in cleo.asked()] == ["/api/v1/characters/chat", "/api/v1/bot/chat"]
    assert cleo.fates() == {"answered": 2}


def test_the_conversation_is_of_a_platform(cleo: Any, tell: Callable[..., Any]) -> None:
    for event in (tell(platform="telegram"), tell(target="telegram/mark"), tell(target="instagram/mark"), tell()):
        cleo.producer.enqueue(event)
    assert cleo.work(Conversation("cleo", "telegram/mark")) == ["answered, joined 1"]
    assert cleo.work(CLEO) == ["answered, joined 1"]
    assert [call.target for call in cleo.asked()] == ["telegram/mark", "instagram/mark"]


def test_messages_join_and_a_photo_keeps_its_place(cleo: Any, tell: Callable[..., Any], upstreams: Any) -> None:
    cleo.producer.enqueue(tell(message="photo please"))
    cleo.producer.enqueue(tell(message="thank you"))
    assert cleo.work(CLEO) == ["answered, joined 1"]
    [delivery] = cleo.delivered()
    first, photo, last = delivery.messages
    assert (first["text"], last["text"]) == ("You said: photo please", "You said: thank you")
    assert photo["files"][0]["url"].endswith("/media/photo.png")


def test_bubbles_are_paced_as_the_persona_says(make_cleo: Callable[..., Any], tell: Callable[..., Any]) -> None:
    cleo = make_cleo(pacing={"enabled": True, "timing": "vendor", "minimum_seconds": 30, "maximum_seconds": 60})
    cleo.producer.enqueue(tell(message="one\ntwo"))
    assert cleo.work(CLEO) == ["held for 0.0 s: next bubble 2 of 2", "answered"]
    assert cleo.texts() == [["You said: one"], ["You said: two"]]


def test_an_opener_is_an_outreach_trigger(cleo: Any, tell: Callable[..., Any]) -> None:
    cleo.producer.enqueue(tell(AiOpener))
    assert cleo.work(CLEO) == ["answered"]
    assert cleo.texts() == [["Hello mark, this is cleo."]]
    assert cleo.asked()[0].action == "outreach"


def test_an_opener_to_a_live_chat_says_nothing(cleo: Any, tell: Callable[..., Any]) -> None:
    cleo.producer.enqueue(tell())
    cleo.work(CLEO)
    cleo.producer.enqueue(tell(AiOpener))
    assert cleo.work(CLEO) == ["skipped: the lead already has a live conversation"]


def test_a_trigger_goes_with_its_context(cleo: Any, tell: Callable[..., Any]) -> None:
    cleo.producer.enqueue(tell(EventTrigger, event_type="story_reaction", context={"reaction": "🔥"}))
    assert cleo.work(CLEO) == ["answered"]
    assert cleo.texts() == [['You did: story_reaction {"reaction": "🔥"}']]


def test_an_attachment_is_hosted_first(cleo: Any, tell: Callable[..., Any], presigned: str) -> None:
    cleo.producer.enqueue(tell(message="", attachments=[{"url": presigned}]))
    assert cleo.work(CLEO) == ["answered"]
    assert [call.path for call in cleo.asked() if call.persona == "cleo"] == [
        "/api/v1/characters/inbound-media",
        "/api/v1/characters/chat",
    ]
    assert cleo.texts()[0][0].startswith("You sent an image: http://")


def test_an_attachment_is_hosted_on_the_platform_of_its_lead(
    cleo: Any, tell: Callable[..., Any], presigned: str
) -> None:
    cleo.producer.enqueue(tell(target="x/@finn", message="", attachments=[{"url": presigned}]))
    assert cleo.work(Conversation("cleo", "x/@finn")) == ["answered"]
    assert [call.fields["platform"] for call in cleo.asked() if call.persona == "cleo"] == ["x", "x"]


# Unknown outcomes


@pytest.mark.parametrize("kind", [AiOpener, EventTrigger])
def test_a_trigger_in_doubt_is_asked_again_under_the_same_id(cleo: Any, tell: Callable[..., Any], kind: type) -> None:
    """With Handshake a trigger would be a dead letter now."""
    cleo.fail(FaultKind.DROP, persona="cleo", first=1)
    cleo.producer.enqueue(tell(kind, **({"event_type": "story_reaction"} if kind is EventTrigger else {})))
    assert cleo.work(CLEO)[-1] == "answered"
    first, second = (call.fields["external_event_id"] for call in cleo.asked())
    assert first == second
    assert cleo.fates() == {"answered": 1}


def test_a_trigger_that_had_landed_is_not_said_twice(cleo: Any, tell: Callable[..., Any]) -> None:
    cleo.fail(FaultKind.ACT_THEN_DROP, persona="cleo", first=1)
    cleo.producer.enqueue(tell(EventTrigger, event_type="story_reaction"))
    assert cleo.work(CLEO)[-1].startswith("answered: text lost")
    assert cleo.texts() == []


@pytest.mark.parametrize("kind", [AiOpener, EventTrigger])
@pytest.mark.parametrize("fault", [FaultKind.NOT_JSON, FaultKind.EMPTY, FaultKind.HUGE])
def test_a_trigger_with_an_unreadable_answer_is_asked_again_under_the_same_id(
    cleo: Any, tell: Callable[..., Any], kind: type, fault: FaultKind
) -> None:
    cleo.fail(fault, persona="cleo", first=2)
    cleo.producer.enqueue(tell(kind, **({"event_type": "story_reaction"} if kind is EventTrigger else {})))
    assert cleo.work(CLEO)[-1].startswith("answered: text lost")
    assert len({call.fields["external_event_id"] for call in cleo.asked()}) == 1
    assert len(cleo.asked()) == 3


def test_a_chat_with_an_unreadable_answer_is_text_lost_and_no_dead_letter(cleo: Any, tell: Callable[..., Any]) -> None:
    cleo.fail(FaultKind.NOT_JSON, persona="cleo", first=1)
    cleo.producer.enqueue(tell())
    assert cleo.work(CLEO)[-1].startswith("answered: text lost")


UNREADABLE = {"a page": {"kind": FaultKind.NOT_JSON}, "an error": {"status": 200, "body": {"error": {"code": "x"}}}}


@pytest.mark.parametrize("fault", UNREADABLE.values(), ids=UNREADABLE)
@pytest.mark.parametrize("kind", [InboundChat, AiOpener, EventTrigger])
def test_what_alone_is_never_answered_readably_is_a_dead_letter_after_five_tries(
    cleo: Any, tell: Callable[..., Any], store: Store, kind: type, fault: dict[str, Any], eventually: Any
) -> None:
    cleo.fail(**fault, persona="cleo", target=CLEO.target)
    cleo.producer.enqueue(tell(kind, **({"event_type": "story_reaction"} if kind is EventTrigger else {})))

    def tried_beside_another() -> bool:
        cleo.work(CLEO, turns=1)
        # Within one millisecond the success of another is not later than this failure.
        time.sleep(0.002)
        cleo.producer.enqueue(tell(target="eve"))
        assert cleo.work(Conversation("cleo", "instagram/eve"), turns=1)[0].startswith("answered")
        return bool(store.dead_letters.newest())

    eventually(tried_beside_another, "a dead letter")
    assert store.dead_letters.newest()[0].cause == "outcome_unknown times=5 status=200"
    assert len([call for call in cleo.asked() if call.target == CLEO.target]) == 5


@pytest.mark.parametrize("fault", UNREADABLE.values(), ids=UNREADABLE)
def test_a_persona_that_answers_nobody_readably_waits_behind_its_circuit(
    cleo: Any, tell: Callable[..., Any], store: Store, fault: dict[str, Any]
) -> None:
    cleo.fail(**fault, persona="cleo")
    leads = [Conversation("cleo", f"instagram/lead{number}") for number in range(12)]
    for lead in leads:
        cleo.producer.enqueue(tell(target=lead.target.partition("/")[2]))
    for _ in range(6):
        for lead in leads:
            cleo.work(lead, turns=1)
    assert cleo.fates() == {"waiting": 12}
    assert "circuit_until" in store.personas.gates("cleo")
    assert len(cleo.asked()) < 2 * len(leads)


def test_an_upload_with_an_unreadable_answer_is_made_again(cleo: Any, tell: Callable[..., Any], presigned: str) -> None:
    cleo.fail(FaultKind.NOT_JSON, persona="cleo", first=1)
    cleo.producer.enqueue(tell(message="", attachments=[{"url": presigned}]))
    assert cleo.work(CLEO)[-1] == "answered"
    assert cleo.texts()[0][0].startswith("You sent an image: http://")


def test_two_leads_with_one_event_id_are_two_events_for_the_server(cleo: Any, tell: Callable[..., Any]) -> None:
    for target in ("mark", "eve"):
        cleo.producer.enqueue(tell(EventTrigger, target=target, event_id="e-1", event_type="new_follower"))
        cleo.work(Conversation("cleo", f"instagram/{target}"))
    first, second = (call.fields["external_event_id"] for call in cleo.asked())
    assert first != second
    assert len(first) == 32


def test_a_chat_that_had_landed_is_text_lost_and_never_nothing_to_say(cleo: Any, tell: Callable[..., Any]) -> None:
    cleo.fail(FaultKind.ACT_THEN_DROP, persona="cleo", first=1)
    cleo.producer.enqueue(tell())
    assert cleo.work(CLEO)[-1].startswith("answered: text lost")
    assert [call.status for call in cleo.asked()] == [None, 200]


def test_text_lost_can_be_followed_by_a_line(make_cleo: Callable[..., Any], tell: Callable[..., Any]) -> None:
    cleo = make_cleo(on_text_lost={"action": "line", "line": "Sorry, say that again?"})
    cleo.fail(FaultKind.ACT_THEN_DROP, persona="cleo", first=1)
    cleo.producer.enqueue(tell())
    assert cleo.work(CLEO)[-1].startswith("answered: text lost")
    assert cleo.texts() == [["Sorry, say that again?"]]


def test_text_lost_can_call_a_person(make_cleo: Callable[..., Any], tell: Callable[..., Any]) -> None:
    cleo = make_cleo(on_text_lost={"action": "person"})
    cleo.fail(FaultKind.ACT_THEN_DROP, persona="cleo", first=1)
    cleo.producer.enqueue(tell())
    cleo.work(CLEO)
    [delivery] = cleo.delivered()
    assert delivery.actions
    assert delivery.actions[0]["id"] == "escalateToHuman"


def test_a_lead_who_repeats_himself_is_told_apart_from_our_own_repeat(cleo: Any, tell: Callable[..., Any]) -> None:
    cleo.producer.enqueue(tell())
    cleo.work(CLEO)
    cleo.fail(FaultKind.DROP, persona="cleo", first=1)
    cleo.producer.enqueue(tell())
    assert cleo.work(CLEO)[-1].startswith("answered: the persona had nothing to say"), (
        "the server would be silent in any case"
    )
    cleo.producer.enqueue(tell(message="something else"))
    assert cleo.work(CLEO) == ["answered"]


def test_an_answer_of_thousands_of_bubbles_is_sent_as_few_and_says_what_is_missing(
    cleo: Any, tell: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    cleo.fail(persona="cleo", first=1, status=200, body={"data": {"bubbles": ["a"] * 20_000}})
    cleo.producer.enqueue(tell())
    assert cleo.work(CLEO) == ["answered"]
    [texts] = cleo.texts()
    assert (len(texts), len(texts[-1])) == (100, 9999)
    missing = "bubbles: 14901 of them, an answer is at most 100 messages"
    assert f"left out of an answer: {missing}" in caplog.messages
    assert [m.details[0] for m in cleo.parts.store.timeline.of(CLEO) if m.word == "left out"] == [missing]


@pytest.mark.parametrize("paused", ["null", "plan_limit"])
def test_an_odd_pause_beside_a_reply_costs_no_reply_and_holds_no_other_lead(
    cleo: Any, tell: Callable[..., Any], paused: str
) -> None:
    cleo.fail(persona="cleo", first=1, status=200, body={"data": {"bubbles": [{"text": "hello"}], "paused": paused}})
    cleo.producer.enqueue(tell())
    assert cleo.work(CLEO) == ["answered"]
    assert cleo.texts() == [["hello"]]
    assert cleo.parts.store.personas.gates("cleo") == {}


@pytest.mark.parametrize("word", ["pregnant", "mark"])
def test_a_word_of_the_lead_is_no_reason_that_a_log_or_a_timeline_shows(
    cleo: Any, tell: Callable[..., Any], caplog: pytest.LogCaptureFixture, word: str
) -> None:
    caplog.set_level("DEBUG")
    body = {"data": {"bubbles": [], "silent": word}}
    cleo.fail(persona="cleo", first=1, status=200, body=body)
    cleo.producer.enqueue(tell(message="I am pregnant"))
    assert cleo.work(CLEO) == ["answered: the persona had nothing to say: other"]
    cleo.parts.pulling.run()
    assert cleo.parts.store.drift.recent() == {"reason silent.unnamed": 1}
    told = [record for record in caplog.records if record.name.startswith("parley")]
    assert [record.detail for record in told if hasattr(record, "detail")] == ["reason=other"]
    assert word not in str([record.getMessage() for record in told])
    assert word not in str([moment.details for moment in cleo.parts.store.timeline.of(CLEO)])


# Drift


def test_what_the_contract_does_not_know_is_counted_by_name_and_costs_nothing(
    cleo: Any, tell: Callable[..., Any]
) -> None:
    data = {"bubbles": [{"text": "hello", "tone": "warm"}], "mood": "TOP SECRET", "silent": "cooldown"}
    cleo.fail(persona="cleo", first=1, status=299, body={"data": data})
    cleo.producer.enqueue(tell())
    assert cleo.work(CLEO) == ["answered"]
    assert cleo.texts() == [["hello"]]
    cleo.parts.pulling.run()
    found = cleo.parts.store.drift.recent()
    assert found == {"field bubble.tone": 1, "field chat.mood": 1, "reason silent.cooldown": 1, "status 299": 1}


def test_the_simulated_server_answers_by_the_contract(cleo: Any, tell: Callable[..., Any], presigned: str) -> None:
    events = (
        tell(message="photo please"),
        tell(EventTrigger, event_type="story_reaction"),
        tell(AiOpener, target="eve"),
    )
    for event in (*events, tell(message="", attachments=[{"url": presigned}])):
        cleo.producer.enqueue(event)
    cleo.work(CLEO)
    cleo.work(Conversation("cleo", "instagram/eve"))
    cleo.parts.pulling.run()
    assert cleo.parts.store.drift.recent() == {}


def test_a_trigger_that_fluidtalk_does_not_know_is_skipped(
    cleo: Any, tell: Callable[..., Any], upstreams: SimulatedUpstreams
) -> None:
    body = {"data": {"bubbles": [], "fireable_event_ids": ["outreach", "comment"]}}
    rule = FaultRule(kind=FaultKind.ANSWER, path="/api/v1/characters/triggers", status=200, body=body)
    upstreams.add_fault(rule)
    cleo.producer.enqueue(tell(EventTrigger, event_type="coment"))
    assert cleo.work(CLEO) == ["skipped: FluidTalk does not know this type of event; parley check names those it knows"]
    cleo.parts.pulling.run()
    assert cleo.parts.store.drift.recent() == {}, "the contract has it"
    assert cleo.parts.store.trigger_types.recent() == {"cleo coment": 1}


# Credits


def test_an_empty_wallet_holds_conversations_that_have_begun_too(
    cleo: Any, tell: Callable[..., Any], upstreams: SimulatedUpstreams, store: Store, try_gate: Callable[..., Any]
) -> None:
    cleo.producer.enqueue(tell(message="one"))
    assert cleo.work(CLEO) == ["answered"]
    upstreams.set_credits("cleo", 0)
    cleo.producer.enqueue(tell(message="two"))
    cleo.run(CLEO)
    cleo.producer.enqueue(tell(target="eve", message="three"))
    asked = len(cleo.asked())
    assert cleo.run(Conversation("cleo", "instagram/eve")).startswith("held")
    assert len(cleo.asked()) == asked, "nobody else asks"
    upstreams.set_credits("cleo", None)
    assert try_gate("credits", "cleo") == Conversation("cleo", "instagram/eve")
    assert cleo.work(Conversation("cleo", "instagram/eve"))[-1] == "answered"
    assert cleo.work(CLEO)[-1] == "answered"


# At the door


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"kind": FollowUp}, "follow-ups of persona cleo are written by FluidTalk"),
        ({"kind": EventTrigger, "event_type": "outreach"}, "enqueue an AiOpener"),
        ({"persona": "ava", "platform": "instagram"}, "platform: persona ava has none"),
        ({"target": "x" * 250}, "the limit is 256"),
    ],
)
def test_what_this_api_cannot_do_is_refused_at_the_door(
    cleo: Any, tell: Callable[..., Any], fields: dict[str, Any], says: str
) -> None:
    with pytest.raises(InvalidEvent, match=says):
        cleo.producer.enqueue(tell(**fields))


def test_a_sandbox_wants_handles_of_its_own(make_cleo: Callable[..., Any], tell: Callable[..., Any]) -> None:
    cleo = make_cleo(mode="sandbox")
    with pytest.raises(InvalidEvent, match="begin with test_"):
        cleo.producer.enqueue(tell())
    cleo.producer.enqueue(tell(target="test_mark"))
    assert cleo.work(Conversation("cleo", "instagram/test_mark")) == ["answered"]


def test_no_cadence_runs_for_it(make_cleo: Callable[..., Any], tell: Callable[..., Any], store: Store) -> None:
    cleo = make_cleo({"follow_ups": {"delays_seconds": (60,)}})
    cleo.producer.enqueue(tell())
    cleo.work(CLEO)
    assert store.redis.zcard(store.keys.of(CLEO).follow_ups) == 0


SEPARATE = {"separate_accounts": "cleo_de,cleo_en", "own_username": "cleo_de"}


def test_separate_accounts_talk_to_a_lead_independently(
    make_cleo: Callable[..., Any], tell: Callable[..., Any]
) -> None:
    cleo = make_cleo(**SEPARATE)
    for event in (tell(), tell(own_username="cleo_en"), tell(target="instagram/cleo_en/mark", message="again")):
        cleo.producer.enqueue(event)
    assert cleo.work(Conversation("cleo", "instagram/cleo_de/mark")) == ["answered"]
    assert cleo.work(Conversation("cleo", "instagram/cleo_en/mark")) == ["answered, joined 1"]
    assert [(call.target, call.fields["own_username"]) for call in cleo.asked()] == [
        ("instagram/mark", "cleo_de"),
        ("instagram/mark", "cleo_en"),
    ]


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ({"own_username": "cleo_fr"}, "own_username: it names an account that persona cleo does not have"),
        ({"target": "instagram/cleo_fr/mark"}, "target: it names an account that persona cleo does not have"),
        ({"target": "instagram/cleo_de/mark", "own_username": "cleo_en"}, "the target names the account cleo_de"),
    ],
)
def test_an_account_that_is_not_known_is_refused(
    make_cleo: Callable[..., Any], tell: Callable[..., Any], named: dict[str, str], says: str
) -> None:
    with pytest.raises(InvalidEvent, match=says):
        make_cleo(**SEPARATE).producer.enqueue(tell(**named))


def test_an_event_that_names_no_account_is_refused_if_none_is_usual(
    make_cleo: Callable[..., Any], tell: Callable[..., Any]
) -> None:
    with pytest.raises(InvalidEvent, match=r"separate accounts \(cleo_de, cleo_en\): name the one"):
        make_cleo(separate_accounts="cleo_de,cleo_en").producer.enqueue(tell())


def test_with_separate_accounts_a_test_mode_wants_test_handles(
    make_cleo: Callable[..., Any], tell: Callable[..., Any]
) -> None:
    cleo = make_cleo(**SEPARATE, mode="mock")
    assert cleo.producer.enqueue(tell(target="test_mark")).status == "accepted"
    with pytest.raises(InvalidEvent, match="begin with test_"):
        cleo.producer.enqueue(tell(target="instagram/cleo_de/mark"))
