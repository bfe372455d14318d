"""Who did what when: noted once, bounded, listed by what one looks for, without the names of forgotten leads."""

from __future__ import annotations

import time

import pytest

from worker.domain.conversation import Conversation
from worker.domain.operator_words import MOST_NOTE
from worker.store.operator.audit import MOST_ACTS, Act

LEAD, OTHER = Conversation("ava", "@lead"), Conversation("ava", "@other")


@pytest.fixture
def told(store):
    """What is noted, the newest first."""

    def read(**wanted):
        return [(each.by, each.act, each.persona, each.target) for each in store.audit.newest(**wanted)]

    return read


def test_an_act_has_a_name_a_time_and_what_it_was_about(store, told):
    store.audit.note("kim", Act.PAUSED, "ava", "holiday")
    store.audit.note("lou", Act.CLAIMED, LEAD)
    assert told() == [("lou", "claimed", "ava", "@lead"), ("kim", "paused", "ava", "")]
    (_, paused) = store.audit.newest()
    assert (paused.detail, paused.erased) == ("holiday", False)
    assert abs(paused.at.timestamp() - time.time()) < 60


def test_it_is_found_by_what_one_looks_for(store, told):
    for by, act, about in (("kim", Act.CLAIMED, LEAD), ("kim", Act.SAID, LEAD), ("lou", Act.CLAIMED, OTHER)):
        store.audit.note(by, act, about)
    assert [act for _, act, *_ in told(by="kim")] == ["said", "claimed"]
    assert [by for by, *_ in told(act="claimed")] == ["lou", "kim"]
    assert told(target="@other") == [("lou", "claimed", "ava", "@other")]
    assert told(persona="bea") == []
    assert len(told(limit=2)) == 2


def test_the_same_call_again_is_one_act(store, told):
    for call in ("c1", "c1", "c2"):
        store.audit.note("kim", Act.CLAIMED, LEAD, call=call)
    assert len(told()) == 2


def test_it_is_bounded(store, told):
    key = store.keys.shards[0].key("audit")
    store.redis.rpush(key, *['1 {"by":"kim","act":"read","call":"c"}'] * MOST_ACTS)
    store.audit.note("lou", Act.READ, LEAD)
    assert store.redis.llen(key) == MOST_ACTS
    assert told(limit=1) == [("lou", "read", "ava", "@lead")]
    assert len(told(limit=MOST_ACTS, by="kim")) == MOST_ACTS - 1
    store.audit.note("lou", Act.PAUSED, "ava", "x" * 10_000)
    assert len(store.audit.newest(1)[0].detail) == MOST_NOTE


def test_a_forgotten_lead_is_named_no_more_and_what_was_done_stays(store, told, accept):
    accept("a")
    store.audit.note("kim", Act.CLAIMED, LEAD, "asks for @lead's refund")
    store.audit.note("kim", Act.CONSENT_WRITTEN, Conversation("*", "@lead"))
    store.audit.note("kim", Act.CLAIMED, OTHER, "stays")
    traces = store.forgetting.traces(LEAD)
    assert traces.in_audit
    store.forgetting.forget(LEAD, traces)
    assert told() == [
        ("kim", "claimed", "ava", "@other"),
        ("kim", "consent written", "*", ""),
        ("kim", "claimed", "ava", ""),
    ]
    assert [each.erased for each in store.audit.newest()] == [False, True, True]
    assert "@lead" not in str(store.redis.lrange(store.keys.shards[0].key("audit"), 0, -1))
    assert store.forgetting.traces(LEAD).nothing


def test_an_act_is_noted_while_the_store_is_full(store, told):
    limit = int(store.redis.config_get("maxmemory")["maxmemory"])
    store.audit.note("kim", Act.CLAIMED, LEAD)
    store.redis.config_set("maxmemory", 1)
    try:
        store.audit.note("kim", Act.PAUSED, "ava")
    finally:
        store.redis.config_set("maxmemory", limit)
    assert [act for _, act, *_ in told()] == ["paused", "claimed"]
