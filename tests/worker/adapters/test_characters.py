"""Events become calls of the Characters API; its results and errors become the domain's words."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from worker.adapters.characters import CharactersPersona
from worker.clients import fluidtalk
from worker.clients.fluidtalk import Bubble, CharacterReply, EventResult, MediaResult, Vision
from worker.clients.fluidtalk.errors import character_error_for
from worker.domain import failures
from worker.domain.answer import Answer
from worker.domain.events import AiOpener, ChannelContext, EventTrigger, FollowUp, InboundChat, MoneyEvent

NAMED = {"persona": "cleo", "target": "instagram/mark"}


class Client(fluidtalk.Characters):
    """Notes each call and answers it with what it was given: a result, or an error to raise."""

    def __init__(self, answer: Any) -> None:
        super().__init__("ftc_live_1")
        self.answer = answer
        self.named: list[dict[str, Any]] = []

    def _noted(self, **named: Any) -> Any:
        self.named.append({name: value for name, value in named.items() if value is not None})
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    chat = trigger = event = inbound_media = self_test = _noted


def persona(answer: Any, own_username: str | None = None) -> tuple[CharactersPersona, Client]:
    client = Client(answer)
    return CharactersPersona(client, "cleo", "telegram", own_username), client


def answer_to(kind: type = InboundChat, **reply: Any) -> Answer:
    fields = {"message": "hi"} if kind is InboundChat else {}
    return persona(CharacterReply(**reply))[0].ask((kind(**NAMED, **fields),), None)


def test_a_chat_says_where_the_lead_writes() -> None:
    cleo, client = persona(CharacterReply(), "@our_account")
    cleo.ask(
        (InboundChat(**NAMED, message="one"), InboundChat(**NAMED, message="two", own_username="@other")),
        "https://i.test",
    )
    assert client.named == [
        {
            "platform": "instagram",
            "handle": "mark",
            "message": "one\ntwo",
            "image_url": "https://i.test",
            "own_username": "@other",
        }
    ]


def test_a_target_without_a_platform_is_on_the_usual_one() -> None:
    cleo, client = persona(CharacterReply())
    cleo.ask((AiOpener(persona="cleo", target="mark"),), None)
    assert (client.named[0]["platform"], client.named[0]["handle"]) == ("telegram", "mark")


def test_a_target_of_separate_accounts_names_the_account() -> None:
    client = Client(CharacterReply())
    cleo = CharactersPersona(client, "cleo", "telegram", "cleo_de", separate_accounts=True)
    cleo.ask((InboundChat(persona="cleo", target="x/cleo_en/@finn", message="hi"),), None)
    cleo.ask((MoneyEvent(persona="cleo", target="x/cleo_en/@finn", event_type="refund"),), None)
    said, told = client.named
    assert (said["platform"], said["own_username"], said["handle"]) == ("x", "cleo_en", "@finn")
    assert (told["platform"], told["handle"]) == ("x", "@finn")


def test_without_separate_accounts_a_handle_keeps_its_slash() -> None:
    cleo, client = persona(CharacterReply())
    cleo.ask((InboundChat(persona="cleo", target="x/cleo_en/@finn", message="hi"),), None)
    assert client.named[0]["handle"] == "cleo_en/@finn"


@pytest.mark.parametrize(("target", "platform"), [("x/@finn", "x"), ("@finn", "telegram")])
def test_an_image_is_hosted_where_the_lead_writes(target: str, platform: str) -> None:
    cleo, client = persona(MediaResult(url="https://hosted/a.png"))
    assert cleo.host(target, b"bytes", "a.png") == "https://hosted/a.png"
    assert client.named == [{"platform": platform, "data": b"bytes", "filename": "a.png"}]


def test_the_id_of_a_trigger_is_the_same_at_each_try_and_another_for_each_lead_and_event() -> None:
    def id_of(target: str, event_id: str) -> str:
        cleo, client = persona(CharacterReply())
        cleo.ask((EventTrigger(persona="cleo", target=target, event_id=event_id, event_type="e"),), None)
        made: str = client.named[0]["external_event_id"]
        return made

    ids = {id_of(target, event_id) for target in ("x/a", "x/b") for event_id in ("1", "2") for _ in range(3)}
    assert len(ids) == 4
    assert all(made.isascii() and len(made) == 32 for made in ids)


def test_bubbles_keep_their_order_photos_and_pauses() -> None:
    photo = Bubble("", 500, "https://i.test/1.jpg")
    found = answer_to(bubbles=[Bubble("look", 0), photo, Bubble("nice?")])
    assert found.bubbles == ("look", "https://i.test/1.jpg", "nice?")
    assert (found.photos, found.delays) == ((1,), (0.0, 0.5, 0.0))


def test_a_bubble_with_text_and_image_loses_neither() -> None:
    found = answer_to(bubbles=[Bubble("look", 500, "https://i.test/1.jpg"), Bubble("nice?", 300)])
    assert found.bubbles == ("https://i.test/1.jpg", "look", "nice?")
    assert (found.photos, found.delays) == ((0,), (0.5, 0.0, 0.3))


def test_only_a_claimed_lead_is_owned_elsewhere() -> None:
    assert answer_to(ignored=True, ignore_reason="lead_claimed_by_other_account").ignored
    other = answer_to(ignored=True, ignore_reason="some_reason")
    assert (other.ignored, other.continued, other.silence) == (False, False, "some_reason")
    assert answer_to(AiOpener, ignored=True, ignore_reason="live_chat").continued


@pytest.mark.parametrize(
    ("reply", "repeated", "silence"),
    [
        ({"silent": "duplicate_message"}, True, "duplicate_message"),
        ({"deduped": True}, True, ""),
        ({"silent": "the persona thinks @mark is rude"}, False, "other"),
        ({}, False, ""),
    ],
)
def test_why_it_says_nothing_is_a_word(reply: dict[str, Any], repeated: bool, silence: str) -> None:
    found = answer_to(**reply)
    assert (found.repeated, found.silence) == (repeated, silence)


CHANNEL = ChannelContext(session_id="s-1", metadata={"user": {"names": ["Marcus Aurelius"]}})


@pytest.mark.parametrize(
    "reason",
    [
        "pregnant",
        "Pregnant",
        "is_pregnant",
        "mark",
        "lead_mark_left",
        "our_account",
        "usual_account",
        "diagnosis",
        "aurelius",
        "hosted_scan",
    ],
)
def test_a_word_that_was_said_is_no_reason_to_show(reason: str) -> None:
    cleo, client = persona(None, "usual_account")
    chats = (
        InboundChat(**NAMED, message="I am pregnant", channel=CHANNEL),
        InboundChat(**NAMED, message="and you?", documents=["Your diagnosis: none"], own_username="our_account"),
    )

    def answer(**reply: Any) -> Answer:
        client.answer = CharacterReply(**reply)
        return cleo.ask(chats, "https://i.test/hosted_scan.png")

    assert answer(silent=reason).silence == "other"
    assert answer(ignored=True, ignore_reason=reason).silence == "other"
    unseen = answer(bubbles=[Bubble("ok")], vision=Vision(seen=False, reason=reason))
    assert [str(each) for each in unseen.left_out] == ["image: FluidTalk has not seen it (other)"]
    with pytest.raises(failures.WalletEmpty) as failed:
        answer(paused=True, pause_reason=reason)
    assert (failed.value.why, str(failed.value)) == ("other", "the persona is paused: other")


def test_a_word_of_an_events_context_is_no_reason_to_show() -> None:
    cleo, _ = persona(CharacterReply(silent="divorced"))
    event = EventTrigger(**NAMED, event_type="e", context={"notes": ["she is", {"of_her": "Divorced, two children"}]})
    assert cleo.ask((event,), None).silence == "other"


@pytest.mark.parametrize("message", ["message", "what is your plan? I lead two accounts", "duplicate_message"])
@pytest.mark.parametrize("reason", ["duplicate_message", "plan_limit", "lead_claimed_by_other_account"])
def test_a_reason_of_the_contract_is_shown_whatever_the_lead_says(reason: str, message: str) -> None:
    cleo, _ = persona(CharacterReply(silent=reason))
    assert cleo.ask((InboundChat(**NAMED, message=message),), None).silence == reason


@pytest.mark.parametrize(
    ("fireable", "unknown"), [(["outreach", "b"], True), (["a", "b"], False), ([], True), (None, False)]
)
def test_a_trigger_that_the_server_does_not_know_is_told_from_silence(
    fireable: list[str] | None, unknown: bool
) -> None:
    cleo, _ = persona(CharacterReply(fireable_event_ids=fireable))
    assert cleo.ask((EventTrigger(**NAMED, event_type="a"),), None).no_such_trigger is unknown
    assert not cleo.ask((AiOpener(**NAMED),), None).no_such_trigger


def test_the_types_of_platform_events_that_it_is_told_of_are_noted() -> None:
    told_of: list[str] = []
    cleo = CharactersPersona(Client(CharacterReply()), "cleo", "telegram", told_of=told_of.append)
    for event_type in ("story_reaction", "a sentence, not a type", "gift.sent"):
        cleo.ask((EventTrigger(**NAMED, event_type=event_type),), None)
    cleo.ask((AiOpener(**NAMED),), None)
    assert told_of == ["story_reaction", "gift.sent"]


@pytest.mark.parametrize(
    ("vision", "said"),
    [
        (Vision(seen=False, reason="too_dark"), ["image: FluidTalk has not seen it (too_dark)"]),
        (Vision(seen=False, reason="what @mark sent is rude"), ["image: FluidTalk has not seen it (other)"]),
        (Vision(seen=False), ["image: FluidTalk has not seen it (no reason told)"]),
        (Vision(seen=True), []),
        (Vision(), []),
        (None, []),
    ],
)
def test_an_image_that_was_not_seen_is_named_and_the_answer_goes_out(vision: Vision | None, said: list[str]) -> None:
    found = answer_to(bubbles=[Bubble("nice")], vision=vision)
    assert (found.bubbles, [str(each) for each in found.left_out]) == (("nice",), said)


@pytest.mark.parametrize(("reason", "why"), [("plan_limit", "plan_limit"), (None, "no_reason"), ("a b", "other")])
def test_a_paused_persona_is_no_silence(reason: str | None, why: str) -> None:
    with pytest.raises(failures.WalletEmpty) as failed:
        answer_to(paused=True, pause_reason=reason)
    assert failed.value.why == why


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (fluidtalk.NotFound, failures.Rejected),
        (fluidtalk.Conflict, failures.OutcomeUnknown),
        (fluidtalk.CreditsExhausted, failures.WalletEmpty),
        (fluidtalk.Unauthorized, failures.KeyRefused),
        (fluidtalk.Throttled, failures.Throttled),
        (fluidtalk.OutcomeUnknown, failures.OutcomeUnknown),
    ],
)
def test_errors_become_the_domains_words(error: Any, kind: type[Exception]) -> None:
    cleo, _ = persona(error(402, None, "said", retry_after=3.0))
    for call in (
        lambda: cleo.ask((AiOpener(**NAMED),), None),
        lambda: cleo.host("instagram/mark", b"x", "a.png"),
        cleo.try_out,
    ):
        with pytest.raises(failures.CallFailed) as failed:
            call()
        assert type(failed.value) is kind
        assert (failed.value.status, failed.value.retry_after) == (402, 3.0)


def test_a_follow_up_on_demand_is_not_sent() -> None:
    cleo, client = persona(CharacterReply())
    with pytest.raises(failures.Unsendable):
        cleo.ask((FollowUp(**NAMED),), None)
    assert client.named == []


def test_words_are_recognised_without_being_kept() -> None:
    cleo, _ = persona(CharacterReply())
    one, same, other = ((InboundChat(**NAMED, message=text),) for text in ("hi", "hi", "hello"))
    assert cleo.echo_of(one) == cleo.echo_of(same) != cleo.echo_of(other)
    assert "hi" not in cleo.echo_of(one)
    assert cleo.echo_of((AiOpener(**NAMED),)) == ""


def test_money_is_told_with_exact_numbers_and_an_id_of_its_own() -> None:
    cleo, client = persona(EventResult())
    named = {**NAMED, "event_type": "refund"}
    told = [
        MoneyEvent(**named, amount="19.90", currency="EUR", raw={"a": 1}, external_event_id="pay_1"),
        MoneyEvent(**named, amount=20, event_id="e-1"),
        MoneyEvent(**named, amount="999999999999.999", event_id="e-1"),
        MoneyEvent(**{**named, "target": "instagram/eve"}, event_id="e-1"),
    ]
    assert [cleo.ask((event,), None) for event in told] == [Answer()] * 4
    first, whole, large, other = client.named
    assert first == {
        "platform": "instagram",
        "handle": "mark",
        "external_event_id": "pay_1",
        "event_type": "refund",
        "amount": 19.9,
        "currency": "EUR",
        "raw": {"a": 1},
    }
    assert [json.dumps(each["amount"]) for each in (first, whole, large)] == ["19.9", "20", "999999999999.999"]
    assert whole["external_event_id"] == large["external_event_id"] != other["external_event_id"]
    assert "amount" not in other


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, failures.KeyRefused),
        (402, failures.WalletEmpty),
        (403, failures.Rejected),
        (404, failures.Rejected),
        (409, failures.OutcomeUnknown),
        (500, failures.OutcomeUnknown),
        (503, failures.Unavailable),
    ],
)
def test_what_a_refused_telling_means(status: int, kind: type[Exception]) -> None:
    cleo, _ = persona(character_error_for(status, {}, None))
    with pytest.raises(failures.CallFailed) as failed:
        cleo.ask((MoneyEvent(**NAMED, event_type="purchase"),), None)
    assert type(failed.value) is kind


@pytest.mark.parametrize(
    "event",
    [
        MoneyEvent(**NAMED, event_type="purchase"),
        AiOpener(**NAMED),
        EventTrigger(**NAMED, event_type="x"),
        InboundChat(**NAMED, message="hi"),
    ],
    ids=lambda event: event.kind,
)
def test_what_is_answered_unreadably_may_be_called_again(event: Any) -> None:
    cleo, _ = persona(fluidtalk.BadReply(200, {}, "bad"))
    with pytest.raises(failures.OutcomeUnknown):
        cleo.ask((event,), None)


@pytest.mark.parametrize(
    "error",
    [
        fluidtalk.NotFound(404, None, "a page"),
        fluidtalk.Conflict(409, None, "a page"),
        fluidtalk.Unauthorized(403, None, "a page"),
        fluidtalk.Rejected(307, None, "a redirect"),
    ],
    ids=lambda error: str(error.status),
)
def test_what_is_no_answer_of_fluidtalk_says_nothing_about_the_call(error: Any) -> None:
    error.foreign = True
    cleo, _ = persona(error)
    for call in (
        lambda: cleo.ask((AiOpener(**NAMED),), None),
        lambda: cleo.ask((MoneyEvent(**NAMED, event_type="purchase"),), None),
    ):
        with pytest.raises(failures.Unavailable):
            call()


@pytest.mark.parametrize("error", [fluidtalk.NotFound, fluidtalk.Conflict], ids=["404", "409"])
def test_what_fluidtalk_does_not_know_is_acknowledged_but_a_page_acknowledges_nothing(error: Any) -> None:
    cleo, client = persona(error(404, None, "said"))
    client.followups = SimpleNamespace(ack=lambda ref: client.chat(ref=ref))
    cleo.acknowledge("f-1")
    client.answer.foreign = True
    with pytest.raises(failures.Unavailable):
        cleo.acknowledge("f-1")
    assert client.named == [{"ref": "f-1"}] * 2
