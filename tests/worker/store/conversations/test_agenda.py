"""What is due is rung, by anyone, again and again until somebody looks."""

from __future__ import annotations

import json
import time

import pytest
from redis.exceptions import ResponseError

from worker.domain.conversation import Conversation


def make_due(store):
    for shard in store.keys.shards:
        for name in store.redis.zrange(shard.agenda, 0, -1):
            store.redis.zadd(shard.agenda, {name: 1})


def test_a_lost_doorbell_is_rung_again(store, chat, conversation):
    store.inbox.accept(chat())
    store.redis.delete("turns")
    assert store.agenda.claim_due() == []
    make_due(store)
    assert store.agenda.claim_due() == [(conversation, "turns")]


def test_a_doorbell_that_waits_its_turn_is_given_more_time(store, chat, begin, conversation):
    """Else everybody in a long queue would be rung for again and again, just when there is no time for it."""

    def seconds_until_rung_again():
        seconds, microseconds = store.redis.time()
        due = store.redis.zscore(store.keys.of(conversation).agenda, conversation.name)
        return round(due / 1000 - seconds - microseconds / 1e6)

    store.inbox.accept(chat())
    assert seconds_until_rung_again() == 4
    grant = begin()
    store.inbox.accept(chat("behind it"))
    store.redis.rpush("turns", *["somebody else"] * 499)
    store.steps.settle(grant, "answered")
    assert seconds_until_rung_again() == 9
    store.steps.settle(begin(), "answered")
    store.inbox.accept(chat("later"))
    assert seconds_until_rung_again() == 9
    store.steps.settle(begin(), "answered")
    store.redis.rpush("turns", *["somebody else"] * 200_000)
    store.inbox.accept(chat("last"))
    assert seconds_until_rung_again() == 64, "a lost queue delays no conversation for longer than a minute"


def test_callers_share_the_work(store, chat):
    for number in range(20):
        store.inbox.accept(chat(target=f"@{number}"))
    make_due(store)
    assert len(store.agenda.claim_due()) == 20
    assert store.agenda.claim_due() == []


@pytest.mark.parametrize(("waiting", "seconds"), [(0, [1, 2, 4, 8, 16, 32, 60, 60]), (50, [4, 8, 16, 32, 60, 60])])
def test_the_pause_between_rings_grows_until_somebody_looks(
    store, chat, begin, conversation, let_lease_run_out, waiting, seconds
):
    """The sooner, the less waits in the queue: then a doorbell was lost."""
    store.inbox.accept(chat())
    store.redis.delete("turns")
    if waiting:
        store.redis.rpush("turns", *range(waiting))
    agenda = store.keys.of(conversation).agenda

    def pause_after_ring():
        make_due(store)
        store.agenda.claim_due()
        seconds, microseconds = store.redis.time()
        return store.redis.zscore(agenda, conversation.name) / 1000 - seconds - microseconds / 1e6

    assert [round(pause_after_ring()) for _ in seconds] == seconds
    begin()
    let_lease_run_out()
    assert round(pause_after_ring()) == seconds[0]


def test_the_lane_follows_the_kind_of_the_head(store, event_of):
    store.inbox.accept(event_of("ai_opener"))
    make_due(store)
    assert [lane for _, lane in store.agenda.claim_due()] == ["outreach"]


def test_an_entry_without_work_is_taken_off(store, conversation):
    agenda = store.keys.of(conversation).agenda
    store.redis.zadd(agenda, {conversation.name: 1})
    assert store.agenda.claim_due() == []
    assert store.redis.zcard(agenda) == 0


def test_an_entry_without_work_of_an_unknown_persona_is_taken_off_and_not_parked(store):
    stranger = Conversation("zoe", "@lead")
    agenda = store.keys.of(stranger).agenda
    store.redis.zadd(agenda, {stranger.name: 1})
    assert store.agenda.claim_due() == []
    assert store.redis.zcard(agenda) == 0
    assert not [key for key in store.redis.keys("*") if "zoe" in key]


