"""The judge of chaos runs knows what the Characters API promises: a repetition does nothing again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulation.chaos.incidents import Incidents
from simulation.chaos.ledger import draw_up
from simulation.upstreams.call_log import Call
from tests.acceptance.chaos_evidence import (
    ARRIVALS,
    GAVE_WAY,
    TEXT_LOST,
    UNKNOWN,
    Bookkeeper,
    broken,
    chat,
    event,
    spoken,
)


def of_characters(text, event="/chat", *, acted=True, status=200, external_id=None):
    told = {"message": text} if event == "/chat" else {"own_username": text, "external_event_id": external_id or text}
    return Call(
        service="fluidtalk",
        method="POST",
        path="/api/v1/characters" + (event if event == "/chat" else "/triggers"),
        persona="ava",
        target="@lead",
        action=event,
        fields=told,
        arrived=next(ARRIVALS),
        acted=acted,
        status=status,
    )


def recognised(text, event="/chat", **options):
    return of_characters(text, event, acted=False, **options)


@pytest.mark.parametrize(
    ("kind", "calls", "says", "found"),
    [
        ("event_trigger", [of_characters("e0", "like"), recognised("e0", "like"), spoken("e0")],
         {"words": ["second ask"]}, []),
        ("event_trigger", [of_characters("e0", "like", status=None), recognised("e0", "like")],
         {"words": ["second ask"], "endings": {0: TEXT_LOST}}, []),
        ("event_trigger", [of_characters("e0", "like"), of_characters("e0", "like", external_id="x"), spoken("e0")],
         {"words": ["second ask"]}, ["1 repeated triggers under another"]),
        ("event_trigger", [of_characters("e0", "like")], {"endings": {0: UNKNOWN}}, ["1 lost"]),
        ("event_trigger", [of_characters("e0", "like")], {"endings": {0: TEXT_LOST}}, ["1 lost"]),
        ("event_trigger", [recognised("e0", "like")], {"endings": {0: TEXT_LOST}}, ["1 lost"]),
        ("follow_up", [of_characters("e0", "nudge")], {"endings": {0: GAVE_WAY}}, ["1 lost"]),
        ("inbound_chat", [of_characters("e0"), recognised("e0")],
         {"words": ["second ask"], "endings": {0: TEXT_LOST}}, []),
        ("inbound_chat", [of_characters("e0"), recognised("e0", status=500)], {"endings": {0: TEXT_LOST}},
         ["1 lost", "1 second asks that"]),
        ("inbound_chat", [of_characters("e0")], {"endings": {0: TEXT_LOST}}, ["1 lost"]),
    ],
)  # fmt: skip
def test_characters_has_promises_of_its_own(kind, calls, says, found):
    result = broken(calls, [replace(event("e0", kind), api="characters")], **says)
    assert len(result) == len(found), result
    assert all(line.startswith(start) for line, start in zip(result, found, strict=True)), result


def test_the_ledger_has_figures_of_both_apis():
    sent = [chat("a"), replace(chat("b"), api="characters")]
    ledger = draw_up(sent, [of_characters("b"), recognised("b")], Incidents(), Bookkeeper(endings={1: TEXT_LOST}), 1.0)
    assert ledger.kinds == {"inbound_chat": 1, "inbound_chat (Characters)": 1}
    assert ledger.lost == {"inbound_chat, no ending": 1}
    assert ledger.unanswered == {"inbound_chat (Characters), answered: text_lost": 1}
    assert ledger.recognised_repeats == 1
