"""Gates that open when a call succeeds: who waits, who tries, who is woken."""

from __future__ import annotations

import pytest

from worker.domain.conversation import Conversation
from worker.store.conversations.turn_steps import Grant
from worker.store.personas.errands import Errand
from worker.store.personas.gates import Owner

AVA = Owner("persona", "ava")
CHANNEL = Owner("channel", "dev")


@pytest.fixture
def wait(store, chat):
    """Conversations that wait for a closed circuit, the first one for the longest."""

    def make(count, **fields):
        leads = [Conversation("ava", f"@{number}") for number in range(count)]
        for number, conversation in enumerate(leads):
            store.inbox.accept(chat(target=conversation.target, event_id="e", **fields))
            journal = store.keys.of(conversation).journal(conversation, "e")
            store.redis.hincrby(journal, "accepted_at", number - 1000)
        for conversation in reversed(leads):
            store.steps.begin(conversation, f"first {conversation.target}")
        return leads

    return make


def tries(store, count, gate="circuit", owner=AVA):
    found = []
    for _ in range(count):
        found.append(store.gates.let_one_try(owner, gate, 60))
        began = store.redis.time()
        while store.redis.time()[1] // 1000 == began[1] // 1000:
            pass  # real tries are seconds apart, and two within one millisecond have no order
    return found


def close(store, **fields):
    return store.gates.close(AVA, "circuit", 5, "status 500", **fields)


def test_tries_go_to_the_longest_waiting_first_and_then_round(store, wait):
    close(store)
    leads = wait(3)
    assert tries(store, 7) == [*leads, *leads, leads[0]]


def test_whoever_tries_is_let_through_and_nobody_else(store, wait):
    close(store)
    first, second = wait(2)
    assert tries(store, 1) == [first]
    grant = store.steps.begin(first, "t1")
    assert isinstance(grant, Grant)
    assert grant.probe == "circuit"
    assert store.steps.begin(second, "t2").status == "held"


def test_a_right_to_try_is_for_one_turn(store, wait):
    close(store)
    (lead,) = wait(1)
    tries(store, 1)
    grant = store.steps.begin(lead, "t1")
    assert store.steps.begin(lead, "t1").probe == "circuit", "the same call again"
    store.steps.hold(grant, 0, "status 500", unknown=True)
    assert store.steps.begin(lead, "t2").status == "held"


def test_a_try_that_never_comes_back_does_not_delay_the_next(store, wait):
    close(store)
    first, second = wait(2)
    tries(store, 1)
    store.steps.begin(first, "hangs")
    assert tries(store, 1) == [second]


def test_what_must_not_be_asked_twice_tries_last(store, channel, wait):
    close(store)
    leads = wait(2)
    from worker.domain.events import EventTrigger

    trigger = Conversation("ava", "@trigger")
    store.inbox.accept(EventTrigger(persona="ava", target="@trigger", event_type="t", channel=channel))
    store.redis.hset(store.keys.of(trigger).conversation(trigger), "last_inbound", 1)
    store.steps.begin(trigger, "t")
    assert tries(store, 4) == [*leads, *leads]
    for lead in leads:
        store.redis.zrem(store.keys.of(lead).waiting("circuit", "ava"), lead.name)
    assert tries(store, 1) == [trigger]


def test_who_waits_no_longer_is_passed_over(store, wait):
    close(store)
    leads = wait(3)
    store.takeovers.claim(leads[0], "kim", "refund")
    store.redis.delete(store.keys.of(leads[1]).inbox(leads[1]))
    assert tries(store, 2) == [leads[2], leads[2]]


def test_opening_wakes_all_who_wait_in_order(store, wait):
    close(store)
    leads = wait(20)
    assert store.agenda.claim_due() == []
    store.gates.open(AVA, "circuit")
    assert store.gates.of(AVA) == {}
    assert [found for found, _ in store.agenda.claim_due()] == leads
    assert tries(store, 1) == [None]


def test_an_opening_that_was_interrupted_is_finished_by_another_process(store, wait, monkeypatch, eventually):
    close(store)
    leads = wait(5)
    monkeypatch.setattr(store.gates, "finish_opening", lambda *_: None)
    store.gates.open(AVA, "circuit")
    monkeypatch.undo()
    assert store.agenda.claim_due() == []
    home = store.keys.home("ava")
    store.redis.zadd(home.errands, {"open circuit ava": 1})
    assert store.errands.take() == [Errand("open", "circuit", "ava")]
    store.gates.finish_opening(AVA, "circuit")
    assert sorted(found for found, _ in store.agenda.claim_due()) == sorted(leads)
    assert store.redis.zrange(home.errands, 0, -1) == []


def test_an_opening_that_comes_late_does_not_open_what_was_closed_again(store):
    close(store)
    store.gates.open(AVA, "circuit")
    close(store)
    store.gates.finish_opening(AVA, "circuit")
    for shard in store.keys.shards:
        assert store.redis.hexists(shard.persona("ava"), "circuit_until")


def test_closing_twice_is_said_once(store):
    assert [close(store), close(store)] == [True, False]


def test_the_try_is_due_once_in_each_interval(store):
    close(store)
    home = store.keys.home("ava")
    assert store.errands.take() == []
    store.redis.zadd(home.errands, {"probe circuit ava": 1})
    assert store.agenda.look().errands
    assert store.errands.take() == [Errand("probe", "circuit", "ava")]
    assert store.errands.take() == []


def test_only_missing_credits_are_tried_at_growing_intervals(store):
    key = store.keys.home("ava").persona("ava")
    for gate, longest in (("circuit", None), ("credits", 300)):
        intervals = []
        for failed_by in ("", "t1", "t1", "t2"):
            store.gates.close(AVA, gate, 5, "no", longest_seconds=longest, failed_by=failed_by)
            intervals.append(int(store.redis.hget(key, f"{gate}_interval")))
        assert intervals == ([5000, 5000, 5000, 5000] if longest is None else [5000, 10_000, 10_000, 20_000])


def test_a_channel_keeps_answers_from_going_out_and_nothing_from_being_asked(store, chat, begin, conversation):
    store.inbox.accept(chat())
    store.gates.close(CHANNEL, "channel", 5, "status 502")
    grant = begin()
    recorded = store.steps.record(grant, "reply")
    assert recorded.status == "closed"
    store.steps.hold(grant, 0, "the channel takes nothing now", unknown=False)
    assert store.steps.begin(conversation, "t2").status == "held"
    assert tries(store, 1, "channel", CHANNEL) == [conversation]
    again = store.steps.begin(conversation, "t3")
    assert (again.probe, again.head.reply, again.head.sends) == ("channel", "reply", 1)


def test_success_is_known_to_all(store):
    assert store.gates.succeeded_at(AVA) == 0
    store.gates.succeeded(AVA, 1234)
    assert store.gates.succeeded_at(AVA) == 1234
    assert store.gates.of(AVA) == {}


def test_where_nothing_is_due_nothing_is_asked(store):
    assert store.errands.take([]) == []
