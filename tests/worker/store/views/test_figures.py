"""The store is measured with bounded work, and the figures are those of the books."""

from __future__ import annotations

import time

import pytest

from tests.worker.outreach_gate import stop_outreach
from worker.domain.conversation import Conversation
from worker.store.redis.ahead import advance
from worker.store.views.figures import Waiting


def rows_of(store, **options):
    return {names: (row.conversations, row.events) for names, row in store.measures.take(**options).waiting.items()}


@pytest.fixture
def fill(store, chat):
    """Conversations of ava that wait, each with so many events."""

    def run(conversations, events=1, **fields):
        for number in range(conversations):
            for _ in range(events):
                assert store.inbox.accept(chat(target=f"@lead-{number}", **fields)).status == "accepted"

    return run


def test_an_empty_store(store):
    figures = store.measures.take()
    assert (figures.agenda, figures.follow_ups, figures.dead_letters, figures.seals, figures.taken_over) == (0,) * 5
    assert (figures.agenda_lag_seconds, figures.follow_up_lateness_seconds) == (0, 0)
    assert figures.waiting == {}
    assert figures.gates == {"ava": [], "bea": []}
    assert not figures.sampled
    assert figures.measuring_seconds > 0


def test_what_waits_is_counted_and_balances(store, fill, begin, conversation):
    fill(3, events=2)
    fill(1, persona="bea")
    figures = store.measures.take()
    assert figures.counters == {"ava": {"accepted": 6}, "bea": {"accepted": 1}}
    assert (figures.unaccounted("ava"), figures.unexplained("ava")) == (6, 0)
    assert rows_of(store) == {("ava", "worker"): (3, 6), ("bea", "worker"): (1, 1)}
    assert figures.agenda == 4


def test_what_is_lost_is_unexplained(store, fill):
    fill(2)
    store.redis.delete(store.keys.of(Conversation("ava", "@lead-0")).inbox(Conversation("ava", "@lead-0")))
    assert store.measures.take().unexplained("ava") == 1


def test_each_conversation_has_the_reason_it_waits_for(store, chat, begin, conversation):
    for name in ("@turn", "@held", "@free", "@lead"):
        store.inbox.accept(chat(target=name))
    store.steps.begin(Conversation("ava", "@turn"), "token-1")
    held = store.steps.begin(Conversation("ava", "@held"), "token-2")
    store.steps.hold(held, 60, "persona unavailable", unknown=False)
    assert rows_of(store) == {("ava", "turn"): (1, 1), ("ava", "hold"): (1, 1), ("ava", "worker"): (2, 2)}


def test_an_opener_whose_lead_has_written_since_waits_for_a_worker_and_not_for_outreach(store, chat, event_of):
    store.inbox.accept(event_of("ai_opener"))
    assert rows_of(store) == {("ava", "outreach"): (1, 1)}
    store.inbox.accept(chat())
    assert rows_of(store) == {("ava", "worker"): (1, 2)}


def test_a_closed_gate_is_a_reason_and_is_told(store, fill):
    fill(2)
    store.personas.pause("ava", "rotation")
    assert rows_of(store) == {("ava", "paused"): (2, 2)}
    assert store.measures.take().gates == {"ava": ["paused"], "bea": []}
    store.personas.open_gate("ava", "paused")
    store.personas.close_for_probing("ava", "credits", "credits out")
    assert rows_of(store) == {("ava", "credits"): (2, 2)}


def test_a_gate_that_time_opens_is_closed_only_until_then(make_store, chat):
    store = make_store(ahead=True)
    store.inbox.accept(chat())
    store.personas.hold("ava", 3600, "throttled")
    assert store.measures.take().gates["ava"] == ["hold"]
    assert rows_of(store) == {("ava", "persona_hold"): (1, 1)}
    advance(store.redis, 3601)
    assert store.measures.take().gates["ava"] == []
    assert rows_of(store) == {("ava", "worker"): (1, 1)}


def test_credits_concern_only_those_who_were_never_answered(store, chat, begin):
    store.inbox.accept(chat())
    store.steps.settle(begin(), "answered", mark="started")
    store.inbox.accept(chat())
    store.inbox.accept(chat(target="@new"))
    store.personas.close_for_probing("ava", "credits", "credits out")
    assert rows_of(store) == {("ava", "worker"): (1, 1), ("ava", "credits"): (1, 1)}


