"""The page of follow-ups, and another time for one of them, or none."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp, InboundChat
from worker.pipeline.producer import Producer
from worker.store.operator.audit import Act

KEY = base64.b64encode(b"k" * 32).decode()
JOHN = Conversation("ava", "@john")


@pytest.fixture
def tomorrow():
    """This time tomorrow, to the minute."""
    return (datetime.now(UTC) + timedelta(days=1)).replace(second=0, microsecond=0)


@pytest.fixture
def plan(desk, channel):
    """A follow-up is asked for at this time."""

    def schedule(target: str, at: datetime, persona: str = "ava") -> None:
        event = FollowUp(persona=persona, target=target, channel=channel, not_before=at)
        assert desk.store.follow_ups.schedule(event).status == "scheduled"

    return schedule


@pytest.fixture
def planned(desk, write, plan, tomorrow):
    """The next follow-up of @john is due tomorrow; the page of the conversation, for kim."""
    write("@john", "SECRET words")
    plan("@john", tomorrow)
    browser = desk.browser("kim")
    return browser, desk.place(browser, "john")


def due(desk) -> datetime:
    return datetime.fromtimestamp(desk.store.follow_ups.state_of(JOHN).due / 1000, UTC)


def test_none_is_a_page_that_teaches(desk):
    assert "No follow-up is planned." in desk.browser("vera").get("/follow-ups").text


def test_they_stand_under_the_day_on_which_they_are_due_the_earliest_first(desk, write, plan, tomorrow):
    later = tomorrow + timedelta(days=3)
    for target, at, persona in (("@late", later, "bea"), ("@soon", tomorrow, "ava")):
        write(target, "SECRET words", persona)
        plan(target, at, persona)
    page = desk.browser("vera").get("/follow-ups").text
    assert re.findall(r"<h2>([^<]+) \(UTC\)</h2>", page) == [f"{tomorrow:%A, %d %B %Y}", f"{later:%A, %d %B %Y}"]
    assert page.index("@soon") < page.index("@late")
    assert re.findall(r'data-label="Why then">([^<]+)', page) == ["asked for by a producer"] * 2
    assert f'title="{tomorrow:%Y-%m-%d %H:%M:%S} UTC"' in page
    assert "SECRET" not in page
    assert "Move" not in page, "vera may only look"


def test_one_is_moved_from_the_list(desk, planned, tomorrow):
    browser, place = planned
    assert f"{place}/move-follow-up" in browser.get("/follow-ups").text
    before = browser.get(f"{place}/move-follow-up").text
    assert f"It is planned for {tomorrow:%Y-%m-%d %H:%M:%S} UTC" in before
    assert f'value="{tomorrow:%Y-%m-%dT%H:%M}"' in before
    later = tomorrow + timedelta(hours=5)
    done = desk.post(browser, f"{place}/move-follow-up", at=f"{later:%Y-%m-%dT%H:%M}")
    assert f"The follow-up is moved to {later:%Y-%m-%d %H:%M:%S} UTC" in desk.told(browser, done)
    assert due(desk) == later
    (moved,) = desk.store.audit.newest(1)
    assert (moved.by, moved.act, moved.target, moved.detail) == (
        "kim",
        Act.FOLLOW_UP_MOVED,
        "@john",
        later.isoformat(),
    )


@pytest.mark.parametrize(
    ("at", "sentence"),
    [
        ("2020-01-01T00:00", "still to come"),
        ("9999-12-31T23:59", "at most ten years from now"),
        ("tomorrow", "Choose the day"),
        ("", "Choose the day"),
    ],
)
def test_it_is_moved_to_no_time_that_is_none_or_over(desk, planned, tomorrow, at, sentence):
    browser, place = planned
    refused = desk.post(browser, f"{place}/move-follow-up", at=at)
    assert (refused.status_code, sentence in refused.text) == (400, True)
    assert due(desk) == tomorrow
    assert desk.store.audit.newest() == []


def test_one_that_is_encrypted_with_another_key_is_left_as_it_is(
    make_store, make_settings, make_desk, channel, tomorrow
):
    own = {"encryption": {"keys": [KEY]}}
    owner = make_store(**own)
    chat = InboundChat(persona="ava", target="@john", message="SECRET words", channel=channel)
    Producer(make_settings(**own), store=owner).enqueue(chat)
    owner.follow_ups.schedule(FollowUp(persona="ava", target="@john", channel=channel, not_before=tomorrow))
    desk = make_desk()
    browser = desk.browser("kim")
    later = f"{tomorrow + timedelta(hours=5):%Y-%m-%dT%H:%M}"
    refused = desk.send(browser, f"{desk.place(browser, 'john')}/move-follow-up", at=later)
    assert (refused.status_code, "PARLEY_ENCRYPTION__KEYS" in refused.text) == (409, True)
    assert due(desk) == tomorrow


def test_one_is_cancelled(desk, planned, tomorrow):
    browser, place = planned
    assert "asked for by a producer" in browser.get(f"{place}/cancel-follow-up").text
    done = desk.post(browser, f"{place}/cancel-follow-up")
    assert desk.told(browser, done) == "The follow-up is cancelled."
    assert "No follow-up is planned." in browser.get("/follow-ups").text
    assert browser.get(f"{place}/move-follow-up").status_code == 409
    assert "no follow-up is planned any more" in desk.told(
        browser, desk.post(browser, f"{place}/move-follow-up", at=f"{tomorrow:%Y-%m-%dT%H:%M}")
    )
    assert [each.act for each in desk.store.audit.newest()] == [Act.FOLLOW_UP_CANCELLED]


def test_who_may_only_look_moves_none(desk, planned, tomorrow):
    browser = desk.browser("vera")
    assert desk.post(browser, f"{planned[1]}/move-follow-up", at="2090-01-01T00:00").status_code == 403
    assert due(desk) == tomorrow


def test_one_that_was_planned_for_a_time_without_a_date_is_shown_and_moved(desk, write, plan_for_year_10000, tomorrow):
    write("@john", "SECRET words")
    plan_for_year_10000(desk.store, "@john")
    browser = desk.browser("kim")
    place = desk.place(browser, "john")
    for page in ("/", "/follow-ups", "/conversations", place, f"{place}/cancel-follow-up"):
        assert browser.get(page).status_code == 200, page
    assert "Friday, 31 December 9999" in browser.get("/follow-ups").text
    form = browser.get(f"{place}/move-follow-up").text
    assert "It is planned for 9999-12-31 23:59:59 UTC" in form
    done = desk.post(browser, f"{place}/move-follow-up", at=f"{tomorrow:%Y-%m-%dT%H:%M}")
    assert "The follow-up is moved to" in desk.told(browser, done)
    assert due(desk) == tomorrow
