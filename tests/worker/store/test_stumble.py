"""How often an error of our own has ended turns of an event, and which of these are the event's own."""

from __future__ import annotations

import pytest

from worker.store.conversations.turn_steps import Stumbled


@pytest.fixture
def stumble(store, begin, let_hold_run_out):
    """A turn that stumbles, told twice as the client may; its event is held and due again."""

    def run(called=False):
        grant = begin()
        answered = store.books.answered("ava")
        counted = store.steps.stumble(grant, called=called, answered=answered)
        assert store.steps.stumble(grant, called=called, answered=answered) == counted
        store.steps.hold(grant, 1, "internal error", unknown=False, asked=False)
        let_hold_run_out()
        return counted

    return run


def test_it_counts_against_the_event_when_others_are_answered_meanwhile(store, chat, stumble, conversation):
    store.inbox.accept(chat())
    assert [stumble(), stumble()] == [Stumbled(1, 0, False), Stumbled(2, 0, False)]
    elsewhere = next(shard for shard in store.keys.shards if shard != store.keys.of(conversation))
    store.redis.hincrby(elsewhere.books, "bea:answered", 1)
    assert stumble() == Stumbled(3, 0, False)
    store.redis.hincrby(elsewhere.books, "ava:answered", 1)
    assert [stumble(), stumble()] == [Stumbled(4, 1, False), Stumbled(5, 1, False)]


def test_it_counts_when_a_call_may_have_been_made(store, chat, stumble):
    store.inbox.accept(chat())
    assert [stumble(called=True), stumble(), stumble(called=True)] == [
        Stumbled(1, 1, False),
        Stumbled(2, 1, False),
        Stumbled(3, 2, False),
    ]


def test_it_says_whether_the_answer_is_stored(store, chat, begin, let_lease_run_out):
    store.inbox.accept(chat())
    grant = begin()
    store.steps.record(grant, "farewell", farewell=True)
    assert not store.steps.stumble(grant, called=False, answered=0).replied
    store.redis.flushall()
    store.inbox.accept(chat())
    grant = begin()
    store.steps.record(grant, "reply")
    assert store.steps.stumble(grant, called=False, answered=0).replied


def test_a_lost_holder_counts_nothing(store, chat, begin, let_lease_run_out, journal):
    store.inbox.accept(chat(event_id="e1"))
    stale = begin()
    let_lease_run_out()
    begin()
    assert store.steps.stumble(stale, called=True, answered=0) is None
    assert "stumbles" not in journal("e1")


def test_a_replay_begins_without_them(store, chat, begin, stumble, journal, conversation):
    store.inbox.accept(chat(event_id="e1"))
    stumble(called=True)
    store.steps.settle(begin(), "dead", "poison")
    store.dead_letters.replay(conversation, "e1", "append")
    assert "stumbles" not in journal("e1")
