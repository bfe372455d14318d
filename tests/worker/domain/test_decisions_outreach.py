"""What is decided before the persona is asked to speak first: quiet hours, and how a cadence goes on."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from config.settings import Persona, Retry
from worker.domain.decisions import Known, Rules, Wait, before_asking
from worker.domain.vocabulary import Cause

RULES = Rules(Persona(api_key="k"), Retry())
FRESH = {"accepted_at": 500_000, "asks_vanished": 0, "asks_handed_over": 0, "ask_unknowns": 0, "failed": None}


def head_of(kind, **fields):
    return SimpleNamespace(kind=kind, **{**FRESH, **fields})


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
