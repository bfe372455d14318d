"""One persona does not starve the others: of outreach, of leads who wait, and one that is not configured any more."""

from __future__ import annotations

import logging
from collections import Counter

import pytest

from worker.domain.conversation import Conversation
from worker.store.conversations.turn_steps import NotNow
from worker.store.views.situation import situation

# Doorbells are repeated so late that a busy machine does not reach that moment between two lines of a test.
SETTINGS = {"agenda": {"outreach_limit": 20, "grace_seconds": 60}}
ONLY_BEA = {**SETTINGS, "personas": {"bea": {"api_key": "ft_sk_bea"}}}
ONLY_AVA = {**SETTINGS, "personas": {"ava": {"api_key": "ft_sk_ava"}}}


@pytest.fixture
def store(make_store):
    return make_store(**SETTINGS)


@pytest.fixture
def enqueue(store, event_of, chat):
    """So many conversations of a persona, each with one opener or one message."""

    def run(persona, count, kind="ai_opener", start=0):
        for number in range(start, start + count):
            fields = {"persona": persona, "target": f"@{persona}-{number}"}
            event = chat(**fields) if kind == "inbound_chat" else event_of(kind, **fields)
            assert store.inbox.accept(event).status == "accepted"
        store.redis.delete("turns")

    return run


def make_due(store, at=1):
    for shard in store.keys.shards:
        for name in store.redis.zrange(shard.agenda, 0, -1):
            store.redis.zadd(shard.agenda, {name: at})


def rung(claimed):
    return Counter(conversation.persona for conversation, _ in claimed)


def look_at(store, claimed):
    """A worker takes these doorbells; no turn is granted, because the persona is paused."""
    for conversation, _ in claimed:
        assert isinstance(store.steps.begin(conversation, f"t-{conversation.name}"), NotNow)


def ticks(store, count, taken=True):
    """The doorbells of each of these ticks. ``taken``: workers take them at once."""
    found = []
    for _ in range(count):
        claimed = store.agenda.claim_due()
        if not taken:
            store.doorbells.ring(claimed)
        found.append(claimed)
    return found


# Outreach


def test_an_idle_persona_is_rung_for_at_once_beside_a_long_campaign(store, enqueue):
    enqueue("ava", 400)
    enqueue("bea", 5)
    assert sum((rung(claimed) for claimed in ticks(store, 2)), Counter())["bea"] == 5


def test_room_that_one_does_not_use_goes_to_the_others(store, enqueue):
    enqueue("ava", 100)
    assert rung(store.agenda.claim_due()) == {"ava": 20}


def test_doorbells_of_one_that_lie_in_the_queue_leave_the_other_its_part(store, enqueue):
    enqueue("ava", 100)
    ticks(store, 3, taken=False)
    assert store.redis.llen("outreach") == 20
    enqueue("bea", 30)
    assert [rung(claimed) for claimed in ticks(store, 3, taken=False)] == [{"bea": 10}, {}, {}]


def test_over_a_broker_that_only_counts_the_other_has_its_part_too(store, enqueue, monkeypatch):
    monkeypatch.setattr(store.doorbells, "backlog", lambda lanes: 20)
    enqueue("ava", 100)
    monkeypatch.setattr(store.doorbells, "backlog", lambda lanes: 0)
    store.agenda.claim_due()
    monkeypatch.setattr(store.doorbells, "backlog", lambda lanes: 20)
    enqueue("bea", 30)
    assert rung(store.agenda.claim_due()) == {"bea": 10}


def test_doorbells_that_were_taken_leave_room(store, enqueue):
    store.personas.pause("ava", "")
    enqueue("ava", 100)
    claimed = store.agenda.claim_due()
    store.doorbells.ring(claimed)
    look_at(store, claimed[:15])
    for _ in range(15):
        store.redis.rpop("outreach")
    enqueue("bea", 30)
    assert rung(store.agenda.claim_due()) == {"ava": 5, "bea": 10}


def test_doorbells_that_were_taken_are_held_against_nobody(store, enqueue):
    store.personas.pause("ava", "")
    enqueue("ava", 100)
    look_at(store, store.agenda.claim_due())
    store.redis.delete(*[shard.queue("ava") for shard in store.keys.shards])
    enqueue("bea", 30)
    ticks(store, 1, taken=False)
    enqueue("ava", 30, start=1000)
    assert rung(store.agenda.claim_due()) == {"ava": 10}


