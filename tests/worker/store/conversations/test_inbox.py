"""The door: once, in order, durable."""

from __future__ import annotations

import pytest

from worker.store.conversations.turn_steps import Grant


def test_events_line_up_in_the_order_of_acceptance(store, chat, begin):
    positions = [store.inbox.accept(chat(text, event_id=text)).position for text in "abc"]
    assert positions == [1, 2, 3]
    assert [entry.event_id for entry in begin().entries] == ["a", "b", "c"]


def test_the_same_event_again_is_a_duplicate_and_changes_nothing(store, chat, begin):
    store.inbox.accept(chat("first", event_id="x"))
    again = store.inbox.accept(chat("first", event_id="x"))
    assert (again.status, again.position) == ("duplicate", 1)
    assert len(begin().entries) == 1
    assert store.books.accounts()[0].accepted == 1


def test_a_settled_event_is_still_recognised_as_a_duplicate(store, chat, begin):
    store.inbox.accept(chat(event_id="x"))
    store.steps.settle(begin(), "answered")
    again = store.inbox.accept(chat(event_id="x"))
    assert (again.status, again.position) == ("duplicate", 0)


def test_the_dedupe_window_is_at_least_a_day(store, chat, begin, conversation):
    store.inbox.accept(chat(event_id="x"))
    store.steps.settle(begin(), "answered")
    journal = store.keys.of(conversation).journal(conversation, "x")
    assert store.redis.ttl(journal) >= 24 * 3600


def test_the_same_id_in_another_conversation_is_another_event(store, chat):
    store.inbox.accept(chat(event_id="x"))
    assert store.inbox.accept(chat(event_id="x", target="@other")).status == "accepted"


def test_without_any_channel_context_the_event_is_not_accepted(store, chat, conversation):
    assert store.inbox.accept(chat(channel=None)).status == "no_channel"
    assert store.redis.exists(store.keys.of(conversation).inbox(conversation)) == 0
    assert store.books.accounts() == []


def test_the_channel_context_is_remembered_for_events_without_one(store, chat, event_of, begin):
    store.inbox.accept(chat())
    store.steps.settle(begin(), "answered")
    assert store.inbox.accept(event_of("follow_up", channel=None)).status == "accepted"
    assert '"session-1"' in begin().channel


def test_a_full_inbox_says_so_and_keeps_what_it_has(make_store, chat):
    store = make_store(limits={"inbox_events": 2})
    assert [store.inbox.accept(chat()).status for _ in range(3)] == ["accepted", "accepted", "full"]
    assert store.books.accounts()[0].waiting == 2


def test_only_the_head_rings_and_outreach_waits_for_its_turn(store, chat, event_of):
    store.inbox.accept(chat())
    store.inbox.accept(chat())
    store.inbox.accept(event_of("ai_opener", target="@cold"))
    assert (store.redis.llen("turns"), store.redis.llen("outreach")) == (1, 0)
    assert [(found.target, lane) for found, lane in store.agenda.claim_due()] == [("@cold", "outreach")]


def test_a_message_that_may_be_followed_by_others_waits_on_the_agenda_without_a_doorbell(
    make_store, chat, refused, conversation
):
    store = make_store(join={"settle_seconds": 30, "settle_limit_seconds": 60})
    store.inbox.accept(chat())
    assert store.redis.llen("turns") == 0
    answer = refused(of=store)
    assert answer.status == "quiet"
    assert store.redis.zscore(store.keys.of(conversation).agenda, conversation.name) == answer.until


def test_each_further_message_restarts_the_quiet_time_up_to_its_limit(make_store, chat, conversation):
    store = make_store(join={"settle_seconds": 30, "settle_limit_seconds": 30.01})
    agenda = store.keys.of(conversation).agenda
    store.inbox.accept(chat(event_id="a"))
    store.redis.hincrby(store.keys.of(conversation).journal(conversation, "a"), "accepted_at", -1000)
    store.inbox.accept(chat(event_id="b"))
    first_at = int(store.redis.hget(store.keys.of(conversation).journal(conversation, "a"), "accepted_at"))
    assert store.redis.zscore(agenda, conversation.name) == first_at + 30_010


@pytest.mark.parametrize("closing", ["image", "another kind", "a full group"])
def test_what_ends_a_group_ends_the_quiet_time(closing, make_store, chat, event_of, begin):
    store = make_store(join={"settle_seconds": 30, "settle_limit_seconds": 60, "max_events": 2})
    store.inbox.accept(chat())
    store.inbox.accept(
        {
            "image": chat("", image_url="https://example.com/a.jpg"),
            "another kind": event_of("event_trigger"),
            "a full group": chat(),
        }[closing]
    )
    assert store.redis.llen("turns") == 1
    assert len(begin(of=store).entries) == (1 if closing == "another kind" else 2)


def test_many_events_take_one_round_trip_and_keep_their_order(store, chat, begin):
    results = store.inbox.accept_many([chat(event_id=name) for name in ("a", "b", "a", "c")])
    assert [result.status for result in results] == ["accepted", "accepted", "duplicate", "accepted"]
    assert [entry.event_id for entry in begin().entries] == ["a", "b", "c"]


def test_what_was_refused_is_a_dead_letter_once(store):
    assert store.inbox.refuse("-", "-", "m1", "{}", "InvalidEvent: kind: missing") == "m1"
    assert store.inbox.refuse("-", "-", "m1", "{}", "InvalidEvent: kind: missing") == ""
    (letter,) = store.dead_letters.newest()
    assert (letter.event_id, letter.cause) == ("m1", "InvalidEvent: kind: missing")
    (account,) = store.books.accounts()
    assert (account.accepted, account.dead, account.unexplained) == (1, 1, 0)


@pytest.mark.parametrize("busy", ["held", "running"])
def test_a_message_of_a_conversation_that_is_busy_moves_nothing(
    make_store, chat, conversation, due, state, eventually, busy
):
    store = make_store(join={"settle_seconds": 0.05, "settle_limit_seconds": 1})
    store.inbox.accept(chat())
    grant = eventually(lambda: isinstance(got := store.steps.begin(conversation, "t"), Grant) and got, "a turn")
    if busy == "held":
        store.steps.hold(grant, 3600, "throttled", unknown=False)
    before = due()
    store.inbox.accept(chat())
    assert due() == before == int(state()["hold_until" if busy == "held" else "lease_until"])
    assert store.redis.llen("turns") == 0


def test_behind_an_event_that_joins_nothing_the_agenda_stays_as_it_is(make_store, chat, event_of, conversation):
    """The trigger in front has been rung for: its turn takes what waits behind it."""
    store = make_store(join={"settle_seconds": 5, "settle_limit_seconds": 9, "max_events": 5})
    agenda = store.keys.of(conversation).agenda
    store.inbox.accept(event_of("event_trigger"))
    before = store.redis.zscore(agenda, conversation.name)
    store.redis.delete("turns")
    receipt = store.inbox.accept(chat())
    assert (receipt.status, receipt.position) == ("accepted", 2)
    assert store.redis.zscore(agenda, conversation.name) == before
    assert store.redis.llen("turns") == 0


def test_outreach_that_waits_behind_outreach_has_its_place_in_line(make_store, event_of, conversation):
    store = make_store(join={"settle_seconds": 5, "settle_limit_seconds": 9, "max_events": 5})
    receipts = [store.inbox.accept(event_of("ai_opener")) for _ in range(3)]
    assert [(receipt.status, receipt.position) for receipt in receipts] == [("accepted", at) for at in (1, 2, 3)]
