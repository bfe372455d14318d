"""What an operator does: told before, done once, noted."""

from __future__ import annotations

import re

import pytest

from worker.domain.conversation import Conversation
from worker.domain.operator_words import MOST_REASON
from worker.store.operator.audit import Act
from worker.store.views.situation import situation

JOHN = Conversation("ava", "@john")


@pytest.fixture
def now(desk):
    """Where @john's conversation stands."""
    return lambda: situation(desk.store.redis, desk.store.keys, JOHN, "dev")


@pytest.fixture
def acts(desk):
    """The acts that were noted, the newest first."""
    return lambda: [(each.by, each.act, each.target, each.detail) for each in desk.store.audit.newest()]


def test_a_conversation_is_claimed_spoken_in_and_handed_back(desk, write, now, acts):
    write("@john", "SECRET question")
    browser = desk.browser("kim")
    place = desk.place(browser, "john")
    before = browser.get(f"{place}/claim").text
    assert "ava is silent in this conversation until you hand it back" in before
    assert "1 event waits" in before
    assert not now().taken_over, "looking changes nothing"
    claimed = desk.post(browser, f"{place}/claim", reason="asks for a refund")
    assert "It is yours" in desk.told(browser, claimed)
    assert now().taken_over == "claimed by kim: asks for a refund"

    page = browser.get(place).text
    form = {"text": "SECRET answer\r\nof kim", "id": re.findall(r'name="id" value="([^"]+)"', page)[0]}
    assert "on its way" in desk.told(browser, desk.post(browser, f"{place}/say", **form))
    assert desk.post(browser, f"{place}/say", **form).status_code == 303, "the same form again"
    assert now().waiting == 2, "the message of kim, once, and the lead's"
    words = desk.post(browser, f"{place}/words").text
    assert "SECRET answer\nof kim" in words
    assert words.count("SECRET question") == 1, "what waits stands once, kept or not"

    offered = browser.get(f"{place}/hand-back").text
    assert re.findall(r'value="(joined|last|none)"', offered) == ["joined", "last", "none"]
    assert desk.post(browser, f"{place}/hand-back").status_code == 400, "one has to be chosen"
    assert "Handed back to ava" in desk.told(browser, desk.post(browser, f"{place}/hand-back", choice="last"))
    assert not now().taken_over
    assert [act for _, act, _, _ in acts()] == [Act.HANDED_BACK, Act.READ, Act.SAID, Act.CLAIMED]
    assert "SECRET" not in str(acts())


def test_only_who_has_claimed_it_speaks(desk, write, now):
    write("@john")
    kim, otto = desk.browser("kim"), desk.browser("otto")
    place = desk.place(kim, "john")
    assert "Say something" not in kim.get(place).text
    refused = desk.post(kim, f"{place}/say", text="SECRET", id="1" * 32)
    assert (refused.status_code, "Claim the conversation first" in refused.text) == (422, True)
    assert "SECRET" in refused.text, "what was typed is not lost"
    desk.post(otto, f"{place}/claim")
    assert "claimed by otto" in desk.post(kim, f"{place}/say", text="words", id="2" * 32).text
    assert "Nothing was changed: it is claimed by otto already" in desk.told(kim, desk.post(kim, f"{place}/claim"))
    assert now().waiting == 1


def test_a_lead_who_has_opted_out_is_written_to_only_when_that_is_said(desk, write, now):
    write("@john", "STOP")
    browser = desk.browser("kim")
    place = desk.place(browser, "john")
    desk.post(browser, f"{place}/claim")
    waiting = now().waiting
    refused = desk.post(browser, f"{place}/say", text="words", id="1" * 32)
    assert "This lead has opted out" in refused.text
    assert 'name="anyway"' in refused.text
    assert now().waiting == waiting
    assert desk.post(browser, f"{place}/say", text="words", id="2" * 32, anyway="yes").status_code == 303
    assert now().waiting == waiting + 1