def test_what_was_looked_at_and_could_not_go_gives_way_to_others_of_its_persona(store, enqueue):
    store.personas.pause("ava", "")
    enqueue("ava", 30)
    first = store.agenda.claim_due()
    look_at(store, first)
    make_due(store)
    second = store.agenda.claim_due()
    fresh = {conversation for conversation, _ in second} - {conversation for conversation, _ in first}
    assert len(fresh) == 10
    assert [conversation in fresh for conversation, _ in second] == 10 * [True] + 10 * [False]


def test_a_doorbell_that_was_lost_keeps_its_place(make_store, event_of):
    store = make_store(agenda={"outreach_limit": 2, "shards": 1})
    shard = store.keys.shards[0]
    for number in range(6):
        conversation = Conversation("ava", f"@{number}")
        store.inbox.accept(event_of("ai_opener", target=conversation.target, event_id="e"))
        store.redis.hincrby(shard.journal(conversation, "e"), "accepted_at", 10_000 * number)
        store.redis.zincrby(shard.ready, 10_000 * number, conversation.name)
    lost = [conversation for conversation, _ in store.agenda.claim_due()]
    store.redis.zadd(shard.agenda, {conversation.name: 1 for conversation in lost})
    # As if it had been rung for when all of them were there.
    for conversation in lost:
        store.redis.hincrby(shard.conversation(conversation), "rung_at", 100_000)
    assert [conversation for conversation, _ in store.agenda.claim_due()] == lost


@pytest.mark.parametrize(
    "reason", ["outreach ramp", "quiet hours", "own_limit", "in_line", "the key's own limit of calls"]
)
def test_what_waited_for_its_own_moment_keeps_its_place(store, enqueue, reason):
    enqueue("ava", 60)
    first = store.agenda.claim_due()
    for conversation, _ in first:
        grant = store.steps.begin(conversation, f"t-{conversation.name}")
        store.steps.hold(grant, 0, reason, unknown=False, asked=False)
    assert store.agenda.claim_due() == first


def test_a_stored_reply_keeps_its_place(store, enqueue):
    enqueue("ava", 60)
    first = store.agenda.claim_due()
    for conversation, _ in first:
        grant = store.steps.begin(conversation, f"t-{conversation.name}")
        store.steps.record(grant, "{}")
        store.steps.hold(grant, 0, "next bubble 2 of 3", unknown=False, bubbles_sent=1)
    assert store.agenda.claim_due() == first


def test_a_gate_that_opens_brings_back_the_order_of_acceptance(store, enqueue):
    store.personas.pause("ava", "")
    enqueue("ava", 30)
    first = store.agenda.claim_due()
    look_at(store, first)
    store.personas.open_gate("ava", "paused")
    assert {conversation for conversation, _ in store.agenda.claim_due()} == {conversation for conversation, _ in first}


def test_what_found_no_room_in_a_process_goes_back_to_its_place(store, enqueue):
    enqueue("ava", 60)
    first = store.agenda.claim_due()
    for conversation, _ in first:
        store.agenda.give_back(conversation)
    assert store.agenda.claim_due() == first


def test_several_ring_at_once_and_every_opener_is_rung_for_once(store, make_store, enqueue):
    other = make_store(**SETTINGS)
    enqueue("ava", 90)
    enqueue("bea", 45)
    found = [conversation for _ in range(10) for by in (store, other) for conversation, _ in by.agenda.claim_due()]
    assert len(found) == len(set(found)) == 135


def test_a_campaign_that_waits_is_seen_by_the_look_and_ends_with_it(store, enqueue):
    enqueue("ava", 30)
    assert len(store.agenda.claim_due()) == 20
    assert store.agenda.look().shards
    assert len([name for claimed in ticks(store, 3) for name in claimed]) == 10
    assert store.agenda.look().shards == ()
    assert list(store.redis.scan_iter("*:queue*")) == []


def test_what_waits_in_a_queue_is_counted_and_explained_as_ready_and_forgotten(store, enqueue):
    enqueue("ava", 30)
    store.agenda.claim_due()
    assert store.outreach.state("ava").ready == 10
    queues = [store.redis.zrange(shard.queue("ava"), 0, -1) for shard in store.keys.shards]
    conversation = Conversation.of_name(next(name for names in queues for name in names))
    assert situation(store.redis, store.keys, conversation, "dev").ready
    for found in store.agenda.claim_due():
        store.forgetting.forget(found[0], store.forgetting.traces(found[0]))
    store.forgetting.forget(conversation, store.forgetting.traces(conversation))
    left = [key for key in store.redis.scan_iter() if store.redis.type(key) == "zset"]
    assert not any(conversation.name in store.redis.zrange(key, 0, -1) for key in left)


# Leads who wait


