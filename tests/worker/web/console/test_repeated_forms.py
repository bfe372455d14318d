"""A form that comes again, because nobody answered the first time, is the same act: carried out once, noted once."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp
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
        assert cut, "nothing was done"
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


def test_a_follow_up_is_moved_once_and_cancelled_once(desk, place, interrupted, channel):
    browser, address = place
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(second=0, microsecond=0)
    event = FollowUp(persona="ava", target="@john", channel=channel, not_before=tomorrow)
    desk.store.follow_ups.schedule(event)
    later = f"{tomorrow + timedelta(hours=2):%Y-%m-%dT%H:%M}"
    form = desk.form(browser, f"{address}/move-follow-up")
    assert "is moved to" in interrupted(browser, f"{address}/move-follow-up", **{**form, "at": later})
    plan = desk.store.follow_ups.state_of(JOHN).plan
    desk.post(browser, f"{address}/move-follow-up", **{**form, "at": later})
    assert desk.store.follow_ups.state_of(JOHN).plan == plan, "it is not planned again"
    form = desk.form(browser, f"{address}/cancel-follow-up")
    assert interrupted(browser, f"{address}/cancel-follow-up", **form) == "The follow-up is cancelled."
    done = [each.act for each in reversed(desk.store.audit.newest())]
    assert done == [Act.FOLLOW_UP_MOVED, Act.FOLLOW_UP_CANCELLED]
    words = [moment.word for moment in desk.store.timeline.of(JOHN)]
    assert (words.count("follow-up planned"), words.count("follow-up dropped")) == (2, 1)


def test_a_move_that_comes_again_when_the_follow_up_is_over_is_noted(desk, place, interrupted, channel, monkeypatch):
    browser, address = place
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    desk.store.follow_ups.schedule(FollowUp(persona="ava", target="@john", channel=channel, not_before=tomorrow))
    form = desk.form(browser, f"{address}/move-follow-up")
    real, two_days_on = desk.store.follow_ups.now, 2 * 86_400_000
    note, sent = desk.store.audit.note, []

    def over(*arguments, **more):
        # Between the act and its repetition.
        if not sent:
            sent.append(True)
            desk.store.follow_ups.cancel(JOHN)
            monkeypatch.setattr(desk.store.follow_ups, "now", lambda: real() + two_days_on)
            raise StoreError("gone")
        note(*arguments, **more)

    monkeypatch.setattr(desk.store.audit, "note", over)
    at = f"{tomorrow + timedelta(hours=2):%Y-%m-%dT%H:%M}"
    assert desk.post(browser, f"{address}/move-follow-up", **{**form, "at": at}).status_code == 503
    assert "is moved to" in desk.told(browser, desk.post(browser, f"{address}/move-follow-up", **{**form, "at": at}))
    assert [each.act for each in desk.store.audit.newest()] == [Act.FOLLOW_UP_MOVED]
    assert not desk.store.follow_ups.state_of(JOHN).due


def test_a_lead_is_opted_out_once_and_in_once(desk, place, interrupted):
    browser, address = place
    form = desk.form(browser, f"{address}/opt-out")
    told = interrupted(browser, f"{address}/opt-out", **{**form, "reason": "called us"})
    assert told == "The lead is opted out."
    form = desk.form(browser, f"{address}/opt-in")
    assert interrupted(browser, f"{address}/opt-in", **form) == "The lead is opted in."
    assert [each.detail for each in reversed(desk.store.audit.newest())] == ["out called us", "in"]
    words = [moment.word for moment in desk.store.timeline.of(JOHN)]
    assert (words.count("opted out"), words.count("opted in")) == (1, 1)


def test_a_lead_is_forgotten_once(desk, place, interrupted, write):
    browser, address = place
    form = desk.form(browser, f"{address}/forget")
    told = interrupted(browser, f"{address}/forget", **form)
    assert told == "Erased: 1 event; of these waited and ended as skipped: 1."
    assert [(each.act, each.persona, each.target) for each in desk.store.audit.newest()] == [(Act.FORGOT, "ava", "")]
    write("@john", "again")
    desk.post(browser, f"{address}/forget", **form)
    assert desk.store.known.are_known([JOHN]), "what came since is not forgotten"
    assert len(desk.store.audit.newest()) == 1


@pytest.fixture
def refuse_all(desk, channel):
    """Refuse events that would be accepted now; returns the address of their group, and a browser of kim."""

    def refuse(*event_ids: str):
        event = {"kind": "inbound_chat", "persona": "ava", "target": "@john", "channel": channel, "message": "words"}
        for event_id in event_ids:
            payload = json.dumps({**event, "event_id": event_id})
            desk.store.inbox.refuse("ava", "@john", event_id, payload, "InvalidEvent: message")
        browser = desk.browser("kim")
        (group,) = re.findall(r'href="(/dead/group/[^"]+)"', browser.get("/dead").text)
        return group, browser

    return refuse


@pytest.mark.parametrize(("choice", "act"), [("place", Act.REPLAYED), ("discard", Act.DISCARDED)])
def test_a_letter_is_replayed_once_or_discarded_once(desk, interrupted, refuse_all, choice, act):
    group, browser = refuse_all("m-1")
    (address,) = re.findall(r'href="(/dead/letter/[^"]+)"', browser.get(group).text)
    (name,) = re.findall(r'name="id" value="([^"]+)"', browser.get(address).text)
    interrupted(browser, f"{address}/replay", id=name, choice=choice)
    assert [(each.act, each.detail) for each in desk.store.audit.newest()] == [(act, "m-1")]
    assert desk.store.dead_letters.count() == 0
    assert situation(desk.store.redis, desk.store.keys, JOHN, "dev").waiting == (1 if choice == "place" else 0)


@pytest.mark.parametrize(("word", "act"), [("replay", Act.REPLAYED), ("discard", Act.DISCARDED)])
def test_the_letter_of_a_group_at_which_it_was_cut_off_is_noted(desk, interrupted, refuse_all, word, act):
    group, browser = refuse_all("m-1", "m-2", "m-3")
    told = interrupted(browser, f"{group}/{word}", **desk.form(browser, f"{group}/{word}"))
    assert told.startswith("3 of 3 ")
    assert sorted(each.detail for each in desk.store.audit.newest(act=act)) == ["m-1", "m-2", "m-3"]


def test_the_form_of_one_group_does_nothing_to_another(desk, refuse_all):
    group, browser = refuse_all("m-1")
    desk.store.inbox.refuse("ava", "@john", "o-1", "{}", "InvalidEvent: target")
    (other,) = set(re.findall(r'href="(/dead/group/[^"]+)"', browser.get("/dead").text)) - {group}
    form = desk.form(browser, f"{group}/discard")
    assert desk.post(browser, f"{other}/discard", **form).status_code == 400
    assert desk.store.dead_letters.count() == 2


def test_a_group_with_very_long_names_is_done_in_parts_that_fit_into_a_form(make_desk):
    desk = make_desk(ingress={"body_bytes": 4096})
    for number in range(30):
        desk.store.inbox.refuse("ava", "@john", f"m-{number}-" + "x" * 200, "{}", "InvalidEvent: message")
    browser, left = desk.browser("kim"), [30]
    (address,) = re.findall(r'href="(/dead/group/[^"]+)"', browser.get("/dead").text)
    while left[-1]:
        desk.send(browser, f"{address}/discard")
        left.append(desk.store.dead_letters.count())
        assert left[-1] < left[-2]
    assert len(left) > 3, "they did not fit into one form"


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
    form = desk.form(browser, f"{address}/discard")
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
    for _ in range(2):
        assert desk.told(browser, desk.post(browser, f"{address}/discard", **form)) == "100 of 100 discarded."
        assert desk.store.dead_letters.count() == 30
        details = [each.detail for each in desk.store.audit.newest(200, act=Act.DISCARDED)]
        assert len(details) == len(set(details)) == 100
    assert desk.post(browser, f"{address}/discard").status_code == 400
    assert desk.post(browser, f"{address}/discard", counted="A" * 30).status_code == 400
    assert desk.store.dead_letters.count() == 30
