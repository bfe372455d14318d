"""What leads have said, in the store: each script twice for one call, times, keys of one shard."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.conversation import Conversation
from worker.store.conversations.consents import ERRAND
from worker.store.redis.scripts import Script


@pytest.fixture
def every_call_twice(monkeypatch):
    """The client repeats every call, as after a time-out; what the first one answered is lost."""
    send = Script.send

    def twice(script, words):
        send(script, words)
        return send(script, words)

    monkeypatch.setattr(Script, "send", twice)


@pytest.fixture
def shared(make_store, store):
    """A store whose personas share what leads say."""
    return make_store(consent={"scope": "lead", "hash_key": "a key of sixteen"})


def test_a_word_that_is_accepted_twice_counts_once(every_call_twice, store, chat, words, conversation):
    assert store.inbox.accept(chat("stop", event_id="a")).status == "duplicate"
    assert words().count("opted out") == 1
    assert store.inbox.waiting(conversation) == 1


def test_what_an_operator_writes_twice_is_done_once(every_call_twice, store, conversation, words):
    assert store.consents.write(conversation, "out", "kim") == "done"
    assert store.consents.write(conversation, "out", "lou") == "nothing"
    assert store.consents.write(conversation, "in", "kim") == "done"
    assert words() == ["opted out", "opted in"]


def test_an_import_is_done_once(every_call_twice, store, conversation, words):
    then = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert store.consents.write(conversation, "out", "kim", then) == "done"
    assert store.consents.of(conversation).since == then
    assert words() == ["opted out"]


def test_the_lead_s_own_mark_is_written_once_and_told_once(every_call_twice, shared, chat, conversation):
    shared.inbox.accept(chat("stop"))
    assert shared.consents.of_lead("@lead").state == "out"
    assert shared.redis.zcard(shared.keys.of(conversation).errands) == 0


def test_what_was_said_later_stays(store, conversation):
    store.consents.write(conversation, "in", "kim")
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert store.consents.write(conversation, "out", "a list", hour_ago) == "nothing"
    assert store.consents.of(conversation).state == "in"


def test_the_later_of_two_words_has_the_later_time_also_when_the_clock_has_stepped_back(store, chat, conversation):
    shard = store.keys.of(conversation)
    store.inbox.accept(chat("stop"))
    ahead = 9_000_000_000_000
    store.redis.hset(shard.consents, conversation.name, f"out {ahead} lead")
    store.inbox.accept(chat("start"))
    assert store.redis.hget(shard.consents, conversation.name) == f"in {ahead + 1} lead"


def test_a_mark_without_a_conversation_makes_none(store, conversation):
    store.consents.write(conversation, "out", "kim")
    shard = store.keys.of(conversation)
    assert store.redis.exists(shard.conversation(conversation)) == 0
    assert store.redis.ttl(shard.timeline(conversation)) > 0


def test_an_opt_in_does_not_keep_a_conversation_for_ever(store, chat, begin, conversation):
    store.inbox.accept(chat("stop", event_id="a"))
    store.steps.settle(begin(), "skipped")
    key = store.keys.of(conversation).conversation(conversation)
    assert store.redis.pttl(key) == -1
    store.consents.write(conversation, "in", "kim")
    assert store.redis.pttl(key) > 0


def test_what_is_written_for_all_personas_is_in_the_lead_s_shard_only(shared):
    assert shared.consents.write(Conversation("*", "@lead"), "out", "kim") == "done"
    assert shared.consents.write(Conversation("*", "@lead"), "out", "kim") == "nothing"
    (mark,) = shared.consents.all("*")
    assert (mark.persona, mark.target, mark.state) == ("*", "@lead", "out")
    assert shared.consents.all("ava") == []
    assert shared.consents.write(Conversation("*", "@lead"), "none", "kim") == "done"
    assert shared.consents.of_lead("@lead") is None


def test_what_an_erased_lead_says_again_takes_the_place_of_what_is_kept_without_the_name(shared, chat, conversation):
    shared.inbox.accept(chat("stop"))
    shared.forgetting.forget(conversation, shared.forgetting.traces(conversation))
    assert shared.consents.of_lead("@lead").by == "erased"
    assert shared.consents.write(Conversation("*", "@lead"), "in", "kim") == "done"
    assert shared.consents.write(Conversation("*", "@lead"), "none", "kim") == "done"
    assert shared.consents.of_lead("@lead") is None


def test_with_another_key_an_erased_lead_is_not_recognised(make_store, store, chat, conversation):
    ours = make_store(consent={"hash_key": "a key of sixteen"})
    ours.inbox.accept(chat("stop"))
    ours.forgetting.forget(conversation, ours.forgetting.traces(conversation))
    other = make_store(consent={"hash_key": "another key of ours"})
    other.inbox.accept(chat("hello"))
    assert other.consents.of(conversation) is None


def test_a_follow_up_that_begins_a_conversation_heeds_what_was_said_before(store, chat, conversation, event_of):
    store.consents.write(conversation, "out", "kim")
    store.follow_ups.schedule(event_of("follow_up", not_before=datetime(2020, 1, 1, tzinfo=UTC)))
    store.inbox.accept(event_of("follow_up", event_id="f"))
    grant = store.steps.begin(conversation, "t")
    assert grant.unwanted == "opted_out"


def test_what_an_operator_writes_in_the_scope_lead_is_told_to_all_personas(shared, conversation):
    assert shared.consents.write(conversation, "out", "kim") == "done"
    assert shared.consents.of_lead("@lead").state == "out"
    assert shared.redis.zcard(shared.keys.of(conversation).errands) == 0


def test_an_errand_whose_mark_was_taken_back_ends_without_telling_anyone(shared, conversation):
    errands = shared.keys.of(conversation).errands
    shared.redis.zadd(errands, {f"{ERRAND} {conversation.name}": 1})
    shared.consents.tell(conversation)
    assert (shared.redis.zcard(errands), shared.consents.of_lead("@lead")) == (0, None)