def test_a_running_turn_is_due_when_its_lease_runs_out(store, chat, begin, conversation):
    store.inbox.accept(chat())
    grant = begin()
    lease_until = int(store.redis.hget(store.keys.of(conversation).conversation(conversation), "lease_until"))
    assert store.redis.zscore(store.keys.of(conversation).agenda, conversation.name) == lease_until
    assert lease_until - grant.now == 15_000


def test_a_look_at_a_quiet_store_is_one_command_and_finds_nothing(store):
    def commands():
        store.redis.config_resetstat()
        found = store.agenda.look()
        assert (found.shards, found.follow_ups, found.accept) == ((), False, False)
        return {name: row["calls"] for name, row in store.redis.info("commandstats").items() if "eval" in name}

    store.agenda.look()
    # One of some: a thread that another test has left may do something on this server, too.
    assert {"cmdstat_evalsha": 1} in [commands() for _ in range(3)]


def test_a_look_finds_the_shards_where_something_is_due_and_changes_nothing(make_store, chat, conversation, event_of):
    store = make_store(agenda={"grace_seconds": 60})
    store.inbox.accept(chat())
    assert store.agenda.look().shards == (), "not before its time"
    make_due(store)
    assert store.agenda.look().shards == store.agenda.look().shards == (store.keys.of(conversation),)
    assert store.agenda.claim_due() == [(conversation, "turns")]
    assert store.agenda.look().shards == ()


def test_a_look_says_when_the_next_falls_due(make_store, chat):
    store = make_store(join={"settle_seconds": 30, "settle_limit_seconds": 60})
    assert store.agenda.look().next_seconds is None
    began_at = time.monotonic()
    store.inbox.accept(chat())
    next_seconds = store.agenda.look().next_seconds
    # The store counts in whole milliseconds.
    assert 30 - (time.monotonic() - began_at) - 0.002 <= next_seconds <= 30
    make_due(store)
    assert store.agenda.look().next_seconds is None, "it is due now"


def test_a_claim_without_outreach_leaves_it_in_line(store, event_of):
    store.inbox.accept(event_of("ai_opener"))
    shards = store.agenda.look().shards
    assert store.agenda.claim_due(shards, outreach=False) == []
    assert [lane for _, lane in store.agenda.claim_due(shards)] == ["outreach"]


def test_a_look_finds_what_is_ready(store, event_of, conversation):
    store.inbox.accept(event_of("ai_opener"))
    assert store.agenda.look().shards == (store.keys.of(conversation),)


def test_a_look_finds_follow_ups_that_are_due(store, conversation):
    index = store.keys.of(conversation).follow_ups
    store.redis.zadd(index, {conversation.name: store.follow_ups.now() + 60_000})
    assert not store.agenda.look().follow_ups
    store.redis.zadd(index, {conversation.name: 1})
    found = store.agenda.look()
    assert (found.follow_ups, found.shards) == (True, ())


def test_a_look_finds_messages_of_celery_only_producers(store):
    store.redis.lpush("accept", "anything")
    assert store.agenda.look().accept


def test_where_the_queue_accept_is_elsewhere_a_message_may_always_wait(make_store):
    assert make_store(broker_url="redis://127.0.0.1:1/0").agenda.look().accept


def test_a_look_says_when_the_first_of_several_falls_due(make_store, chat):
    store = make_store(join={"settle_seconds": 30, "settle_limit_seconds": 60})
    soonest = 30.0
    for number in range(8):
        store.inbox.accept(chat(target=f"@{number}"))
        assert store.agenda.look().next_seconds <= soonest
        soonest = store.agenda.look().next_seconds


def test_what_the_agenda_rings_for_is_taken_before_all_that_queues(store, chat):
    """It has waited longer: its own doorbell was lost."""
    store.inbox.accept(chat(target="@old"))
    store.redis.delete("turns")
    make_due(store)
    store.inbox.accept(chat(target="@new"))
    store.doorbells.ring(store.agenda.claim_due())
    taken = [json.loads(store.redis.rpop("turns"))["headers"]["argsrepr"] for _ in range(2)]
    assert taken == ["('ava', '@old')", "('ava', '@new')"]


def test_a_store_with_a_foreign_value_in_place_of_an_agenda_says_so(store):
    store.redis.set(store.keys.shards[0].agenda, "foreign")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        store.agenda.look()
