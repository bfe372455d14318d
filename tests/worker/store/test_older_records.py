"""What 0.1.0 has left in the store is read by its times: that release writes down neither an order nor a group."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("seconds", [60, -60], ids=["with its reply", "before it was asked alone"])
def test_of_a_group_that_died_in_an_older_release_the_times_decide(
    seconds, store, accept, begin, conversation, journal
):
    """0.1.0 does not write down whether a reply was given to one event alone."""
    accept("a", "b")
    grant = begin()
    store.steps.record(grant, "a reply")
    store.steps.settle(grant, "dead", "refused")
    keys = store.keys.of(conversation)
    store.redis.hdel(keys.journal(conversation, "a"), "alone")
    died_at = int(journal("a")["replied_at"]) + seconds * 1000
    store.redis.hset(keys.journal(conversation, "b"), "settled_at", died_at)
    store.dead_letters.replay(conversation, "a", "place")
    store.steps.settle(begin(), "answered")
    assert journal("b")["fate"] == ("joined" if seconds > 0 else "dead")


def test_in_a_conversation_of_an_older_release_the_order_begins_with_the_time(store, accept, claim, conversation):
    """0.1.0 counts no order of acceptance."""
    accept("a")
    claim()
    keys = store.keys.of(conversation)
    store.redis.hdel(keys.conversation(conversation), "seq")
    assert store.operator_messages.say(conversation, "kim", "hello", event_id="x").status == "accepted"
    said = store.redis.hmget(keys.journal(conversation, "x"), "seq", "accepted_at")
    assert said[0] == said[1] == store.redis.hget(keys.conversation(conversation), "seq")


@pytest.mark.parametrize(("later_ms", "wrote"), [(-1, False), (0, True), (1, True)])
def test_whether_the_lead_wrote_after_an_event_of_an_older_release_goes_by_the_times(
    later_ms, wrote, store, event_of, begin, conversation, journal
):
    """Within one millisecond the lead counts as the later one: then the opener only gives way."""
    store.inbox.accept(event_of("ai_opener", event_id="opener"))
    keys = store.keys.of(conversation)
    store.redis.hdel(keys.journal(conversation, "opener"), "seq")
    accepted_at = int(journal("opener")["accepted_at"])
    store.redis.hset(keys.conversation(conversation), "last_inbound", accepted_at + later_ms)
    store.redis.delete(keys.ready)
    store.redis.zadd(keys.agenda, {conversation.name: 1})
    assert [lane for _, lane in store.agenda.claim_due()] == ["turns" if wrote else "outreach"]
    assert begin().lead_wrote == wrote
