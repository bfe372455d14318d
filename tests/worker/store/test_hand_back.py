"""What becomes of what waited when a person hands a conversation back, also while a turn is at work."""

from __future__ import annotations

import json

import pytest

from worker.store.redis.connection import clock_ms

# What waits


def test_joined_goes_on_as_usual_and_at_once(store, accept, claim, begin, conversation):
    accept("a")
    claim()
    accept("b")
    store.redis.delete("turns")
    done = store.takeovers.hand_back(conversation, "joined")
    assert (done.status, done.dropped, done.left) == ("handed_back", 0, 2)
    assert store.redis.llen("turns") == 1
    assert [entry.event_id for entry in begin().entries] == ["a", "b"]


def test_what_speaks_first_goes_on_with_the_next_tick(store, accept, claim, begin, event_of, conversation, eventually):
    accept("a")
    wrote_at = clock_ms(store.redis)
    store.steps.settle(begin(), "answered", mark="started")
    claim()
    # What is accepted in the millisecond in which the lead wrote counts as overtaken by the lead.
    eventually(lambda: clock_ms(store.redis) > wrote_at, "the next millisecond")
    store.inbox.accept(event_of("ai_opener"))
    store.agenda.claim_due()
    assert store.steps.begin(conversation, "t").status == "taken_over"
    store.takeovers.hand_back(conversation, "joined")
    assert [found for found, *_ in store.agenda.claim_due()] == [conversation]
    assert begin().head.kind == "ai_opener"


def test_last_keeps_the_newest_message_only(store, accept, claim, begin, event_of, conversation, inbox, journal):
    accept("a")
    claim()
    accept("b", "c")
    store.inbox.accept(event_of("event_trigger", event_id="d"))
    done = store.takeovers.hand_back(conversation, "last")
    assert (done.dropped, done.left, inbox()) == (3, 1, ["c"])
    for event_id in "abd":
        assert (journal(event_id)["fate"], journal(event_id)["reason"]) == ("skipped", "dropped_at_hand_back")
        assert 0 < store.redis.pttl(store.keys.of(conversation).journal(conversation, event_id)) <= 7 * 86_400_000
    assert [entry.event_id for entry in begin().entries] == ["c"]


@pytest.mark.parametrize("release", ["this one", "the one before"])
def test_last_keeps_all_images_of_the_newest_message(store, accept, chat, claim, conversation, inbox, release):
    accept("a")
    claim()
    accept("b", "m")
    for image in ("m#2", "m#3"):
        store.inbox.accept(chat(event_id=image), derived_from="m")
        if release == "the one before":
            store.redis.hdel(store.keys.of(conversation).journal(conversation, image), "derived_from")
    store.takeovers.hand_back(conversation, "last")
    assert inbox() == ["m", "m#2", "m#3"]


def test_last_without_any_message_drops_all(store, accept, claim, begin, event_of, conversation, inbox):
    accept("a")
    store.steps.settle(begin(), "answered")
    claim()
    store.inbox.accept(event_of("event_trigger"))
    assert store.takeovers.hand_back(conversation, "last").dropped == 1
    assert inbox() == []


def test_last_delivers_the_stored_reply_when_it_answers_the_newest_message(
    store, accept, claim, begin, conversation, inbox
):
    accept("a", "b")
    grant = begin()
    claim()
    store.steps.record(grant, "a reply")
    store.steps.hold(grant, 0, "taken over", unknown=False)
    assert store.takeovers.hand_back(conversation, "last").dropped == 0
    assert begin().head.reply == "a reply"


def test_last_drops_a_stored_reply_to_something_older(store, accept, claim, begin, conversation, journal):
    accept("a")
    grant = begin()
    claim()
    accept("b")
    store.steps.record(grant, "a reply")
    store.steps.hold(grant, 0, "taken over", unknown=False)
    store.takeovers.hand_back(conversation, "last")
    resumed = begin()
    assert [(entry.event_id, entry.reply) for entry in resumed.entries] == [("b", None)]
    assert journal("a")["fate"] == "skipped"


