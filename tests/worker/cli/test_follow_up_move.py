"""``parley follow-ups move``: another time for the next follow-up of one lead."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.cadence import Planned, Touch
from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp

LEAD = Conversation("ava", "@lead")


@pytest.fixture
def planned(store, chat):
    """The lead was answered, and the next follow-up is due in an hour."""
    store.inbox.accept(chat("a"))
    grant = store.steps.begin(LEAD, "t")
    then = Planned(step=0, quiet_from=grant.now, then=Touch(grant.now + 3_600_000, "cadence_step"))
    store.steps.settle(grant, "answered", mark="started", follow_up=then)
    return store


@pytest.fixture
def tomorrow():
    """This time tomorrow, to the second."""
    return (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)


def due(store):
    return store.follow_ups.state_of(LEAD).due


def test_a_planned_one(parley, planned, tomorrow):
    ended = parley("follow-ups", "move", *LEAD, "--at", f"{tomorrow:%Y-%m-%d %H:%M:%S}")
    assert (ended.status, ended.out[:9]) == (0, "Moved to ")
    assert due(planned) == tomorrow.timestamp() * 1000
    (act,) = planned.audit.newest()
    assert (act.act, act.target, act.detail) == ("follow-up moved", "@lead", tomorrow.isoformat())


def test_one_that_a_producer_asked_for_stays_that_event(parley, planned, tomorrow, channel):
    planned.follow_ups.schedule(
        FollowUp(persona="ava", target="@lead", event_id="mine", channel=channel, not_before=tomorrow)
    )
    later = tomorrow + timedelta(hours=5)
    assert parley("follow-ups", "move", *LEAD, "--at", later.isoformat()).status == 0
    state = planned.follow_ups.state_of(LEAD)
    assert (state.due, state.requested_at) == (later.timestamp() * 1000,) * 2
    assert '"mine"' in planned.follow_ups.requested([state])[0]


def test_a_message_of_the_lead_still_ends_it(parley, planned, tomorrow, chat):
    parley("follow-ups", "move", *LEAD, "--at", tomorrow.isoformat())
    planned.inbox.accept(chat("b"))
    assert due(planned) == 0
    assert parley("follow-ups", "move", *LEAD, "--at", tomorrow.isoformat()).err == (
        "No follow-up is planned for this lead, or it has just changed.\n"
    )


def test_a_plan_that_is_over_meanwhile_is_not_revived(planned, tomorrow, chat):
    plan = planned.follow_ups.state_of(LEAD).plan
    event = FollowUp(persona="ava", target="@lead", not_before=tomorrow)
    planned.inbox.accept(chat("b"))
    assert planned.follow_ups.schedule(event, plan_as_read=plan).status == "gone"
    assert due(planned) == 0


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("soon", "is no time"),
        ("2020-01-01 00:00", "is not in the future"),
        ("9999-12-31T23:59:59-23:59", "is more than ten years from now: give an earlier time"),
    ],
)
def test_what_is_no_time_of_the_next_years(parley, planned, at, told):
    before = due(planned)
    ended = parley("follow-ups", "move", *LEAD, "--at", at)
    assert (ended.status, told in ended.err) == (2, True)
    assert due(planned) == before


def test_of_two_at_once_one_moves_it_and_the_other_is_told(planned, tomorrow):
    moved = []
    both = threading.Barrier(2)

    def move(hours):
        both.wait(10)
        moved.append(planned.follow_ups.move(LEAD, tomorrow + timedelta(hours=hours)))

    threads = [threading.Thread(target=move, args=(hours,)) for hours in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any(moved)
    assert due(planned) > tomorrow.timestamp() * 1000


def test_one_that_was_planned_for_a_time_without_a_date_is_moved(parley, store, plan_for_year_10000, tomorrow):
    plan_for_year_10000(store, "@lead")
    assert parley("follow-ups", "move", *LEAD, "--at", tomorrow.isoformat()).status == 0
    assert due(store) == tomorrow.timestamp() * 1000
