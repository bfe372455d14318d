"""What is found of one lead, and of nobody else."""

from __future__ import annotations

import base64
import json

from worker.domain.conversation import Conversation


def doorbell(conversation):
    body = base64.b64encode(json.dumps([list(conversation), {}, {}]).encode()).decode()
    return json.dumps({"body": body, "headers": {"id": "1", "task": "tasks.turn"},
                       "properties": {"body_encoding": "base64"}})  # fmt: skip


def test_a_turn_that_runs_is_seen(store, conversation, accept, begin):
    assert not store.forgetting.is_running(conversation)
    accept("a")
    begin()
    assert store.forgetting.is_running(conversation)


def test_a_lead_whose_handle_ends_like_this_ones_name_keeps_all(make_store, chat):
    store = make_store(agenda={"shards": 1})
    lead, other = Conversation("ava", "@lead"), Conversation("bea", "x ava:@lead")
    for each in (lead, other):
        store.inbox.accept(chat(persona=each.persona, target=each.target, event_id="e"))
    assert store.forgetting.traces(lead).events == ("e",)
    store.forgetting.forget(lead, store.forgetting.traces(lead))
    assert store.forgetting.traces(lead).nothing
    assert store.forgetting.traces(other).events == ("e",)


def test_a_call_from_before_the_lead_was_forgotten_is_none_of_the_turn_that_runs_now(store, conversation, accept):
    """Both come late: the one that began a turn, and the one that ended it."""
    accept("a")
    before = store.steps.begin(conversation, "turn 1")
    store.steps.settle(before, "answered")
    store.forgetting.forget(conversation, store.forgetting.traces(conversation))
    accept("b")
    now = store.steps.begin(conversation, "turn 1")
    assert now.fence > before.fence
    assert store.steps.settle(before, "answered").status == "lost"
    assert store.steps.settle(now, "answered").status == "settled"


def test_an_outcome_that_is_counted_again_after_the_lead_was_forgotten_counts_nothing(store, conversation, accept):
    accept("a")
    assert store.outreach.count(conversation, "opener", "bad").counted == 1
    store.forgetting.forget(conversation, store.forgetting.traces(conversation))
    assert store.outreach.count(conversation, "opener", "bad").counted == 1
    assert conversation.name not in str(store.redis.lrange(store.keys.persona("ava").outcomes, 0, -1))


def test_messages_for_the_lead_go_and_those_of_others_stay(store, conversation):
    other = Conversation("ava", "@other")
    store.redis.lpush("turns", "no message", doorbell(other), doorbell(conversation))
    assert store.forgetting.traces(conversation).messages == 1
    store.forgetting.forget(conversation, store.forgetting.traces(conversation))
    assert store.redis.lrange("turns", 0, -1) == [doorbell(other), "no message"]
