"""What is decided before the persona is asked to speak first: quiet hours, and how a cadence goes on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from config.settings import Persona, Retry
from worker.domain.decisions import Known, Rules, Wait, before_asking, withheld
from worker.domain.reasons import Reason
from worker.domain.reply import Reply
from worker.domain.vocabulary import Cause

RULES = Rules(Persona(api_key="k"), Retry())
FRESH = {
    "reply": None,
    "killed_alone": 0,
    "accepted_at": 500_000,
    "asks_vanished": 0,
    "asks_handed_over": 0,
    "ask_unknowns": 0,
    "failed": None,
}
UNSENT = {"bubbles_sent": 0, "send_unknowns": 0, "sends_vanished": 0}


def head_of(kind, **fields):
    return SimpleNamespace(kind=kind, **{**FRESH, **UNSENT, **fields})


@pytest.mark.parametrize("kind", ["ai_opener", "follow_up"])
def test_who_speaks_first_waits_for_the_end_of_quiet_hours(kind):
    head = head_of(kind)
    assert before_asking(head, Known(quiet_seconds=60), RULES) == Wait(60, Cause.QUIET_HOURS, asked=False)
    assert before_asking(head, Known(quiet_seconds=60, sealed=True), RULES).fate == "sealed"
    gives_way = before_asking(head, Known(quiet_seconds=60, others_wait=True), RULES)
    assert (gives_way.fate, gives_way.follow_up) == ("skipped", "next_step")
    unknown = before_asking(head, Known(zone_unknown=True), RULES)
    assert (unknown.fate, unknown.follow_up) == ("skipped", "dropped")


@pytest.mark.parametrize("kind", ["ai_opener", "follow_up"])
def test_who_speaks_first_gives_way_to_an_event_while_outreach_is_stopped(kind):
    end = before_asking(head_of(kind), Known(gives_way=True, quiet_seconds=60), RULES)
    assert (end.fate, end.follow_up) == ("skipped", "next_step")
    assert end.cause is Cause.OUTREACH_STOPPED


def test_a_follow_up_that_was_not_sent_says_how_the_cadence_goes_on():
    head = head_of("follow_up")
    assert before_asking(head, Known(waited_seconds=1e9), RULES).follow_up == "next_step"
    assert before_asking(head_of("follow_up", ask_unknowns=1), Known(), RULES).follow_up == "next_step"
    assert before_asking(head, Known(lead_wrote=True), RULES).follow_up == ""


PAUSED = Reply(("one", "two", "three"), pauses=(1.0, 1.0))


@pytest.mark.parametrize(
    ("head", "fate", "detail"),
    [
        (head_of("event_trigger"), "skipped", "channel=c of=3"),
        (head_of("event_trigger", sends_vanished=1), "skipped", "channel=c of=3 doubtful=1"),
        (head_of("event_trigger", bubbles_sent=2), "answered", "channel=c sent=2 of=3"),
        (head_of("ai_opener", bubbles_sent=1, send_unknowns=1), "answered", "channel=c sent=1 of=3 doubtful=1"),
    ],
)
def test_what_is_withheld_says_how_much_the_lead_has_seen(head, fate, detail):
    end = withheld(head, PAUSED, Cause.WINDOW_CLOSED, "channel=c")
    assert (end.fate, end.cause, end.detail, end.mark) == (fate, Cause.WINDOW_CLOSED, detail, "started")


@pytest.mark.parametrize("kind", ["ai_opener", "event_trigger", "follow_up"])
def test_a_closed_window_ends_it_before_the_call(kind):
    closed = Reason(Cause.WINDOW_CLOSED, "channel=whatsapp")
    end = before_asking(head_of(kind), Known(closed=closed, quiet_seconds=60), RULES)
    assert (end.fate, end.cause, end.detail, end.follow_up) == ("skipped", *closed, "dropped")
