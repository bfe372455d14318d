"""Dead letters: groups, one by one, with a number before each act."""

from __future__ import annotations

import json
import re

import pytest

from worker.store.operator.audit import Act


@pytest.fixture
def refuse(desk, channel):
    """An event that was refused at the door; now it would be accepted."""

    def make(event_id: str, target: str = "@john", reason: str = "InvalidEvent: message") -> None:
        event = {"kind": "inbound_chat", "event_id": event_id, "persona": "ava", "target": target, "channel": channel}
        desk.store.inbox.refuse("ava", target, event_id, json.dumps({**event, "message": "SECRET"}), reason)

    return make


@pytest.fixture
def group(desk):
    """The address of the only group."""
    return lambda browser: re.findall(r'href="(/dead/group/[^"]+)"', browser.get("/dead").text)[0]


def _left(desk) -> list[str]:
    return sorted(letter.event_id for letter in desk.store.dead_letters.newest())


def test_none_is_a_page_that_teaches(desk):
    assert "No dead letters." in desk.browser("vera").get("/dead").text


def test_a_group_is_replayed_after_its_number_was_told(desk, refuse, group):
    for number in range(3):
        refuse(f"m-{number}", target=f"@lead-{number % 2}")
    refuse("other", reason="InvalidEvent: target")
    browser = desk.browser("otto")
    overview = browser.get("/dead").text
    assert len(re.findall(r"/dead/group/", overview)) == 2
    address = group(browser)
    before = browser.get(f"{address}/replay").text
    assert "Replay 3 dead letters?" in before
    assert "3 events of ava in 2 conversations go back" in before
    assert len(_left(desk)) == 4, "looking changes nothing"
    done = desk.send(browser, f"{address}/replay")
    assert "3 of 3 replayed." in browser.get(done.headers["location"]).text
    assert _left(desk) == ["other"]
    assert [each.act for each in desk.store.audit.newest()] == [Act.REPLAYED] * 3
    assert browser.get(address).headers["location"] == "/dead", "an empty group is no page"


def test_a_group_is_discarded(desk, refuse, group):
    refuse("m-1")
    browser = desk.browser("otto")
    assert "1 event of ava in 1 conversation ends without an answer" in browser.get(f"{group(browser)}/discard").text
    desk.send(browser, f"{group(browser)}/discard")
    assert _left(desk) == []
    assert desk.post(browser, "/dead/group/unknown/discard").status_code == 404


def test_one_letter_is_shown_without_content_and_replayed(desk, refuse, group):
    refuse("m-1")
    browser = desk.browser("kim")
    (address,) = re.findall(r'href="(/dead/letter/[^"]+)"', browser.get(group(browser)).text)
    page = browser.get(address).text
    assert "SECRET" not in page
    assert "m-1" in page
    assert desk.post(browser, f"{address}/replay", choice="elsewhere").status_code == 400
    words = desk.post(browser, f"{address}/words").text
    assert "SECRET" in words
    assert desk.store.audit.newest(1)[0].act == Act.READ
    done = desk.post(browser, f"{address}/replay", choice="place")
    assert "Accepted at the door this time" in browser.get(done.headers["location"]).text
    assert browser.get(address).status_code in (200, 404)
    assert _left(desk) == []


def test_who_may_only_look_changes_and_reads_nothing(desk, refuse, group):
    refuse("m-1")
    browser = desk.browser("vera")
    address = group(browser)
    (letter,) = re.findall(r'href="(/dead/letter/[^"]+)"', browser.get(address).text)
    page = browser.get(letter).text
    assert "Do that" not in page
    assert "Show the content" not in page
    for path in (f"{address}/replay", f"{address}/discard", f"{letter}/replay", f"{letter}/words"):
        assert desk.post(browser, path, choice="discard").status_code == 403
    assert _left(desk) == ["m-1"]


def test_of_very_many_letters_the_newest_are_counted_and_that_is_said(make_desk):
    desk = make_desk(limits={"refused_per_conversation": 200})
    for number in range(130):
        desk.store.inbox.refuse("ava", "@john", f"m-{number}", "{}", "InvalidEvent: message")
    browser = desk.browser("otto")
    page = browser.get("/dead").text
    assert "Of 130 letters the newest 100 are counted here" in page
    (address,) = re.findall(r'href="(/dead/group/[^"]+)"', page)
    before = browser.get(f"{address}/discard").text
    assert "Discard 100 dead letters?" in before
    assert "Of 130 letters these are the oldest" in before
    desk.send(browser, f"{address}/discard")
    assert desk.store.dead_letters.count() == 30
