"""Planned follow-ups: at most one per conversation, and a reply of the lead always wins."""

from __future__ import annotations

import pytest

from worker.events import FollowUp


@pytest.fixture
def quiet_lead(store, chat, begin):
    """A conversation that was answered, with a follow-up due at once."""
    store.inbox.accept(chat())
    store.leases.settle(begin(), "answered", mark="started", follow_up=(0, 0))
    (due,) = store.follow_ups.due(10)
    return due


def dispatch(store, due):
    event = FollowUp(event_id=due.event_id, persona=due.conversation.persona, target=due.conversation.target)
    return store.inbox.accept(event, plan=due.plan).status


def test_a_due_follow_up_becomes_one_event_however_many_dispatch_it(store, quiet_lead):
    assert [dispatch(store, quiet_lead) for _ in range(3)] == ["accepted", "duplicate", "duplicate"]
    assert store.follow_ups.due(10) == []


def test_a_reply_accepted_before_the_dispatch_wins(store, chat, quiet_lead):
    store.inbox.accept(chat())
    assert dispatch(store, quiet_lead) == "stale"
    assert store.follow_ups.due(10) == []


def test_a_reply_accepted_after_the_dispatch_is_known_to_the_turn(store, chat, quiet_lead, begin):
    dispatch(store, quiet_lead)
    store.inbox.accept(chat())
    grant = begin()
    assert grant.head.kind == "follow_up"
    assert grant.last_inbound >= grant.head.accepted_at


def test_nothing_is_planned_while_the_lead_waits(store, chat, begin):
    store.inbox.accept(chat())
    grant = begin()
    store.inbox.accept(chat())
    store.leases.settle(grant, "answered", follow_up=(0, 0))
    assert store.follow_ups.due(10) == []


def test_a_plan_whose_conversation_has_expired_is_dropped(store, quiet_lead):
    store.redis.delete(store.keys.of(quiet_lead.conversation).conversation(quiet_lead.conversation))
    assert dispatch(store, quiet_lead) == "stale"
    assert store.follow_ups.due(10) == []


@pytest.mark.parametrize("mark", ["sealed", "owned_elsewhere"])
def test_a_lead_who_is_lost_is_not_followed_up(store, chat, quiet_lead, begin, mark):
    store.inbox.accept(chat())
    store.leases.settle(begin(), "ignored", mark=mark, follow_up=(0, 0))
    assert store.follow_ups.due(10) == []


def test_what_is_not_due_yet_waits(store, chat, begin):
    store.inbox.accept(chat())
    store.leases.settle(begin(), "answered", follow_up=(3600, 0))
    assert store.follow_ups.due(10) == []
