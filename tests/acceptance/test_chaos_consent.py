"""The judge of chaos runs finds what reaches a lead after a STOP, each wrong confirmation, and more than the cap."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from config.consent import Consent
from simulation.chaos.endings import Ending
from simulation.chaos.incidents import Incidents
from simulation.chaos.ledger import draw_up
from simulation.chaos.messages import messages
from simulation.chaos.report import markdown
from simulation.chaos.versions import Version
from simulation.judge.consent import Rules, consent, opt_outs
from simulation.judge.log import Log
from tests.acceptance.chaos_evidence import Bookkeeper, act, answered, ask, chat, event, send, spoken
from worker.domain.consent import said, words_of

OPTED_OUT = Ending("skipped", "opted_out")
CAPPED = Ending("skipped", "frequency_cap")
CONFIRMING = Rules(confirming=("ava",))
SILENT = Rules()


def stop(name="e0", at=10.0):
    return replace(chat(name, at=at), said="stop")


def start(text="START!", at=50.0, tried_at=49.0):
    return replace(chat(text, at=at), said="start", tried_at=tried_at)


def confirmed(name, at=12.0):
    return send("You get no more messages.", at=at, key=name, event=name, says="{}")


def asked(name, at):
    call = act(name)
    call.start_wall = at
    return call


def broken(calls, sent, rules=SILENT, **says):
    return draw_up(sent, calls, Incidents(), Bookkeeper(**says), 1.0, rules=rules).broken


def hello():
    # Deliveries are known to be of a lead by the calls about that lead.
    return ask("hello", at=1.0), send("hello", at=2.0, key="hello")


HELLO = chat("hello", at=0.0)


def out(*more):
    """What was sent in: a greeting, and a STOP that was accepted at 10."""
    return [HELLO, stop("e1"), *more]


def test_a_stop_that_is_confirmed_once_breaks_no_promise():
    assert broken([*hello(), confirmed("e1")], out(), CONFIRMING) == []
    assert broken([*hello()], out(), SILENT, endings={1: OPTED_OUT}) == []


@pytest.mark.parametrize("kind", ["ai_opener", "event_trigger", "follow_up"])
def test_outreach_that_a_stop_kept_back_is_no_loss(kind):
    endings = {1: OPTED_OUT, 2: OPTED_OUT}
    before = [HELLO, event("e1", kind, at=9.0), stop("e2")]
    assert broken([*hello(), asked("e1", 9.5)], before, endings=endings) == [], "asked, and not sent"
    assert broken([*hello()], out(event("e2", kind, at=20.0)), endings=endings) == []
    started = out(start(), event("e3", kind, at=60.0))
    calls = [*hello(), *answered("START!")]
    assert broken(calls, started, endings={1: OPTED_OUT, 3: OPTED_OUT}) == ["1 lost"], "the lead wanted it again"
    assert broken([*hello()], [HELLO, event("e1", kind)], endings={1: OPTED_OUT}) == ["1 lost"], "there was no STOP"


def test_what_the_lead_wrote_is_not_lost_by_a_stop():
    assert broken([*hello()], out(chat("b", at=20.0)), endings={1: OPTED_OUT, 2: OPTED_OUT}) == ["1 lost"]
    assert broken([*hello()], out(start()), endings={1: OPTED_OUT, 2: OPTED_OUT}) == ["1 lost"]


def test_a_stop_ends_only_as_an_opt_out():
    poison = Ending("dead", "poison_asking", "times=3")
    assert broken([*hello()], out(), endings={1: poison}) == ["1 lost"]
    assert broken([*hello()], out()) == ["1 lost"]


@pytest.mark.parametrize(
    ("at", "found"),
    [
        (9.0, 0),
        (12.9, 0),
        (13.1, 1),
        (48.9, 1),
        (49.1, 0),
        (60.0, 0),
    ],
)
def test_outreach_begun_between_a_stop_and_a_start_is_found(at, found):
    sent = out(event("e2", "event_trigger", at=8.0), start())
    log = Log(sent, [*hello(), asked("e2", at), spoken("e2", at=at)])
    verdict = consent(log, SILENT)
    assert (verdict.asked_after, verdict.sent_after) == (found, found)


def test_calls_after_a_stop_break_promises():
    sent = out(event("e2", "event_trigger", at=8.0))
    calls = [*hello(), asked("e2", 20.0), spoken("e2", at=21.0), confirmed("e1")]
    assert broken(calls, sent, CONFIRMING) == ["1 outreach asked for after a STOP", "1 outreach sent after a STOP"]


def test_a_follow_up_that_nobody_sent_in_is_outreach_too():
    pulled = send("Are you still there?", at=20.0, key="pulled", event="e0", says="{}")
    assert broken([*hello(), pulled, confirmed("e1")], out(), CONFIRMING) == ["1 outreach sent after a STOP"]


def test_an_answer_after_a_stop_is_no_outreach():
    calls = [*hello(), confirmed("e1"), ask("b", at=21.0), send("b", at=22.0, key="b")]
    assert broken(calls, out(chat("b", at=20.0)), CONFIRMING) == []


def test_outreach_to_another_lead_does_not_count():
    other = replace(event("e2", "event_trigger", at=20.0), target="@other")
    calls = [*hello(), confirmed("e1"), asked("e2", 20.0), send("Hi", at=21.0, target="@other", event="e2", says="{}")]
    calls[3].target = "@other"
    assert broken(calls, out(other), CONFIRMING) == []


def test_what_a_frozen_worker_sends_when_it_wakes_is_counted_apart():
    log = Log(out(event("e2", "event_trigger", at=8.0)), [*hello(), spoken("e2", at=20.0)])
    woken, awake = (consent(log, SILENT, [thawed_at]) for thawed_at in (19.5, 15.0))
    assert (woken.sent_after, woken.after_waking) == (0, 1)
    assert (awake.sent_after, awake.after_waking) == (1, 0)


def test_a_persona_that_is_asked_to_answer_a_stop_is_found():
    calls = [*hello(), ask("STOP", at=11.0), confirmed("e1")]
    assert broken(calls, out(), CONFIRMING) == ["1 STOPs that a persona was asked to answer"]


def test_a_promised_confirmation_that_never_came_is_found():
    skipped = {1: OPTED_OUT}
    assert broken([*hello()], out(), CONFIRMING, endings=skipped) == ["1 opt-outs without the promised confirmation"]
    vanished = {"endings": skipped, "words": ["sending", "resent", "resent"]}
    assert broken([*hello()], out(), CONFIRMING, **vanished) == [], "its workers vanished three times"


def test_start_before_the_turn_of_the_stop_takes_the_place_of_the_confirmation():
    def calls(at):
        return [
            *hello(),
            ask("b", at=at),
            send("b", at=at + 1, key="b"),
            ask("START!", at=60.0),
            send("START!", at=61.0, key="s"),
        ]

    sent, skipped = out(chat("b", at=20.0), start()), {1: OPTED_OUT}
    assert broken(calls(55.0), sent, CONFIRMING, endings=skipped) == []
    missing = ["1 opt-outs without the promised confirmation"]
    assert broken(calls(30.0), sent, CONFIRMING, endings=skipped) == missing, "its turn was over before the START"


def test_two_stops_have_one_confirmation_and_a_new_opt_out_has_its_own():
    twice = [HELLO, stop("e1"), stop("e2", at=11.0)]
    calls = [*hello(), confirmed("e1")]
    assert broken(calls, twice, CONFIRMING, endings={2: OPTED_OUT}) == []
    assert broken([*calls, confirmed("e2")], twice, CONFIRMING) == ["1 confirmations that were not promised"]
    second_opt_out = [HELLO, stop("e1"), start(), stop("e3", at=60.0)]
    calls += [ask("START!", at=51.0), send("START!", at=52.0, key="s"), confirmed("e3", at=61.0)]
    assert broken(calls, second_opt_out, CONFIRMING) == []
    assert [time.stops for time in opt_outs(second_opt_out)] == [[1], [3]]


def test_a_confirmation_that_no_persona_promises_is_found():
    assert broken([*hello(), confirmed("e1")], out(), SILENT) == ["1 confirmations that were not promised"]


def test_a_confirmation_that_arrives_again_is_judged_like_any_delivery():
    calls = [*hello(), confirmed("e1"), confirmed("e1", at=14.0)]
    assert broken(calls, out(), CONFIRMING, words=["resent"]) == []
    assert broken(calls, out(), CONFIRMING) == ["1 doubled sends that the timeline does not list"]
    calls[-1].idempotency_key = "another"
    assert broken(calls, out(), CONFIRMING, words=["resent"]) == ["1 doubled sends under another idempotency key"]


def touched(*names, at=10.0):
    return [call for name in names for call in (asked(name, at), spoken(name, at=at + 1))]


def triggers(*names):
    return [event(name, "event_trigger", at=5.0) for name in names]


def test_more_messages_than_the_cap_are_found():
    calls, sent = touched("e0", "e1", "e2"), triggers("e0", "e1", "e2")
    assert broken(calls, sent, Rules(per_day=3)) == []
    assert broken(calls, sent, Rules(per_day=2)) == ["1 messages to a lead above its cap"]
    later = [*touched("e0", "e1"), *touched("e2", at=86_500.0)]
    assert broken(later, sent, Rules(per_day=2)) == [], "a day has passed"


def test_answers_and_repeated_deliveries_do_not_count_for_the_cap():
    calls = [*touched("e0"), spoken("e0", at=12.0), *answered("b", "c")]
    sent = [*triggers("e0"), chat("b"), chat("c")]
    assert broken(calls, sent, Rules(per_day=1), words=["resent"]) == []


@pytest.mark.parametrize(("per_day", "found"), [(2, []), (3, ["1 lost"]), (0, ["1 lost"])])
def test_an_event_is_left_out_for_the_cap_only_when_the_lead_had_enough(per_day, found):
    sent = triggers("e0", "e1", "e2")
    assert broken(touched("e0", "e1"), sent, Rules(per_day=per_day), endings={2: CAPPED}) == found


def test_a_chat_is_never_left_out_for_the_cap():
    sent = [*triggers("e0"), chat("b")]
    assert broken(touched("e0"), sent, Rules(per_day=1), endings={1: CAPPED}) == ["1 lost"]


def test_the_ledger_names_stops_and_starts_apart():
    sent = [HELLO, stop("e1"), replace(start(), api="characters")]
    ledger = draw_up(sent, list(hello()), Incidents(), Bookkeeper(endings={1: OPTED_OUT}), 1.0)
    assert ledger.kinds == {"inbound_chat": 1, "STOP": 1, "START (Characters)": 1}
    assert ledger.unanswered == {"STOP, skipped: opted_out": 1}
    assert "| leads who opted out by STOP | 1 |" in markdown(ledger)


def mix(**options):
    return list(messages(1, 3000, 200, ("ava", "cleo"), characters={"cleo"}, **options))


def test_leads_of_both_apis_opt_out_soon_after_outreach_and_in_again():
    made, words = mix(consent=True), words_of(Consent())
    assert [message.number for message in made] == list(range(3000))
    is_out: Counter[str] = Counter()
    outreach_of = set()
    for message in made:
        if message.kind != "inbound_chat":
            outreach_of.add(message.target)
        if message.said == "stop":
            assert message.target in outreach_of
            is_out[message.target] = 1
        if message.said == "start":
            assert is_out[message.target], "only a lead who is out writes START"
            is_out[message.target] = 0
            assert said(message.text, words) == "start", "the signs behind the word do not count"
    for word in ("stop", "start"):
        assert {message.api for message in made if message.said == word} == {"handshake", "characters"}
    texts = [message.text for message in made if message.said]
    assert len(texts) == len(set(texts)) > 50
    assert all(said(message.text, words) is None for message in made if not message.said)


def test_without_consent_nobody_opts_out():
    assert {message.said for message in mix()} == {""}


def test_a_version_without_consent_gets_no_stop(tmp_path):
    assert not Version(tmp_path).knows_consent
