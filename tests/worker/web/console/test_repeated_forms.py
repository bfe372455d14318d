"""A form that comes again, because nobody answered the first time, is the same act: carried out once, noted once."""

from __future__ import annotations

import json
import re

import pytest

from worker.domain.conversation import Conversation
from worker.store import StoreError
from worker.store.operator.audit import Act
from worker.store.views.situation import situation

JOHN = Conversation("ava", "@john")


@pytest.fixture
def place(desk, write):
    """@john has written; the page of the conversation, for kim."""
    write("@john")
    browser = desk.browser("kim")
    return browser, desk.place(browser, "john")


@pytest.fixture
def interrupted(desk, monkeypatch):
    """Send a form; the process ends between the act and its note. Then send the same form again, twice."""

    def send(browser, path: str, **fields: str) -> str:
        note, cut = desk.store.audit.note, []

        def cut_off(*arguments):
            if not cut:
                cut.append(True)
                raise StoreError("gone")
            note(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(desk.store.audit, "note", cut_off)
            assert desk.post(browser, path, **fields).status_code == 503
        assert cut
        first = desk.told(browser, desk.post(browser, path, **fields))
        desk.post(browser, path, **fields)
        return first

    return send


def test_each_act_is_carried_out_once_and_noted_once(desk, place, interrupted):
    browser, address = place

    def act(name: str, **fields: str) -> str:
        form = desk.form(browser, address if name == "say" else f"{address}/{name}")
        return interrupted(browser, f"{address}/{name}", **{**form, **fields})

    assert "It is yours" in act("claim", reason="a refund")
    assert "on its way" in act("say", text="words")
    assert situation(desk.store.redis, desk.store.keys, JOHN, "dev").waiting == 2
    assert act("hand-back", choice="joined") == "Handed back to ava: 2 events left to answer."
    assert act("seal") == "Sealed."
    assert act("unseal") == "Unsealed."
    done = [each.act for each in reversed(desk.store.audit.newest())]
    assert done == [Act.CLAIMED, Act.SAID, Act.HANDED_BACK, Act.SEALED, Act.UNSEALED]
    words = [moment.word for moment in desk.store.timeline.of(JOHN)]
    for word in ("taken over", "said by", "handed back", "sealed by", "unsealed by"):
        assert words.count(word) == 1, words


def test_a_persona_is_paused_and_resumed_once(desk, place, interrupted):
    browser = place[0]
    form = desk.form(browser, "/personas/ava/pause")
    assert "is paused" in interrupted(browser, "/personas/ava/pause", **{**form, "reason": "new key"})
    assert [each.act for each in desk.store.audit.newest()] == [Act.PAUSED]


def test_a_form_of_an_older_page_is_another_act(desk, place):
    browser, address = place
    for _ in range(2):
        desk.send(browser, f"{address}/claim")
        desk.send(browser, f"{address}/hand-back", choice="none")
    assert len(desk.store.audit.newest()) == 4
    words = [moment.word for moment in desk.store.timeline.of(JOHN)]
    assert words.count("handed back") == 2


@pytest.mark.parametrize("odd", ["", "x", "A" * 32, "a b", "1" * 33, "../../etc"])
def test_a_name_that_is_none_of_ours_names_nothing(desk, place, odd):
    browser, address = place
    desk.post(browser, f"{address}/claim")
    for _ in range(2):
        assert desk.post(browser, f"{address}/say", text="words", id=odd).status_code == 303
    assert situation(desk.store.redis, desk.store.keys, JOHN, "dev").waiting == 3


def test_a_group_goes_on_where_it_was_interrupted_and_takes_no_more_than_was_told(make_desk, channel, monkeypatch):
    desk = make_desk(limits={"refused_per_conversation": 300})
    event = {"kind": "inbound_chat", "persona": "ava", "target": "@john", "channel": channel, "message": "words"}
    for number in range(130):
        payload = json.dumps({**event, "event_id": f"m-{number}"})
        desk.store.inbox.refuse("ava", "@john", f"m-{number}", payload, "InvalidEvent: message")
    browser = desk.browser("kim")
    (address,) = re.findall(r'href="(/dead/group/[^"]+)"', browser.get("/dead").text)
    before = browser.get(f"{address}/discard").text
    assert "Discard 100 dead letters?" in before
    form = {"until": desk.form(browser, f"{address}/discard")["until"]}
    replay, done = desk.store.dead_letters.replay, []

    def cut_off(*arguments, **more):
        if len(done) == 40:
            raise StoreError("gone")
        done.append(arguments)
        return replay(*arguments, **more)

    with monkeypatch.context() as patched:
        patched.setattr(desk.store.dead_letters, "replay", cut_off)
        assert desk.post(browser, f"{address}/discard", **form).status_code == 503
    assert desk.store.dead_letters.count() == 90
    assert desk.told(browser, desk.post(browser, f"{address}/discard", **form)) == "60 of 60 discarded."
    assert desk.told(browser, desk.post(browser, f"{address}/discard", **form)) == "0 of 0 discarded."
    assert desk.store.dead_letters.count() == 30
    assert desk.post(browser, f"{address}/discard").status_code == 400
    assert desk.post(browser, f"{address}/discard", until="A" * 30).status_code == 400
    assert desk.store.dead_letters.count() == 30