def test_who_speaks_first_waits_behind_the_leads_and_for_a_gate_of_its_own(store, chat, event_of):
    store.inbox.accept(event_of("ai_opener", target="@opened"))
    store.inbox.accept(chat())
    assert rows_of(store) == {("ava", "outreach"): (1, 1), ("ava", "worker"): (1, 1)}
    stop_outreach(store, "ava", "too many went wrong")
    assert rows_of(store) == {("ava", "outreach_stopped"): (1, 1), ("ava", "worker"): (1, 1)}
    assert store.measures.take().gates["ava"] == ["outreach"]


def test_what_a_person_has_waits_for_that_person(store, chat, conversation):
    store.inbox.accept(chat())
    store.takeovers.claim(conversation, "operator")
    figures = store.measures.take()
    assert rows_of(store) == {("ava", "person"): (1, 1)}
    assert figures.taken_over == 1


def test_a_stored_reply_waits_for_no_gate(store, chat, begin):
    store.inbox.accept(chat())
    grant = begin()
    store.steps.record(grant, "{}")
    store.steps.hold(grant, 0, "channel unavailable", unknown=False)
    store.personas.pause("ava", "rotation")
    assert rows_of(store) == {("ava", "worker"): (1, 1)}


def test_the_oldest_event_and_the_lag_of_the_agenda(store, chat, conversation):
    store.inbox.accept(chat())
    shard = store.keys.of(conversation)
    now_ms = int(time.time() * 1000)
    (event_id,) = store.redis.lrange(shard.inbox(conversation), 0, -1)
    store.redis.hset(shard.journal(conversation, event_id), "accepted_at", now_ms - 90_000)
    store.redis.zadd(shard.agenda, {conversation.name: now_ms - 30_000})
    figures = store.measures.take()
    assert figures.waiting["ava", "worker"].oldest_seconds == pytest.approx(90, abs=10)
    assert figures.agenda_lag_seconds == pytest.approx(30, abs=10)


def test_a_persona_that_is_not_configured_makes_no_label(store, chat):
    store.inbox.accept(chat())
    store.inbox.refuse("anybody-1", "@lead", "e-1", "{}", "UnknownPersona: no")
    store.inbox.refuse("anybody-2", "@lead", "e-2", "{}", "UnknownPersona: no")
    figures = store.measures.take()
    assert figures.counters == {"ava": {"accepted": 1}, "other": {"accepted": 2, "dead": 2}}
    assert figures.dead_letters == 2
    assert figures.unexplained("other") == 0


def test_more_than_may_be_looked_at_is_an_estimate(make_store, channel, chat):
    store = make_store(agenda={"shards": 1})
    for number in range(200):
        store.inbox.accept(chat(target=f"@lead-{number}", persona="ava" if number < 150 else "bea"))
    figures = store.measures.take(look_at_most=50)
    assert figures.sampled
    assert figures.unexplained("ava") is None
    assert (figures.unaccounted("ava"), figures.unaccounted("bea"), figures.agenda) == (150, 50, 200)
    total = sum(row.events for row in figures.waiting.values())
    assert total == 200
    assert figures.waiting.get(("ava", "worker"), Waiting()).events > 50


def test_measuring_changes_nothing(store, fill):
    fill(3, events=2)
    store.personas.pause("bea", "rotation")
    before = {key: store.redis.dump(key) for key in store.redis.scan_iter()}
    store.measures.take()
    assert {key: store.redis.dump(key) for key in store.redis.scan_iter()} == before


def test_the_queues_are_those_of_the_broker_in_the_store(store):
    store.redis.rpush("turns", "doorbell")
    assert store.measures.take().queues == {"turns": 1, "outreach": 0, "schedule": 0, "accept": 0}


def test_another_broker_is_not_looked_into(make_store):
    assert make_store(broker_url="amqp://localhost//").measures.take().queues == {}


def test_what_waits_for_a_persona_that_was_removed_is_named_and_has_a_reason_of_its_own(make_store, chat, event_of):
    store = make_store()
    for number in range(3):
        store.inbox.accept(event_of("ai_opener", target=f"@cold-{number}"))
    store.inbox.accept(chat())
    store.inbox.accept(chat(persona="bea"))
    later = make_store(personas={"bea": {"api_key": "ft_sk_bea"}})
    later.agenda.claim_due()
    figures = later.measures.take()
    assert {name: (row.conversations, row.events) for name, row in figures.unconfigured.items()} == {"ava": (4, 4)}
    assert rows_of(later) == {("other", "unconfigured"): (4, 4), ("bea", "worker"): (1, 1)}
    assert store.measures.take().unconfigured == {}