def test_a_conversation_is_sealed_and_unsealed(desk, write, now, acts):
    write("@john")
    browser = desk.browser("otto")
    place = desk.place(browser, "john")
    assert "1 event waits and ends without an answer" in browser.get(f"{place}/seal").text
    assert desk.told(browser, desk.post(browser, f"{place}/seal", reason="asked us to stop")) == "Sealed."
    assert now().sealed_by == "otto: asked us to stop"
    assert browser.get(f"{place}/seal").status_code == 409
    assert desk.told(browser, desk.post(browser, f"{place}/unseal")) == "Unsealed."
    assert browser.get(f"{place}/unseal").status_code == 409
    assert [act for _, act, _, _ in acts()] == [Act.UNSEALED, Act.SEALED]


def test_a_reason_has_a_limit(desk, write, acts):
    write("@john", "SECRET words")
    browser = desk.browser("kim")
    place = desk.place(browser, "john")
    assert f'maxlength="{MOST_REASON}"' in browser.get(f"{place}/seal").text
    for act in (f"{place}/seal", f"{place}/claim", "/personas/ava/pause"):
        refused = desk.post(browser, act, reason="x" * (MOST_REASON + 1))
        assert (refused.status_code, f"more than {MOST_REASON} characters. Shorten it." in refused.text) == (400, True)
    assert acts() == []
    assert desk.told(browser, desk.post(browser, f"{place}/seal", reason="x" * MOST_REASON)) == "Sealed."
    assert desk.store.audit.newest(1)[0].detail == "x" * MOST_REASON


def test_what_is_not_there_is_not_done(desk, write):
    write("@john")
    browser = desk.browser("kim")
    place = desk.place(browser, "john")
    assert browser.get(f"{place}/hand-back").status_code == 409
    assert browser.get(f"{place}/cancel-follow-up").status_code == 409
    assert browser.get(f"{place}/dance").status_code == 404
    assert desk.post(browser, f"{place}/dance").status_code == 404
    assert "no follow-up is planned" in desk.told(browser, desk.post(browser, f"{place}/cancel-follow-up"))


@pytest.mark.parametrize("act", ["claim", "hand-back", "seal", "unseal", "cancel-follow-up", "say"])
def test_who_may_only_look_acts_on_nothing(desk, write, now, acts, act):
    write("@john")
    browser = desk.browser("vera")
    place = desk.place(browser, "john")
    assert f"{place}/{act}" not in browser.get(place).text
    fields = {"text": "words", "id": "1" * 32, "choice": "none"}
    assert desk.post(browser, f"{place}/{act}", **fields).status_code == 403
    assert (now().taken_over, now().sealed_at, now().waiting, acts()) == ("", 0, 1, [])


def test_a_persona_is_paused_and_resumed(desk, write, acts):
    write("@john")
    browser = desk.browser("otto")
    page = browser.get("/personas").text
    assert "ava" in page
    assert "ft_sk" not in page
    assert "accepted and wait in order" in browser.get("/personas/ava/pause").text
    assert "ava is paused" in desk.told(browser, desk.post(browser, "/personas/ava/pause", reason="new key"))
    assert desk.store.personas.gates("ava")["paused"] == "new key"
    offered = browser.get("/personas/ava/resume").text
    assert re.findall(r'name="gate-(\w+)"[^>]*checked', offered) == ["paused"]
    assert desk.post(browser, "/personas/ava/resume").status_code == 400
    assert "Opened for ava: paused" in desk.told(
        browser, desk.post(browser, "/personas/ava/resume", **{"gate-paused": "yes"})
    )
    assert "paused" not in desk.store.personas.gates("ava")
    assert browser.get("/personas/ava/resume").status_code == 409
    assert browser.get("/personas/nobody/pause").status_code == 404
    assert [act for _, act, _, _ in acts()] == [Act.RESUMED, Act.PAUSED]
    audit = desk.browser("vera").get("/audit").text
    assert audit.index("resumed") < audit.index("new key")
