"""Which lead a session of the channel belongs to."""

from __future__ import annotations

import pytest

from worker.domain.conversation import Conversation

JOHN, JANE = Conversation("ava", "@john"), Conversation("ava", "@jane")
DAY_MS = 86_400_000


@pytest.fixture
def targets(store):
    """The targets of these sessions of a persona."""
    return lambda *sessions: [kept.target for kept in store.sessions.targets_of([("ava", each) for each in sessions])]


def test_what_a_session_was_first_it_stays_also_within_one_call(store, targets):
    assert targets("s1", "s2") == [None, None]
    store.sessions.keep([("s1", JOHN), ("s2", JANE), ("s1", JANE)])
    store.sessions.keep([("s2", JOHN)])
    assert targets("s1", "s2", "s3") == ["@john", "@jane", None]
    assert store.sessions.targets_of([("bea", "s1")])[0].target is None, "another persona's is another one"


def test_it_is_fresh_for_a_day_and_kept_on_by_the_next_event(store):
    store.sessions.keep([("s1", JOHN)])
    (kept,) = store.sessions.targets_of([("ava", "s1")])
    assert kept.is_fresh
    (key,) = store.sessions.of(JOHN)
    full_ms = store.redis.pttl(key)
    store.redis.pexpire(key, full_ms - DAY_MS - 1000)
    (kept,) = store.sessions.targets_of([("ava", "s1")])
    assert (kept.target, kept.is_fresh) == ("@john", False)
    store.sessions.keep([("s1", JOHN)])
    assert store.redis.pttl(key) > full_ms - 60_000


def test_a_lead_who_is_forgotten_leaves_no_session_but_those_of_others(store, targets):
    store.sessions.keep([("s1", JOHN), ("s2", JANE), ("s2", JOHN)])
    store.sessions.forget(JOHN)
    assert targets("s1", "s2") == [None, "@jane"]
    assert store.sessions.of(JOHN) == []


def test_no_session_id_can_be_seen_in_the_keys(store):
    store.sessions.keep([("session-SECRET", JOHN)])
    assert not any("SECRET" in key for key in store.redis.scan_iter())
