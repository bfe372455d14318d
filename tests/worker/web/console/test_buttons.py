"""Where a button stands on a page, no sentence sends its reader to a shell."""

from __future__ import annotations

import json
import re

import pytest

from worker.cli.dead_replay import outcome_told
from worker.domain import diagnoses
from worker.domain.conversation import Conversation
from worker.domain.sentences import of_stored
from worker.pipeline.operator_acts import OperatorActs
from worker.pipeline.replay import Outcome
from worker.web.console.buttons import on_page

DONE_HERE = (
    r"parley (resume|hand-back|unseal|consent|forget|explain|status|outreach|dead (list|causes|discard|show))|--mode"
)


@pytest.mark.parametrize(
    "diagnosis",
    [
        diagnoses.key_refused("ava", "key_refused status=401"),
        diagnoses.paused("ava", "new key"),
        diagnoses.outreach_stopped("ava", "outcome_unknown"),
        diagnoses.unconfigured("ava"),
        diagnoses.leads_held("ava", ""),
    ],
)
def test_a_cure_that_names_a_command_names_the_button_here(diagnosis):
    assert re.search(DONE_HERE, diagnosis.do), "else nothing is tried"
    assert not re.search(DONE_HERE, on_page(diagnosis.do)), on_page(diagnosis.do)


@pytest.mark.parametrize(
    "status", ["discarded", "later_answered", "later_asked", "nothing_to_join", "cannot_join", "no_channel", "cut"]
)
def test_what_became_of_a_replay_names_the_choices_of_the_page(status):
    told = on_page(outcome_told(Outcome(False, status, "3")))
    assert not re.search(DONE_HERE, told), told


def test_the_cause_of_a_refusal_names_the_button():
    assert "parley dead show" in of_stored("persona_not_known")
    assert not re.search(DONE_HERE, on_page(of_stored("persona_not_known")))


def test_a_command_that_no_page_has_stays():
    assert on_page("parley check") == "parley check"
    assert on_page("parley notices resume shop") == "parley notices resume shop"


@pytest.fixture
def page(desk, write):
    """The page of @john doe, for kim."""
    write("@john doe")
    browser = desk.browser("kim")
    place = desk.place(browser, "john")
    return lambda: browser.get(place).text


JOHN = Conversation("ava", "@john doe")


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (lambda acts: acts.claim(JOHN), "it goes on after: the button “Hand back”"),
        (lambda acts: acts.seal(JOHN), "it goes on after: the button “Unseal”"),
        (lambda acts: acts.write_consent(JOHN, "out"), "the lead writes START, or the button “Opt in”"),
        (lambda acts: acts.pause("ava", "new key"), "the button “Open gates” on the page Personas"),
    ],
)
def test_a_conversation_says_the_button_that_ends_it(desk, page, act, sentence):
    act(OperatorActs(desk.store, "kim"))
    if sentence.endswith("“Unseal”"):
        # What waited ends first: a sealed conversation with nothing left says when it was sealed.
        desk.store.redis.delete(desk.store.keys.of(JOHN).inbox(JOHN))
    text = page()
    assert sentence in text
    assert not re.search(DONE_HERE, text)


def test_the_overview_says_pages(desk, write):
    desk.store.inbox.refuse("ava", "@john", "m-1", json.dumps({"message": "SECRET"}), "InvalidEvent: message")
    text = desk.browser("kim").get("/").text
    assert "replay or discard them on the page Dead letters" in text
    assert not re.search(DONE_HERE, text)
