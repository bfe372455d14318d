"""Which reply is stored when several are brought, and the name that each one has."""

from __future__ import annotations

import pytest

ANSWER, FAREWELL = '{"bubbles": ["hello"]}', '{"bubbles": [], "fate": "dead"}'


@pytest.fixture
def stale_and_holder(store, chat, begin, let_lease_run_out):
    """Two turns of one message; the first has lost its lease to the second."""
    store.inbox.accept(chat(event_id="e1"))
    stale = begin()
    let_lease_run_out()
    return stale, begin()


@pytest.mark.parametrize("kind", [{"farewell": True}, {"seals": True}])
def test_a_farewell_of_a_lost_holder_is_not_stored(store, stale_and_holder, journal, kind):
    stale, holder = stale_and_holder
    assert store.steps.record(stale, FAREWELL, **kind).status == "lost"
    assert "reply" not in journal("e1")
    recorded = store.steps.record(holder, ANSWER)
    assert (recorded.status, recorded.reply) == ("holder", ANSWER)


def test_the_answer_of_a_lost_holder_takes_the_place_of_a_farewell_that_waits(
    store, stale_and_holder, journal, let_hold_run_out, begin
):
    stale, holder = stale_and_holder
    assert store.steps.record(holder, FAREWELL, farewell=True).status == "holder"
    store.steps.hold(holder, 60, "channel unavailable (status 503)", unknown=False)
    assert store.steps.record(stale, ANSWER).status == "lost"
    assert "farewell" not in journal("e1")
    let_hold_run_out()
    head = begin().head
    assert (head.reply, head.sends) == (ANSWER, 1)


@pytest.mark.parametrize("in_doubt", ["under way", "unanswered", "vanished"])
def test_a_farewell_that_may_have_been_sent_stays(
    store, stale_and_holder, begin, let_lease_run_out, let_hold_run_out, in_doubt
):
    stale, holder = stale_and_holder
    store.steps.record(holder, FAREWELL, farewell=True)
    if in_doubt == "unanswered":
        store.steps.hold(holder, 60, "no answer from the channel", unknown=True)
    elif in_doubt == "vanished":
        let_lease_run_out()
        store.steps.hold(begin(), 60, "channel unavailable", unknown=False)
    assert store.steps.record(stale, ANSWER).reply == FAREWELL


def test_a_farewell_that_a_release_before_stored_for_a_lost_holder_gives_way(store, stale_and_holder, journal):
    _, holder = stale_and_holder
    key = store.keys.of(holder.conversation).journal(holder.conversation, "e1")
    store.redis.hset(key, mapping={"reply": FAREWELL, "replied_at": 1, "farewell": 1})
    recorded = store.steps.record(holder, ANSWER)
    assert (recorded.status, recorded.reply, journal("e1")["reply"]) == ("holder", ANSWER, ANSWER)


def test_a_farewell_of_the_holder_does_not_take_the_place_of_another_reply(store, stale_and_holder):
    stale, holder = stale_and_holder
    store.steps.record(stale, ANSWER)
    assert store.steps.record(holder, FAREWELL, farewell=True).reply == ANSWER


def test_a_reply_keeps_its_name_and_another_one_has_another(store, stale_and_holder, begin, let_lease_run_out):
    stale, holder = stale_and_holder
    late = store.steps.record(stale, ANSWER)
    recorded = store.steps.record(holder, "other")
    assert late.reply_id
    assert recorded.reply_id == late.reply_id
    let_lease_run_out()
    again = begin()
    assert (again.head.reply, again.head.reply_id) == (ANSWER, late.reply_id)
    store.steps.settle(again, "dead", "refused")
    store.dead_letters.replay(again.conversation, "e1", "append")
    assert begin().head.reply_id == late.reply_id, "a replay delivers the same reply"


def test_the_answer_after_a_farewell_has_a_name_of_its_own(store, stale_and_holder, begin):
    _, holder = stale_and_holder
    farewell = store.steps.record(holder, FAREWELL, farewell=True)
    store.steps.settle(holder, "dead", "refused")
    store.dead_letters.replay(holder.conversation, "e1", "append")
    answer = store.steps.record(begin(), ANSWER)
    assert (answer.reply, answer.reply_id != farewell.reply_id) == (ANSWER, True)


def test_a_reply_that_a_release_without_names_stored_has_none(store, stale_and_holder, begin, let_lease_run_out):
    stale, holder = stale_and_holder
    store.steps.record(stale, ANSWER)
    key = store.keys.of(holder.conversation).journal(holder.conversation, "e1")
    # As a worker of that release does after a replay: the name that is left belongs to the reply before.
    store.redis.hset(key, mapping={"reply": "other", "replied_at": 7})
    let_lease_run_out()
    again = begin()
    assert (again.head.reply, again.head.reply_id) == ("other", "")
    assert store.steps.record(again, "third").reply_id == ""


def test_an_answer_to_a_forgotten_event_is_not_that_to_a_new_one_with_its_id(
    store, stale_and_holder, chat, begin, let_lease_run_out, journal, eventually, conversation
):
    stale, _ = stale_and_holder
    let_lease_run_out()
    store.forgetting.forget(conversation, store.forgetting.traces(conversation))
    eventually(lambda: store.follow_ups.now() > stale.head.accepted_at, "the next millisecond")
    store.inbox.accept(chat("something else", event_id="e1"))
    begin()
    assert store.steps.record(stale, ANSWER).status == "lost"
    store.steps.keep_image(stale, "e1", "https://example.com/old.png")
    assert {"reply", "image_url"}.isdisjoint(journal("e1"))


def test_an_answer_that_comes_after_a_replay_is_kept(store, stale_and_holder, begin, let_lease_run_out, journal):
    stale, holder = stale_and_holder
    store.steps.settle(holder, "dead", "poison")
    store.dead_letters.replay(holder.conversation, "e1", "append")
    begin()
    assert store.steps.record(stale, ANSWER).reply == ANSWER