def test_none_leaves_nothing_and_the_books_balance(store, accept, claim, conversation, inbox, due, words):
    accept("a")
    claim()
    accept("b")
    done = store.takeovers.hand_back(conversation, "none")
    assert (done.dropped, done.left, inbox(), due()) == (2, 0, [], None)
    (account,) = store.books.accounts()
    assert (account.skipped, account.waiting, account.unexplained) == (2, 0, 0)
    assert words()[-2:] == ["handed back", "skipped"]


def test_members_of_a_dead_group_end_with_the_replayed_head_that_is_dropped(
    store, accept, claim, begin, conversation, inbox
):
    accept("a", "b")
    grant = begin()
    store.steps.record(grant, json.dumps({"bubbles": ["hi"], "fate": "answered"}))
    store.steps.settle(grant, "dead", "delivery refused")
    assert store.dead_letters.replay(conversation, "a", "place").status == "replayed"
    claim()
    store.takeovers.hand_back(conversation, "none")
    (account,) = store.books.accounts()
    assert (account.skipped, account.dead, account.unexplained, inbox()) == (2, 0, 0, [])
    assert store.dead_letters.newest() == []


def test_what_died_before_keeps_its_place_among_what_was_dropped(store, accept, claim, begin, conversation):
    accept("a")
    store.steps.settle(begin(), "dead", "refused")
    accept("b")
    claim()
    store.takeovers.hand_back(conversation, "none")
    accept("c")
    assert store.dead_letters.replay(conversation, "a", "place").status == "replayed"
    assert [entry.event_id for entry in begin().entries] == ["a", "c"]


def test_the_same_call_twice_is_one_hand_back(store, accept, claim, conversation, monkeypatch):
    accept("a")
    claim()
    accept("b")
    monkeypatch.setattr("worker.store.operator.takeovers.uuid.uuid4", lambda: type("Same", (), {"hex": "call-1"}))
    first = store.takeovers.hand_back(conversation, "last")
    assert store.takeovers.hand_back(conversation, "last") == first
    assert first.dropped == 1


def test_a_hold_of_the_head_stays_and_goes_with_it(store, accept, claim, begin, refused, conversation):
    for answer, status in (("joined", "held"), ("none", "empty")):
        accept("a", "b") if answer == "joined" else None
        if answer == "joined":
            store.steps.hold(begin(), 60, "throttled", unknown=False)
        claim()
        store.takeovers.hand_back(conversation, answer)
        assert refused().status == status


# While a turn is at work


@pytest.mark.parametrize("answer", ["joined", "last", "none"])
def test_what_is_being_asked_stays_and_ends_as_its_turn_says(
    store, accept, claim, begin, conversation, inbox, due, answer
):
    accept("a", "b")
    grant = begin()
    lease_until = due()
    claim()
    accept("c", "d")
    done = store.takeovers.hand_back(conversation, answer)
    kept = {"joined": ["a", "b", "c", "d"], "last": ["a", "b", "d"], "none": ["a", "b"]}[answer]
    assert (inbox(), done.left, due()) == (kept, len(kept), lease_until)
    assert store.steps.record(grant, "a reply").status == "holder"
    assert store.steps.settle(grant, "answered").left == len(kept) - 2
    assert inbox() == kept[2:]
    (account,) = store.books.accounts()
    assert (account.answered, account.joined, account.unexplained) == (1, 1, 0)


@pytest.mark.parametrize("answer", ["last", "none"])
def test_a_holder_that_wakes_up_after_its_events_were_dropped_changes_nothing(
    store, accept, claim, begin, conversation, inbox, let_lease_run_out, answer
):
    accept("a")
    grant = begin()
    claim()
    accept("b", "c")
    let_lease_run_out()
    store.takeovers.hand_back(conversation, answer)
    before = inbox()
    assert store.steps.record(grant, "late").status == "settled"
    assert store.steps.settle(grant, "answered").status == "lost"
    assert store.steps.hold(grant, 1, "later", unknown=True) == "lost"
    assert store.steps.renew([grant]) == [grant]
    assert inbox() == before


def test_a_vanished_holder_is_counted_after_a_joined_hand_back(
    store, accept, claim, begin, conversation, let_lease_run_out
):
    accept("a")
    begin()
    let_lease_run_out()
    claim()
    store.takeovers.hand_back(conversation, "joined")
    assert begin().head.asks_vanished == 1
