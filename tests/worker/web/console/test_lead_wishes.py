"""What a lead can ask for: no messages any more, or that nothing is kept; and what was said, as a file."""

from __future__ import annotations

import json
import re

import pytest
from pydantic import SecretStr

from worker.domain.conversation import Conversation
from worker.store.operator.audit import Act

JOHN = Conversation("ava", "@john")


@pytest.fixture
def place(desk, write):
    """@john has written; the page of the conversation, for kim."""
    write("@john", "SECRET question")
    browser = desk.browser("kim")
    return browser, desk.place(browser, "john")


@pytest.fixture
def act(desk, place):
    """Look at the page before an act, then do it; returns both, the second as a sentence."""
    browser, address = place

    def do(name: str, **fields: str) -> tuple[str, str]:
        return browser.get(f"{address}/{name}").text, desk.told(
            browser, desk.post(browser, f"{address}/{name}", **fields)
        )

    return do


def test_a_lead_is_opted_out_and_in_again(desk, place, act):
    browser, address = place
    before, done = act("opt-out", reason="called us")
    assert "No openers, event triggers and follow-ups of ava go to this lead" in before
    assert done == "The lead is opted out."
    assert (desk.store.consents.of(JOHN).state, desk.store.consents.of(JOHN).by) == ("out", "kim: called us")
    page = browser.get(address).text
    assert f"{address}/opt-in" in page
    assert f"{address}/opt-out" not in page
    assert browser.get(f"{address}/opt-out").status_code == 409
    assert act("opt-in")[1] == "The lead is opted in."
    assert desk.store.consents.of(JOHN).state == "in"
    assert browser.get(f"{address}/opt-in").status_code == 409
    assert "Nothing was changed" in desk.told(browser, desk.post(browser, f"{address}/opt-in"))
    written = [(each.act, each.detail) for each in desk.store.audit.newest()]
    assert written == [(Act.CONSENT_WRITTEN, "in"), (Act.CONSENT_WRITTEN, "out called us")]


def test_a_lead_is_forgotten(desk, place, act, caplog):
    browser, address = place
    before = browser.get(f"{address}/forget").text
    assert "1 event waits and ends without an answer" in before
    assert desk.store.known.are_known([JOHN]), "looking changes nothing"
    _, done = act("forget")
    assert done == "Erased: 1 event; of these waited and ended as skipped: 1."
    assert desk.store.forgetting.traces(JOHN).nothing
    assert browser.get(address).status_code == 404
    (forgot,) = desk.store.audit.newest(1)
    assert (forgot.by, forgot.act, forgot.target) == ("kim", Act.FORGOT, "")
    assert "a conversation of persona ava was erased by kim" in caplog.text
    assert "john" not in caplog.text


def test_the_page_before_forgetting_walks_over_no_keys(desk, place, monkeypatch):
    browser, address = place
    monkeypatch.setattr(desk.store.forgetting, "traces", None)
    assert browser.get(f"{address}/forget").status_code == 200


def test_while_a_turn_runs_nothing_is_forgotten(desk, place):
    browser, address = place
    desk.store.steps.begin(JOHN, "token")
    assert "A turn is under way" in browser.get(f"{address}/forget").text
    refused = desk.post(browser, f"{address}/forget")
    assert (refused.status_code, "A turn is under way" in refused.text) == (409, True)
    assert desk.store.known.are_known([JOHN])


def test_that_a_lead_has_opted_out_is_not_forgotten_unless_that_is_said(desk, place, act):
    browser, address = place
    act("opt-out")
    before = browser.get(f"{address}/forget").text
    assert re.findall(r'name="choice" value="([^"]+)"', before) == ["consent-too"], "there is no key for the hash"
    for fields in ({}, {"choice": "keep"}):
        refused = desk.post(browser, f"{address}/forget", **fields)
        assert (refused.status_code, "Nothing was changed" in refused.text) == (400, True)
    assert desk.store.consents.of(JOHN).state == "out"
    assert "Erased" in act("forget", choice="consent-too")[1]
    assert desk.store.consents.of(JOHN) is None


def test_with_a_key_a_forgotten_lead_stays_opted_out(make_desk, make_settings, channel):
    from worker.domain.events import InboundChat
    from worker.pipeline.producer import Producer

    key = SecretStr("a key of more than 32 characters, for hashes")
    desk = make_desk(consent={"hash_key": key})
    producer = Producer(make_settings(consent={"hash_key": key}), store=desk.store)
    producer.enqueue(InboundChat(persona="ava", target="@john", message="STOP", channel=channel))
    browser = desk.browser("kim")
    address = desk.place(browser, "john")
    offered = re.findall(r'name="choice" value="([^"]+)"', browser.get(f"{address}/forget").text)
    assert offered == ["keep", "consent-too"]
    assert "Erased" in desk.told(browser, desk.post(browser, f"{address}/forget", choice="keep"))
    assert desk.store.consents.of(JOHN) is None
    assert desk.store.consents.of_erased(JOHN).state == "out"


def test_what_was_said_is_exported_after_a_trace(desk, place):
    browser, address = place
    answer = desk.post(browser, f"{address}/export")
    (line,) = answer.text.splitlines()
    assert json.loads(line)["texts"] == ["SECRET question"]
    assert answer.headers["content-disposition"] == 'attachment; filename="conversation.jsonl"'
    assert answer.headers["cache-control"] == "no-store"
    (exported,) = desk.store.audit.newest(1)
    assert (exported.by, exported.act, exported.target) == ("kim", Act.EXPORTED, "@john")


def test_where_nothing_is_kept_there_is_no_export(make_desk, make_settings, channel):
    from worker.domain.events import InboundChat
    from worker.pipeline.producer import Producer

    desk = make_desk(transcript={"days": 0})
    event = InboundChat(persona="ava", target="@john", message="words", channel=channel)
    Producer(make_settings(), store=desk.store).enqueue(event)
    browser = desk.browser("kim")
    address = desk.place(browser, "john")
    assert f"{address}/export" not in browser.get(address).text
    assert desk.post(browser, f"{address}/export").status_code == 409
    assert desk.store.audit.newest() == []


def test_who_may_only_look_changes_and_exports_nothing(desk, place):
    address = place[1]
    for name, names in (("vera", ("opt-out", "opt-in", "forget", "export")), ("otto", ("export",))):
        browser = desk.browser(name)
        for each in names:
            assert f"{address}/{each}" not in browser.get(address).text
            assert desk.post(browser, f"{address}/{each}", choice="consent-too").status_code == 403
    assert desk.store.known.are_known([JOHN])
    assert desk.store.consents.of(JOHN) is None
    assert desk.store.audit.newest() == []
