"""Leads who wait and outreach: who is rung for, and how an opener gives way to its lead."""

from __future__ import annotations

import pytest

from tests.worker.outreach_gate import stop_outreach
from worker.domain.conversation import Conversation
from worker.store.conversations.turn_steps import Grant


def make_due(store):
    for shard in store.keys.shards:
        for name in store.redis.zrange(shard.agenda, 0, -1):
            store.redis.zadd(shard.agenda, {name: 1})


def enqueue(store, event_of, count, **fields):
    for number in range(count):
        assert store.inbox.accept(event_of("ai_opener", target=f"@cold-{number}", **fields)).status == "accepted"


def test_a_campaign_is_rung_for_a_bounded_number_at_a_time(make_store, event_of):
    store = make_store(agenda={"outreach_limit": 16})
    enqueue(store, event_of, 300)
    claimed = store.agenda.claim_due()
    assert 0 < len(claimed) <= 16
    store.doorbells.ring(claimed)
    assert store.agenda.claim_due() == [], "workers have not taken the first ones yet"
    store.redis.delete("outreach")
    assert 0 < len(store.agenda.claim_due()) <= 16


def test_every_opener_of_a_campaign_is_rung_for_once(make_store, event_of):
    store = make_store(agenda={"outreach_limit": 16, "grace_seconds": 60})
    enqueue(store, event_of, 100)
    rung = []
    while claimed := store.agenda.claim_due():
        rung += claimed
    assert len(rung) == 100
    assert len(set(rung)) == 100


def test_outreach_is_rung_for_in_the_order_of_acceptance(make_store, event_of):
    store = make_store(agenda={"shards": 1, "outreach_limit": 3})
    for number in range(9):
        store.inbox.accept(event_of("ai_opener", target=f"@cold-{number}", event_id="e"))
        journal = store.keys.shards[0].journal(Conversation("ava", f"@cold-{number}"), "e")
        store.redis.zincrby(store.keys.shards[0].ready, -1000 * number, f"ava:@cold-{number}")
        assert store.redis.exists(journal)
    rung = [found.target for _ in range(3) for found, _ in store.agenda.claim_due()]
    assert rung == [f"@cold-{number}" for number in reversed(range(9))]


def test_leads_who_wait_come_before_outreach_that_waits_longer(make_store, chat, event_of):
    store = make_store(agenda={"shards": 1})
    enqueue(store, event_of, 5)
    store.inbox.accept(chat())
    make_due(store)
    lanes = [lane for _, lane in store.agenda.claim_due()]
    assert lanes == ["turns"] + 5 * ["outreach"]


def test_opening_a_gate_does_not_let_a_campaign_out_at_once(make_store, chat, event_of):
    store = make_store(agenda={"outreach_limit": 16})
    enqueue(store, event_of, 200)
    store.inbox.accept(chat())
    store.personas.pause("ava", "")
    while claimed := store.agenda.claim_due():
        for conversation, _ in claimed:
            store.steps.begin(conversation, "t")
    store.steps.begin(Conversation("ava", "@lead"), "t")
    store.personas.open_gate("ava", "paused")
    claimed = store.agenda.claim_due()
    assert claimed[0] == (Conversation("ava", "@lead"), "turns")
    assert len(claimed) <= 17


@pytest.mark.parametrize("kind", ["ai_opener", "follow_up"])
def test_a_message_leads_at_once_although_what_is_in_front_is_held(
    store, chat, event_of, begin, refused, conversation, kind
):
    store.inbox.accept(event_of(kind))
    store.steps.hold(begin(), 86_400, "outreach ramp", unknown=False, asked=False)
    assert refused().status == "held"
    assert store.redis.llen("turns") == 0
    store.inbox.accept(chat(event_id="m"))
    assert store.redis.llen("turns") == 1, "rung for in the lane of leads who wait"
    grant = begin()
    assert (grant.head.kind, grant.last_inbound >= grant.head.accepted_at) == (kind, True)
    store.steps.settle(grant, "skipped", "the lead wrote in the meantime")
    assert store.redis.llen("turns") == 2
    assert begin().head.event_id == "m"


