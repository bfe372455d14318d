"""The two tables of docs/architecture.md, row by row: unknown outcomes, and what an answer means."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from config.settings import Escalation, Persona, Retry, Unknown
from worker.domain import failures
from worker.domain.answer import Answer
from worker.domain.decisions import (
    Ask,
    Deliver,
    End,
    Known,
    Rules,
    Send,
    Wait,
    before_asking,
    before_sending,
    of_answer,
    of_ask_failure,
    of_delivery,
    of_image_failure,
    of_poison,
    verdict_on_opener,
)
from worker.domain.failures import CallFailed, ImageUnavailable
from worker.domain.reply import Reply
from worker.domain.retry import UNTRIED, Failure, Tries
from worker.domain.vocabulary import KINDS, Cause, stored

NOW = 1_000_000


@dataclass(frozen=True)
class Head:
    """The head of an inbox as the journal knows it; by default at its first attempt."""

    kind: str = "inbound_chat"
    accepted_at: int = 500_000
    asks: int = 1
    ask_unknowns: int = 0
    asks_vanished: int = 0
    asks_handed_over: int = 0
    sends: int = 1
    send_unknowns: int = 0
    sends_vanished: int = 0
    sends_handed_over: int = 0
    killed_alone: int = 0
    reply: str | None = None
    bubbles_sent: int = 0
    failures: int = 0
    failures_ms: int = 0
    failed: Failure | None = None


def rules(**policies: object) -> Rules:
    return Rules(Persona(api_key="k", **policies), Retry())


MESSAGES = [kind for kind, rules_of_it in KINDS.items() if not rules_of_it.only_told]
RULES = rules()
HUMAN = Escalation(action="escalate_to_human")


def failure_of(status: int, **fields: object) -> CallFailed:
    """What an answer of the persona with this status is (0: no connection; -1: no answer)."""
    kinds = {
        0: failures.Unavailable,
        -1: failures.OutcomeUnknown,
        200: failures.BadReply,
        401: failures.KeyRefused,
        403: failures.KeyRefused,
        402: failures.CreditsOut,
        404: failures.NoConversation,
        503: failures.Unavailable,
    }
    kind = kinds.get(status)
    if kind is None:
        kind = (
            failures.Throttled
            if status in (408, 425, 429)
            else failures.OutcomeUnknown
            if status >= 500
            else failures.Rejected
        )
    return kind(status=max(status, 0), **fields)


def ask_failure(status: int, head: Head | None = None, given: Rules = RULES, made: Tries = UNTRIED, **fields: object):
    return of_ask_failure(head or Head(), failure_of(status, **fields), made, given, random.Random(1))


# Unknown outcomes


@pytest.mark.parametrize("how", ["ask_unknowns", "asks_vanished"])
def test_unknown_inbound_chat_is_asked_once_more_and_marked(how):
    assert before_asking(Head(**{how: 1}), Known(), RULES) == Ask(second=True)


def test_a_chat_is_asked_again_as_long_as_its_failures_may_be_an_outage():
    assert before_asking(Head(ask_unknowns=50), Known(), RULES) == Ask(second=True)


def test_a_chat_that_alone_gets_no_answer_while_others_do_ends():
    head = Head(ask_unknowns=5, failures=4, failed=Failure(NOW, "unknown", 1000, 5, "no answer"))
    assert before_asking(head, Known(tries=Tries(4, 90_000)), RULES) == Ask(second=True)
    end = before_asking(head, Known(tries=Tries(5, 150_000, judged=True)), RULES)
    assert end == End("dead", Cause.OUTCOME_UNKNOWN, "times=5")


def test_an_image_that_alone_cannot_be_hosted_is_left_out():
    head = Head(failed=Failure(NOW, "image", 1000, 3, "image cannot be hosted yet"))
    assert before_asking(head, Known(tries=Tries(3, 9000)), RULES) == Ask(second=False, without_image=True)


def test_unknown_opener_is_probed_and_continued_with_empty_text_proves_that_the_first_landed():
    head = Head(kind="ai_opener", ask_unknowns=1)
    assert before_asking(head, Known(), RULES) == Ask(second=True)
    end = of_answer("ai_opener", Answer(continued=True), second=True)
    assert (end.fate, end.mark) == ("answered", "started")
    assert end.cause is Cause.TEXT_LOST


def test_unknown_event_trigger_is_a_dead_letter_unless_the_policy_says_retry():
    head = Head(kind="event_trigger", ask_unknowns=1)
    assert before_asking(head, Known(), RULES).fate == "dead"
    again = rules(unknown=Unknown(event_trigger="ask_again"))
    assert before_asking(head, Known(), again) == Ask(second=True)


def test_unknown_follow_up_is_skipped():
    assert before_asking(Head(kind="follow_up", asks_vanished=1), Known(), RULES).fate == "skipped"


@pytest.mark.parametrize(
    ("kind", "fate"), [("inbound_chat", None), ("ai_opener", None), ("event_trigger", "dead"), ("follow_up", "skipped")]
)
@pytest.mark.parametrize("status", [-1, 500, 502, 504])
def test_an_unknown_call_waits_or_ends_at_once(kind, fate, status):
    decision = ask_failure(status, Head(kind=kind))
    if fate:
        assert decision.fate == fate
    else:
        assert isinstance(decision, Wait)
        assert decision.unknown
        assert decision.failed.what == "unknown"


@pytest.mark.parametrize(
    "failure",
    [
        failures.OutcomeUnknown(status=0),
        failures.Unavailable(status=503),
        failures.Throttled(status=429),
        ImageUnavailable("slow", retryable=True),
    ],
)
def test_an_image_that_cannot_be_hosted_yet_is_tried_again_and_was_not_an_ask(failure):
    decision = of_image_failure(Head(), failure, True, UNTRIED, RULES, random.Random(1))
    assert isinstance(decision, Wait)
    assert not decision.unknown


@pytest.mark.parametrize("failure", [failures.Rejected(status=415), ImageUnavailable("gone", retryable=False)])
def test_an_image_that_can_never_be_hosted_is_left_out_if_there_are_words(failure):
    assert of_image_failure(Head(), failure, True, UNTRIED, RULES, random.Random(1)) is None
    assert of_image_failure(Head(), failure, False, UNTRIED, RULES, random.Random(1)).fate == "dead"


def test_an_unknown_delivery_is_sent_again_and_marked():
    decision = of_delivery(Head(), Reply(), failures.OutcomeUnknown(status=0), UNTRIED, RULES, random.Random(1))
    assert decision.unknown
    assert before_sending(Head(send_unknowns=1), UNTRIED, RULES) == Send(resent=True)
    assert before_sending(Head(sends_vanished=1), UNTRIED, RULES) == Send(resent=True)


def test_an_unknown_delivery_under_the_hold_policy_waits_for_a_person():
    hold = rules(unknown=Unknown(delivery="hold"))
    failure = failures.OutcomeUnknown(status=0)
    assert of_delivery(Head(), Reply(), failure, UNTRIED, hold, random.Random(1)) == End(
        "dead", Cause.DELIVERY_UNCONFIRMED
    )
    assert before_sending(Head(sends_vanished=1), UNTRIED, hold) == End("dead", Cause.DELIVERY_UNCONFIRMED)


# What an answer means


def test_bubbles_and_the_photo_last():
    answer = Answer(("a", "b"), "https://x/p.jpg")
    assert of_answer("inbound_chat", answer, second=False) == Deliver(Reply(("a", "b"), "https://x/p.jpg"))


@pytest.mark.parametrize("kind", ["ai_opener", "event_trigger", "follow_up"])
@pytest.mark.parametrize("continued", [False, True])
def test_a_message_is_one_bubble_also_when_an_event_was_folded_in(kind, continued):
    answer = Answer(("hello",), continued=continued)
    assert of_answer(kind, answer, second=False) == Deliver(Reply(("hello",)))


@pytest.mark.parametrize("kind", MESSAGES)
def test_ignored_sends_nothing_and_is_remembered(kind):
    answer = Answer(("x",), ignored=True)
    assert of_answer(kind, answer, second=False) == End("ignored", Cause.OWNED_ELSEWHERE, mark="owned_elsewhere")


def test_continued_and_empty_sends_nothing():
    assert of_answer("ai_opener", Answer(continued=True), second=False).fate == "skipped"


@pytest.mark.parametrize("kind", KINDS)
def test_success_without_text_sends_nothing(kind):
    assert of_answer(kind, Answer(), second=False).fate == "answered"


def test_done_seals_the_conversation():
    sealed = failures.Sealed(status=400)
    decision = of_ask_failure(Head(), sealed, UNTRIED, RULES, random.Random(1))
    assert (decision.fate, decision.mark) == ("sealed", "sealed")
    loud = of_ask_failure(Head(), sealed, UNTRIED, rules(on_sealed=HUMAN), random.Random(1))
    assert (loud.reply.fate, loud.reply.mark, loud.reply.escalation["action"]) == (
        "sealed",
        "sealed",
        "escalate_to_human",
    )


@pytest.mark.parametrize("kind", MESSAGES)
def test_a_sealed_conversation_never_costs_a_call(kind):
    assert before_asking(Head(kind=kind), Known(sealed=True), RULES).fate == "sealed"


def test_what_is_only_told_is_told_in_a_sealed_conversation_and_its_answer_says_nothing():
    assert before_asking(Head(kind="money_event"), Known(sealed=True), RULES) == Ask(second=False)
    for answer in (Answer(), Answer(("x",)), Answer(ignored=True)):
        assert of_answer("money_event", answer, second=False) == End("answered", Cause.ONLY_TOLD)


def test_what_is_only_told_has_no_farewell():
    loud, refused = rules(on_dead=HUMAN), failures.Rejected(status=422)
    decision = of_ask_failure(Head(kind="money_event"), refused, UNTRIED, loud, random.Random(1))
    assert (decision.fate, decision.cause) == ("dead", Cause.PERSONA_REFUSED)


@pytest.mark.parametrize("status", [400, 404, 409, 413, 415, 422])
def test_other_refusals_are_dead_letters_with_status_and_detail(status):
    decision = ask_failure(status, detail={"detail": "why"})
    assert decision.fate == "dead"
    assert str(status) in decision.detail
    assert "why" in decision.quote
    assert "why" not in decision.detail


def test_404_on_a_follow_up_is_skipped():
    assert ask_failure(404, Head(kind="follow_up")).fate == "skipped"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_quarantined(status):
    decision = ask_failure(status, Head(asks=1000))
    assert (decision.gate, decision.unknown) == ("quarantined", False)


def test_402_holds_those_that_would_start():
    assert ask_failure(402, Head(asks=1000)).gate == "credits"


@pytest.mark.parametrize("status", [408, 425, 429])
def test_throttling_holds_the_whole_key_for_as_long_as_the_server_says(status):
    decision = ask_failure(status, retry_after=40.0)
    assert decision.gate == "hold"
    assert 40 <= decision.gate_seconds <= 41
    assert decision.gate_seconds + 0.5 <= decision.seconds <= 42.5, "behind those who waited meanwhile"


@pytest.mark.parametrize(("asks", "key_rests", "at_least"), [(1, 1.0, 1.5), (20, 5.0, 60.0)])
def test_throttling_without_a_time_rests_the_key_shortly_and_its_event_longer(asks, key_rests, at_least):
    decision = ask_failure(429, Head(asks=asks))
    assert (decision.gate_seconds, decision.seconds >= at_least) == (key_rests, True)


@pytest.mark.parametrize("status", [0, 503])
def test_an_unreachable_persona_backs_off_and_may_be_an_outage(status):
    decision = ask_failure(status)
    assert (decision.failed.what, decision.unknown) == ("unavailable", False)


def test_a_bad_reply_is_a_dead_letter_never_an_empty_answer():
    decision = ask_failure(200)
    assert decision.fate == "dead"
    assert decision.cause is Cause.BAD_REPLY


@pytest.mark.parametrize("made", [Tries(20, 1000), Tries(1, 3 * 86_400_000)])
def test_a_used_up_budget_is_a_dead_letter(made):
    head = Head(failed=Failure(NOW, "unavailable", 1000, 20, "persona unavailable (status 503)"))
    decision = before_asking(head, Known(tries=made), RULES)
    assert decision.fate == "dead"
    assert decision.cause is Cause.GAVE_UP


@pytest.mark.parametrize("status", [-1, 0, 402, 429, 500, 503])
def test_no_number_of_attempts_ends_an_event_as_long_as_nothing_says_that_it_is_the_cause(status):
    assert isinstance(ask_failure(status, Head(asks=100_000)), Wait)


def test_missing_credits_back_off_in_a_conversation_that_has_begun():
    assert ask_failure(402, Head(asks=1)).seconds <= 1
    assert ask_failure(402, Head(asks=8)).seconds >= 60


def test_on_dead_hands_the_lead_to_a_person():
    decision = ask_failure(422, given=rules(on_dead=HUMAN))
    assert (decision.reply.fate, decision.reply.escalation["action"]) == ("dead", "escalate_to_human")


# Captivate


@pytest.mark.parametrize("fate", ["answered", "sealed", "dead"])
def test_a_delivered_reply_ends_as_it_was_meant_to(fate):
    reply = Reply(fate=fate, reason="persona_refused status=422", mark="")
    assert of_delivery(Head(), reply, None, UNTRIED, RULES, random.Random(1)) == End(
        fate, Cause.PERSONA_REFUSED, "status=422"
    )


@pytest.mark.parametrize(
    "failure",
    [
        failures.Throttled(status=429, retry_after=9.0),
        failures.Unavailable(status=503, retry_after=9.0),
        failures.Unavailable(status=0, retry_after=9.0),
    ],
)
def test_a_channel_that_is_busy_gets_the_same_reply_later(failure):
    decision = of_delivery(Head(), Reply(), failure, UNTRIED, RULES, random.Random(1))
    assert isinstance(decision, Wait)
    assert not decision.unknown
    assert decision.seconds >= 9


def test_another_refusal_of_the_channel_is_a_dead_letter():
    decision = of_delivery(Head(), Reply(), failures.Rejected(status=404), UNTRIED, RULES, random.Random(1))
    assert decision == End("dead", Cause.DELIVERY_REFUSED, "status=404")


def test_a_delivery_that_fails_alone_for_too_long_is_a_dead_letter_without_a_farewell():
    given = rules(on_dead=HUMAN)
    head = Head(sends=21, failed=Failure(NOW, "unavailable", 1000, 20, "channel unavailable (status 503)"))
    assert before_sending(head, Tries(20, 1000), given).fate == "dead"


@pytest.mark.parametrize(
    "failure",
    [failures.Unavailable(status=503), failures.OutcomeUnknown(status=500), failures.KeyRefused(status=401)],
)
def test_an_outage_of_the_channel_ends_no_answer(failure):
    assert isinstance(of_delivery(Head(sends=1000), Reply(), failure, UNTRIED, RULES, random.Random(1)), Wait)


@pytest.mark.parametrize("status", [401, 403])
def test_a_conversation_that_alone_is_refused_by_the_channel_ends(status):
    wait = of_delivery(Head(), Reply(), failures.KeyRefused(status=status), UNTRIED, RULES, random.Random(1))
    head = Head(failed=Failure(NOW, "refused", 1000, wait.failed.limit, stored(wait.cause, wait.detail)))
    assert before_sending(head, Tries(2, 1000), RULES) == Send(resent=False)
    assert before_sending(head, Tries(3, 1000), RULES) == End("dead", Cause.DELIVERY_REFUSED, f"status={status}")


def test_bubbles_go_out_one_by_one_and_the_last_one_ends_the_turn():
    reply = Reply(bubbles=("a", "b"), photo_url="https://x/p.jpg", pauses=(1.5, 2.5))

    def after(sent: int) -> End | Wait:
        return of_delivery(Head(bubbles_sent=sent), reply, None, UNTRIED, RULES, random.Random(1))

    assert after(0) == Wait(1.5, Cause.PACING, "bubble=2 of=3", bubbles_sent=1)
    assert after(1) == Wait(2.5, Cause.PACING, "bubble=3 of=3", bubbles_sent=2)
    assert after(2) == End("answered", mark="started")


@pytest.mark.parametrize(
    ("failure", "cause", "detail"),
    [
        (failures.Rejected(status=422), Cause.DELIVERY_REFUSED, "status=422"),
        (failures.OutcomeUnknown(status=500), Cause.DELIVERY_UNCONFIRMED, "status=500"),
    ],
)
def test_who_finds_half_a_reply_among_the_dead_letters_reads_how_much_the_lead_has(failure, cause, detail):
    reply = Reply(bubbles=("a", "b", "c"), pauses=(1.0, 1.0))
    given = rules(unknown=Unknown(delivery="hold"))
    second, first = (
        of_delivery(Head(bubbles_sent=sent), reply, failure, UNTRIED, given, random.Random(1)) for sent in (1, 0)
    )
    assert second == End("dead", cause, f"{detail} bubbles=1".strip())
    assert first == End("dead", cause, detail)


# Before the call


@pytest.mark.parametrize("kind", ["ai_opener", "follow_up"])
def test_whoever_speaks_first_gives_way_to_a_lead_who_wrote(kind):
    head = Head(kind=kind)
    assert before_asking(head, Known(lead_wrote=True), RULES) == End("skipped", Cause.LEAD_WROTE)
    assert before_asking(head, Known(lead_wrote=False), RULES) == Ask(second=False)


def test_a_lead_of_another_account_costs_no_call_but_is_asked_for_when_writing():
    known = Known(owned_elsewhere=True)
    assert before_asking(Head(kind="ai_opener"), known, RULES).fate == "ignored"
    assert before_asking(Head(kind="follow_up"), known, RULES).fate == "ignored"
    assert before_asking(Head(), known, RULES) == Ask(second=False)


def test_what_dead_workers_had_in_hand_is_asked_again_any_number_of_times():
    assert before_asking(Head(asks_vanished=500), Known(), RULES) == Ask(second=True)
    assert before_sending(Head(sends_vanished=500, reply="{}"), UNTRIED, RULES) == Send(resent=True)


def test_what_killed_two_processes_that_had_nothing_else_in_hand_is_poison():
    assert before_asking(Head(asks_vanished=3, killed_alone=1), Known(), RULES) == Ask(second=True)
    dead = before_asking(Head(asks_vanished=3, killed_alone=2), Known(), RULES)
    assert dead == End("dead", Cause.POISON_ASKING, "times=3 killed=2")
    assert before_sending(Head(sends_vanished=3, killed_alone=1, reply="{}"), UNTRIED, RULES) == Send(resent=True)
    undelivered = before_sending(Head(sends_vanished=3, killed_alone=2, reply="{}"), UNTRIED, RULES)
    assert undelivered == End("dead", Cause.POISON_DELIVERING, "times=3 killed=2")


@pytest.mark.parametrize("reply", [None, "{}"])
def test_poison_is_known_without_a_look_at_what_it_says(reply):
    assert of_poison(Head(reply=reply, killed_alone=1), RULES) is None
    assert of_poison(Head(reply=reply, killed_alone=2), RULES).fate == "dead"
    told = of_poison(Head(killed_alone=2), rules(on_dead=HUMAN))
    assert isinstance(told, Deliver)
    assert told.reply.escalation == {"action": "escalate_to_human"}


def test_a_worker_that_was_told_to_end_says_nothing_about_the_event():
    assert before_asking(Head(asks_vanished=19, asks_handed_over=19), Known(), RULES) == Ask(second=True)
    made = Head(sends_vanished=19, sends_handed_over=19, reply="{}")
    assert before_sending(made, UNTRIED, RULES) == Send(resent=True)


def test_even_so_an_event_does_not_outlive_its_budget_of_attempts():
    assert before_asking(Head(asks_vanished=20, asks_handed_over=20), Known(), RULES).cause is Cause.POISON_ASKING
    few = Rules(Persona(api_key="k"), Retry(attempts=1))
    assert before_asking(Head(asks_vanished=2, asks_handed_over=2), Known(), few) == Ask(second=True)


@pytest.mark.parametrize(
    ("kind", "hours"), [("inbound_chat", 48), ("ai_opener", 24), ("event_trigger", 6), ("follow_up", 6)]
)
def test_what_is_too_old_is_skipped_with_that_reason(kind, hours):
    fresh, old = Known(waited_seconds=hours * 3600 - 1), Known(waited_seconds=hours * 3600 + 1)
    assert before_asking(Head(kind=kind), fresh, RULES) == Ask(second=False)
    assert before_asking(Head(kind=kind), old, RULES).cause is Cause.TOO_OLD


# What the end of an opener says about its persona's outreach


@pytest.mark.parametrize(
    ("end", "verdict"),
    [
        (End("answered"), "good"),
        (End("answered", Cause.TEXT_LOST, mark="started"), "good"),
        (End("ignored", Cause.OWNED_ELSEWHERE, mark="owned_elsewhere"), "bad"),
        (End("sealed", Cause.PERSONA_ENDED, mark="sealed"), "bad"),
        (End("dead", Cause.DELIVERY_REFUSED, "status=403"), "bad"),
        (End("ignored", Cause.OWNED_ELSEWHERE), None),
        (End("sealed", Cause.SEALED), None),
        (End("skipped", Cause.LEAD_WROTE), None),
        (End("skipped", Cause.ALREADY_LIVE, mark="started"), None),
        (End("dead", Cause.GAVE_UP), None),
        (End("dead", Cause.DELIVERY_UNCONFIRMED), None),
    ],
)
def test_how_an_opener_ended_is_a_verdict_only_when_it_was_answered_or_refused(end, verdict):
    assert verdict_on_opener("ai_opener", end) == verdict
    assert verdict_on_opener("follow_up", end) is None


def test_what_the_answers_end_as_has_a_verdict():
    refused = failures.Rejected(status=422)
    head, reply = Head(kind="ai_opener"), Reply(bubbles=("hi",))
    ended = of_delivery(head, reply, refused, UNTRIED, RULES, random.Random(1))
    assert verdict_on_opener("ai_opener", ended) == "bad"
    ignored = of_answer("ai_opener", Answer(ignored=True), second=False)
    assert verdict_on_opener("ai_opener", ignored) == "bad"