def test_leads_of_one_who_are_due_in_thousands_leave_the_other_its_part(make_store, chat):
    store = make_store(agenda={"shards": 1, "ring_limit": 20})
    for number in range(60):
        store.inbox.accept(chat(target=f"@{number}"))
    make_due(store)
    store.inbox.accept(chat(persona="bea"))
    store.redis.zadd(store.keys.shards[0].agenda, {"bea:@lead": 2})
    claimed = store.agenda.claim_due()
    assert rung(claimed) == {"ava": 19, "bea": 1}
    assert (Conversation("bea", "@lead"), "turns") in claimed[:2], "the personas are in turn"


def test_the_first_doorbell_of_several_is_taken_first(store, enqueue):
    store.doorbells.ring([(Conversation("ava", f"@{number}"), "turns") for number in range(3)])
    assert ["@0" in store.redis.rpop("turns"), "@1" in store.redis.rpop("turns")] == [True, True]


# A persona that is not configured


def test_a_persona_that_was_removed_is_not_rung_for_and_said_once(store, make_store, enqueue, caplog):
    enqueue("ava", 300)
    enqueue("ava", 50, "inbound_chat", start=1000)
    enqueue("bea", 5)
    make_due(store)
    later = make_store(**ONLY_BEA)
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            assert rung(later.agenda.claim_due())["ava"] == 0
            make_due(store)
    assert len([record for record in caplog.records if "not configured" in record.message]) == 1
    later.agenda.claim_due()
    assert later.agenda.look().shards == (), "nothing of it is due or ready"


def test_it_leaves_the_ring_of_leads_to_the_others(make_store, chat):
    store = make_store(agenda={"shards": 1, "ring_limit": 10})
    for number in range(35):
        store.inbox.accept(chat(target=f"@{number}"))
    make_due(store)
    store.inbox.accept(chat(persona="bea"))
    store.redis.zadd(store.keys.shards[0].agenda, {"bea:@lead": 2})
    later = make_store(**{**ONLY_BEA, "agenda": {"shards": 1, "ring_limit": 10}})
    assert rung(later.agenda.claim_due()) == {"bea": 1}


def test_it_comes_back_at_once_when_it_is_configured_again(store, make_store, enqueue):
    enqueue("ava", 30)
    enqueue("ava", 10, "inbound_chat", start=1000)
    make_due(store)
    make_store(**ONLY_BEA).agenda.claim_due()
    again = make_store(**SETTINGS)
    assert again.agenda.look().shards
    lanes = Counter(lane for _, lane in again.agenda.claim_due())
    assert lanes == {"turns": 10, "outreach": 20}


def test_workers_with_old_and_new_settings_hide_nothing_from_each_other(store, make_store, enqueue):
    """During a rolling deploy that adds a persona."""
    enqueue("ava", 40)
    enqueue("bea", 40)
    enqueue("bea", 40, "inbound_chat", start=1000)
    make_due(store)
    old, found = make_store(**ONLY_AVA), []
    for _ in range(8):
        found += old.agenda.claim_due()
        found += store.agenda.claim_due()
    assert len(found) == len(set(found)) == 120


def test_what_is_held_comes_back_when_its_hold_ends(store, make_store, chat, begin, due):
    store.inbox.accept(chat())
    store.steps.hold(begin(), 60, "persona unavailable (503)", unknown=False)
    until = due()
    make_due(store)
    make_store(**ONLY_BEA).agenda.claim_due()
    assert due() > until
    assert store.agenda.claim_due() == []
    assert due() == until


def test_what_ended_while_it_was_parked_is_forgotten(store, make_store, chat, begin, due):
    store.inbox.accept(chat())
    make_due(store)
    make_store(**ONLY_BEA).agenda.claim_due()
    store.steps.settle(begin(), "answered")
    assert (store.agenda.claim_due(), due()) == ([], None)
    assert list(store.redis.scan_iter("*parked*")) == []


# Beside workers of 0.1.0, whose ring takes from `ready` and knows no queues


def test_what_becomes_ready_is_seen_by_workers_of_0_1_0(store, enqueue):
    enqueue("ava", 5)
    assert sum(store.redis.zcard(shard.ready) for shard in store.keys.shards) == 5


def test_what_is_in_a_queue_is_found_again_without_it(store, enqueue):
    """Only workers of 0.1.0 are left: an hour later the agenda has it."""
    enqueue("ava", 30)
    store.agenda.claim_due()
    for key in list(store.redis.scan_iter("*:queue*")):
        store.redis.delete(key)
    make_due(store)
    assert rung(store.agenda.claim_due()) == {"ava": 20}