def test_a_message_leads_although_the_opener_still_waits_to_be_rung_for(store, chat, event_of, begin):
    store.inbox.accept(event_of("ai_opener"))
    store.inbox.accept(chat())
    assert store.redis.llen("turns") == 1
    store.steps.settle(begin(), "skipped")
    store.steps.settle(begin(), "answered")
    assert store.agenda.claim_due() == [], "what was ready has ended"


@pytest.mark.parametrize("settle_seconds", [0, 1.2])
def test_a_message_leads_although_the_opener_was_asked_and_waits_in_line_again(
    make_store, chat, event_of, begin, let_hold_run_out, settle_seconds
):
    store = make_store(join={"settle_seconds": settle_seconds}, agenda={"outreach_limit": 1})
    store.inbox.accept(event_of("ai_opener"))
    store.steps.hold(begin(of=store), 1, "persona unavailable (503)", unknown=False)
    let_hold_run_out()
    make_due(store)
    store.doorbells.ring([(Conversation("ava", "@other"), "outreach")])
    assert store.agenda.claim_due() == [], "no room in the lane of outreach"
    store.inbox.accept(chat())
    assert store.redis.llen("turns") == 1


def test_a_message_leads_although_the_opener_was_asked_before_the_gate_closed(
    store, chat, event_of, begin, refused, let_hold_run_out
):
    store.inbox.accept(event_of("ai_opener"))
    store.steps.hold(begin(), 1, "persona unavailable (503)", unknown=False)
    let_hold_run_out()
    stop_outreach(store, "ava", "15 of the last 50")
    assert refused().status == "outreach"
    store.inbox.accept(chat())
    assert store.redis.llen("turns") == 1
    begin()


@pytest.mark.parametrize("settle_seconds", [0, 1.2])
def test_outreach_behind_outreach_is_not_rung_for(make_store, event_of, settle_seconds):
    store = make_store(join={"settle_seconds": settle_seconds})
    for kind in ("ai_opener", "ai_opener", "follow_up"):
        store.inbox.accept(event_of(kind))
    assert store.redis.llen("turns") == 0
    assert [lane for _, lane in store.agenda.claim_due()] == ["outreach"]


def test_several_that_wait_in_front_all_give_way_in_the_lane_of_the_lead(store, chat, event_of, begin):
    store.inbox.accept(event_of("ai_opener"))
    store.inbox.accept(event_of("follow_up"))
    store.inbox.accept(chat(event_id="m"))
    store.redis.delete("turns")
    for _ in range(2):
        store.steps.settle(begin(), "skipped")
        assert store.redis.llen("turns") == 1
        store.redis.delete("turns")
    assert begin().head.event_id == "m"


def test_what_is_held_while_its_lead_writes_gives_way_too(store, chat, event_of, begin):
    store.inbox.accept(event_of("ai_opener"))
    grant = begin()
    store.inbox.accept(chat())
    store.steps.hold(grant, 86_400, "outreach ramp", unknown=False, asked=False)
    assert begin().head.kind == "ai_opener", "not held"


def test_what_is_held_for_its_moment_while_something_happens_gives_way_too(store, event_of, begin):
    store.inbox.accept(event_of("ai_opener"))
    grant = begin()
    store.inbox.accept(event_of("event_trigger"))
    store.steps.hold(grant, 86_400, "outreach ramp", unknown=False, asked=False)
    assert begin().head.kind == "ai_opener", "not held"


def test_an_opener_that_may_have_been_made_stays_held_for_its_own_reason(store, chat, event_of, begin, refused):
    store.inbox.accept(event_of("ai_opener"))
    store.steps.hold(begin(), 60, "no answer", unknown=True)
    store.inbox.accept(chat())
    assert refused().reason == "no answer"


def test_the_gate_keeps_outreach_and_lets_leads_through(store, chat, event_of, begin, refused):
    stop_outreach(store, "ava", "15 of the last 50")
    for kind in ("ai_opener", "follow_up"):
        conversation = Conversation("ava", f"@{kind}")
        store.inbox.accept(event_of(kind, target=conversation.target))
        answer = store.steps.begin(conversation, "t")
        assert (answer.status, answer.reason) == ("outreach", "15 of the last 50")
    store.inbox.accept(event_of("event_trigger"))
    assert begin().head.kind == "event_trigger"


