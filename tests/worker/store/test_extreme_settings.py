"""With the largest and the smallest numbers that settings take, every script ends and the books balance."""

from __future__ import annotations

import pytest

from worker.domain.cadence import Planned, Touch
from worker.domain.conversation import Conversation
from worker.store import Store

TEN_YEARS = 315_360_000
LARGEST = {
    "lease": {"ttl_seconds": 600},
    "agenda": {
        "grace_seconds": TEN_YEARS,
        "grace_limit_seconds": TEN_YEARS,
        "ring_limit": 10**9,
        "outreach_limit": 10**9,
    },
    "retention": {
        "settled_seconds": TEN_YEARS,
        "dead_seconds": TEN_YEARS,
        "conversation_seconds": TEN_YEARS,
        "timeline_entries": 100_000,
    },
    "join": {"settle_seconds": 0, "max_events": 10**9, "max_characters": 10**9},
    "limits": {"inbox_events": 10**9},
    "follow_ups": {"per_day": 10**9, "per_hour": 3_600_000},
    "validity": {"ai_opener_seconds": TEN_YEARS},
    "gates": {"probe_seconds": TEN_YEARS, "probe_limit_seconds": TEN_YEARS},
    "personas": {
        "ava": {
            "api_key": "k",
            "calls_per_second": 1000,
            "calls_at_once": 10**9,
            "outreach": {"openers_per_hour": 3_600_000, "jitter": 0.9},
        },
    },
}
SMALLEST = {
    "lease": {"ttl_seconds": 0.5, "renew_seconds": 0.001},
    "agenda": {
        "tick_seconds": 0.001,
        "grace_seconds": 0.001,
        "grace_limit_seconds": 0.001,
        "ring_limit": 1,
        "outreach_limit": 1,
        "shards": 1,
    },
    "retention": {
        "settled_seconds": 86_400,
        "dead_seconds": 86_400,
        "conversation_seconds": 86_400,
        "timeline_entries": 1,
    },
    "join": {"settle_seconds": 0.001, "settle_limit_seconds": 0.001, "max_events": 1, "max_characters": 1},
    "limits": {"inbox_events": 4},
    "follow_ups": {"per_day": 1, "per_hour": 1},
    "validity": {"ai_opener_seconds": 0.001},
    "gates": {"probe_seconds": 0.001, "probe_limit_seconds": 0.001},
    "personas": {
        "ava": {
            "api_key": "k",
            "calls_per_second": 0.001,
            "calls_at_once": 1,
            "outreach": {"openers_per_hour": 0.001, "jitter": 0},
        },
    },
}
LEAD = Conversation("ava", "@lead")


@pytest.mark.parametrize("settings", [LARGEST, SMALLEST], ids=["largest", "smallest"])
def test_every_step_ends_and_the_books_balance(make_store, chat, event_of, eventually, settings):
    store: Store = make_store(**settings)
    store.inbox.accept(chat(event_id="a"))
    store.inbox.accept(chat(event_id="b"))
    store.inbox.accept(event_of("event_trigger", event_id="c"))

    def begin(token):
        answer = store.steps.begin(LEAD, token)
        return answer if hasattr(answer, "fence") else None

    number = 0
    while store.inbox.waiting(LEAD):
        number += 1
        grant = eventually(lambda token=f"t{number}": begin(token), "a turn")
        store.outreach.wait_of(LEAD, f"e{number}", settings["validity"]["ai_opener_seconds"])
        store.personas.hold("bea", settings["gates"]["probe_seconds"], "throttled")
        if number == 1:
            assert store.steps.hold(grant, 0.001, "later", unknown=False) == "held"
            continue
        assert store.steps.renew([grant]) == []
        assert store.steps.record(grant, '{"bubbles": ["hello"]}').status == "holder"
        at = store.follow_ups.now()
        planned = Planned(0, at, Touch(at + int(settings["retention"]["conversation_seconds"]) * 1000, "step 1"))
        fate = "dead" if number == 2 else "answered"
        assert store.steps.settle(grant, fate, follow_up=planned).status == "settled"
    assert store.follow_up_caps.held_back([store.follow_ups.state_of(LEAD)], store.follow_ups.now()) is not None
    store.agenda.claim_due()
    assert store.dead_letters.replay(LEAD, "a", "append").status in ("replayed", "covered")
    (account,) = store.books.accounts()
    assert (account.accepted, account.unexplained) == (3, 0)


def test_a_conversation_that_outlives_its_events_numbers_its_follow_ups_on(make_store, chat, event_of):
    """The rule of ``config.budgets``: the number of a plan is part of the id of its follow-up."""
    store = make_store()
    store.inbox.accept(chat(event_id="a"))
    grant = store.steps.begin(LEAD, "t")
    at = store.follow_ups.now()
    store.steps.settle(grant, "dead", follow_up=Planned(0, at, Touch(at, "step 1")))
    shard = store.keys.of(LEAD)
    assert store.redis.pttl(shard.conversation(LEAD)) >= store.redis.pttl(shard.journal(LEAD, "a"))
