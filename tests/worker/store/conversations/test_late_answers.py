"""A worker that lost its lease brings its answer while the next one is about to ask, or asks; or it made no call."""

from __future__ import annotations

import pytest


@pytest.fixture
def two_holders(store, event_of, begin, let_lease_run_out):
    """The first has asked and lost its lease, the second has begun."""
    store.inbox.accept(event_of("event_trigger"))
    first = begin()
    store.steps.asking(first)
    let_lease_run_out()
    return first, begin()


def test_what_is_answered_meanwhile_is_not_asked_again(store, two_holders, begin):
    first, second = two_holders
    assert store.steps.record(first, "the answer").status == "lost"
    assert store.steps.asking(second) == "lost"
    assert store.steps.hold(second, 0.0, "not_asked", unknown=False, asked=False) == "held"
    head = begin().head
    assert head.reply == "the answer"
    assert (head.asks, head.sends) == (1, 1), "of the two only one asked, and this is the first send"


def test_a_call_without_an_answer_is_one_of_asking_although_the_answer_is_stored_meanwhile(store, two_holders, begin):
    first, second = two_holders
    assert store.steps.asking(second) == "asking"
    store.steps.record(first, "the answer")
    assert store.steps.hold(second, 0.0, "persona_unknown", unknown=True) == "held"
    head = begin().head
    assert (head.ask_unknowns, head.send_unknowns) == (1, 0)


def test_that_no_call_was_made_counts_once_for_each_turn(store, chat, begin, let_lease_run_out):
    store.inbox.accept(chat())
    grants = []
    for _ in range(2):
        grants.append(begin())
        let_lease_run_out()
        for _ in range(2):
            store.steps.not_called(grants[-1])
    store.steps.not_called(grants[0])
    head = begin().head
    assert (head.asks_vanished, head.asks_handed_over) == (2, 2)


def test_an_answer_that_was_kept_for_a_person_stays_kept_when_its_call_comes_again(store, chat, begin, conversation):
    """Between the two the person has handed back; but the turn was told to deliver nothing."""
    store.inbox.accept(chat())
    grant = begin()
    store.takeovers.claim(conversation, "kim")
    assert store.steps.record(grant, "the answer").status == "taken_over"
    store.takeovers.hand_back(conversation, "joined")
    assert store.steps.record(grant, "the answer").status == "taken_over"
    assert store.steps.hold(grant, 0.0, "taken_over", unknown=False, asked=False) == "held"
    head = begin().head
    assert (head.reply, head.sends, head.sends_vanished) == ("the answer", 1, 0), "this is the first send"


def test_a_late_copy_of_a_stored_answer_leaves_the_delivery_noted_that_may_have_begun(
    store, chat, begin, let_lease_run_out, conversation
):
    """The worker heard that it may deliver, and crashes in its delivery. Meanwhile a person has taken over."""
    store.inbox.accept(chat())
    grant = begin()
    assert store.steps.record(grant, "the answer").status == "holder"
    store.takeovers.claim(conversation, "kim")
    assert store.steps.record(grant, "the answer").status == "taken_over"
    let_lease_run_out()
    store.takeovers.hand_back(conversation, "joined")
    head = begin().head
    assert (head.sends, head.sends_vanished) == (2, 1), "it can have arrived, so it is named when it is sent again"


def test_who_was_let_through_and_hears_only_that_a_person_took_over_has_sent_nothing(store, chat, begin, conversation):
    store.inbox.accept(chat())
    grant = begin()
    assert store.steps.record(grant, "the answer").status == "holder"
    store.takeovers.claim(conversation, "kim")
    assert store.steps.record(grant, "the answer").status == "taken_over"
    assert store.steps.hold(grant, 0.0, "taken_over", unknown=False, asked=False) == "held"
    store.takeovers.hand_back(conversation, "joined")
    head = begin().head
    assert (head.sends, head.sends_vanished) == (1, 0), "this is the first send"


def test_a_turn_is_not_renewed_by_the_lease_that_a_late_copy_of_its_begin_took(
    store, chat, conversation, let_lease_run_out
):
    """Another turn has ended what this one was about, and a further message waits."""
    store.inbox.accept(chat(event_id="a"))
    first = store.steps.begin(conversation, "first")
    let_lease_run_out()
    second = store.steps.begin(conversation, "second")
    store.inbox.accept(chat(event_id="b"))
    store.steps.settle(second, "answered")
    assert store.steps.begin(conversation, "third").token == "third"
    let_lease_run_out()
    assert store.steps.begin(conversation, "first").token == "first", "the copy"
    assert store.steps.renew([first]) == [first]


def test_a_late_copy_of_the_begin_of_a_crashed_turn_counts_nothing_though_a_person_speaks(
    store, chat, begin, let_lease_run_out, conversation, journal
):
    store.inbox.accept(chat())
    store.takeovers.claim(conversation, "kim")
    assert store.operator_messages.say(conversation, "kim", "hello", event_id="said").status == "accepted"
    grant = begin("crashed")
    before = journal("said")
    let_lease_run_out()
    assert begin("crashed").fence == grant.fence
    assert journal("said") == before
    assert begin("another").fence == grant.fence + 1