@pytest.mark.parametrize("join", [{}, {"max_events": 1}])
def test_the_gate_lets_outreach_through_that_keeps_an_event_of_the_platform_waiting(
    make_store, event_of, conversation, refused, join
):
    store = make_store(join=join)
    stop_outreach(store, "ava", "15 of the last 50")
    for kind in ("ai_opener", "follow_up"):
        store.inbox.accept(event_of(kind))
    assert refused().status == "outreach", "what waits behind it is outreach, too"
    store.inbox.accept(event_of("event_trigger"))
    assert store.redis.llen("turns") == 1
    for token, kind in (("t1", "ai_opener"), ("t2", "follow_up")):
        for grant in (store.steps.begin(conversation, token), store.steps.begin(conversation, token)):
            assert (grant.head.kind, grant.gives_way) == (kind, True)
        store.steps.settle(grant, "skipped")
    grant = store.steps.begin(conversation, "t3")
    assert (grant.head.kind, grant.gives_way) == ("event_trigger", False)


def test_a_reply_that_is_stored_goes_out_although_outreach_was_stopped(store, event_of, begin, let_lease_run_out):
    store.inbox.accept(event_of("ai_opener"))
    store.steps.record(begin(), "reply")
    let_lease_run_out()
    stop_outreach(store, "ava", "15 of the last 50")
    store.inbox.accept(event_of("event_trigger"))
    grant = begin()
    assert (grant.head.reply, grant.gives_way) == ("reply", False)


def test_the_gate_lets_an_opener_through_that_only_gives_way(store, chat, event_of, begin, refused):
    stop_outreach(store, "ava", "15 of the last 50")
    store.inbox.accept(event_of("ai_opener"))
    assert refused().status == "outreach"
    store.inbox.accept(chat())
    assert begin().head.kind == "ai_opener"


def test_what_waited_for_the_gate_goes_on_when_it_opens(store, event_of, refused, conversation):
    stop_outreach(store, "ava", "15 of the last 50")
    store.inbox.accept(event_of("ai_opener"))
    store.agenda.claim_due()
    refused()
    assert store.agenda.claim_due() == []
    store.personas.open_gate("ava", "outreach")
    assert store.agenda.claim_due() == [(conversation, "outreach")]
    assert isinstance(store.steps.begin(conversation, "t"), Grant)


def test_what_was_lost_from_the_ready_ones_is_found_by_the_agenda(store, event_of, conversation):
    store.inbox.accept(event_of("ai_opener"))
    store.redis.delete(store.keys.of(conversation).ready)
    make_due(store)
    assert store.agenda.claim_due() == [(conversation, "outreach")]


def test_a_lead_who_writes_while_an_opener_waits_for_its_turn_to_hold_is_not_kept_waiting(
    store, chat, event_of, begin, conversation, due
):
    store.inbox.accept(event_of("ai_opener"))
    assert store.agenda.claim_due() == [(conversation, "outreach")]
    grant = begin()
    store.inbox.accept(chat())
    store.steps.hold(grant, 3600, "the key's own limit of calls", unknown=False, asked=False)
    assert due() <= store.follow_ups.now()
    assert store.agenda.claim_due() == [(conversation, "turns")]


def test_a_lead_who_writes_while_an_opener_is_asked_is_rung_for_when_it_has_ended(
    store, chat, event_of, begin, conversation, due, state
):
    store.inbox.accept(event_of("ai_opener"))
    grant = begin()
    store.inbox.accept(chat())
    assert store.redis.llen("turns") == 0
    assert due() == int(state()["lease_until"])
    store.steps.settle(grant, "answered")
    assert store.redis.llen("turns") == 1


def test_an_opener_whose_turn_runs_is_not_rung_for(store, event_of, begin):
    """Its doorbell came twice, and the first was fast."""
    store.inbox.accept(event_of("ai_opener"))
    begin()
    assert store.agenda.claim_due() == []


def test_an_opener_that_has_begun_goes_on_although_outreach_is_stopped(store, event_of, begin):
    """Its begin is sent again, because the answer was lost: nothing waits behind it for which it would give way."""
    store.inbox.accept(event_of("ai_opener"))
    begin("t")
    stop_outreach(store, "ava", "15 of the last 50")
    assert not begin("t").gives_way
