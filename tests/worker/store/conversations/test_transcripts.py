"""What was said is kept only when an operator wants it: so long, so much, encrypted, and erased with the lead."""

from __future__ import annotations

import json

import pytest

from worker.domain.reply import Reply
from worker.domain.vocabulary import Cause
from worker.store.conversations.transcripts import transcript_key

KEY, OTHER = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
DAY_MS = 86_400_000


@pytest.fixture
def keeping(make_store):
    """A store that keeps what was said for 30 days."""

    def make(days=30, entries=1000, **more):
        return make_store(transcript={"days": days, "entries": entries}, **more)

    return make


@pytest.fixture
def talk(chat, begin):
    """The lead writes, and gets these bubbles."""

    def run(store, event_id, message="hi", bubbles=("hello",), sent=None):
        store.inbox.accept(chat(message, event_id=event_id))
        grant = begin(of=store)
        store.steps.record(grant, Reply(bubbles).to_json())
        store.steps.settle(grant, "answered", sent=sent)

    return run


def said(store, conversation, **more):
    return [(line.who, line.texts) for line in store.transcripts.of(conversation, **more)]


def test_by_default_nothing_is_kept(store, conversation, talk):
    talk(store, "a")
    assert said(store, conversation) == []
    assert not store.transcripts.kept
    assert list(store.redis.scan_iter("*:transcript:*")) == []


def test_both_sides_in_order(keeping, conversation, talk, chat):
    store = keeping()
    talk(store, "a", "where is my parcel?", ("one moment", "it comes tomorrow"))
    store.inbox.accept(chat("thanks", event_id="b"))
    assert said(store, conversation) == [
        ("lead", ("where is my parcel?",)),
        ("persona", ("one moment", "it comes tomorrow")),
        ("lead", ("thanks",)),
    ]
    assert said(store, conversation, limit=1) == [("lead", ("thanks",))]
    first = store.transcripts.of(conversation)[0]
    assert (first.event_id, first.images, abs(first.at - store.follow_ups.now()) < 60_000) == ("a", 0, True)
    assert "parcel" not in repr(first)


def test_what_a_repeated_event_says_is_kept_once(keeping, conversation, chat):
    store = keeping()
    for _ in range(2):
        store.inbox.accept(chat("hi", event_id="a"))
    assert said(store, conversation) == [("lead", ("hi",))]


def test_only_what_the_lead_got_is_kept(keeping, conversation, talk):
    store = keeping()
    talk(store, "a", bubbles=("one", "two", "three"), sent=2)
    talk(store, "b", bubbles=("never sent",), sent=0)
    assert said(store, conversation) == [("lead", ("hi",)), ("persona", ("one", "two")), ("lead", ("hi",))]


def test_images_are_counted_and_a_photo_is_its_address(keeping, conversation, chat, begin):
    store = keeping()
    store.inbox.accept(chat("", event_id="a", image_url="https://host/x.png"))
    grant = begin(of=store)
    store.steps.record(grant, Reply(("look",), photo_url="https://host/y.png").to_json())
    store.steps.settle(grant, "answered", sent=None)
    lead, persona = store.transcripts.of(conversation)
    assert (lead.texts, lead.images) == ((), 1)
    assert persona.texts == ("look", "https://host/y.png")


def test_what_an_operator_said_has_a_name(keeping, conversation, chat, begin):
    store = keeping()
    store.inbox.accept(chat("hi", event_id="a"))
    store.takeovers.claim(conversation, "kim")
    store.operator_messages.say(conversation, "kim", "I am here")
    store.steps.settle(begin(of=store), "answered", sent=None)
    line = store.transcripts.of(conversation)[-1]
    assert (line.who, line.by, line.texts) == ("operator", "kim", ("I am here",))


def test_it_is_bounded(keeping, conversation, chat):
    store = keeping(entries=3)
    for number in range(5):
        store.inbox.accept(chat(str(number), event_id=f"m{number}"))
    assert [texts for _, texts in said(store, conversation)] == [("2",), ("3",), ("4",)]


def test_what_is_too_old_is_not_shown_and_ends_with_the_next_line(keeping, conversation, chat):
    store = keeping(days=2)
    key = transcript_key(store.keys, conversation)
    store.inbox.accept(chat("long ago", event_id="a"))
    at, rest = store.redis.lindex(key, 0).split(" ", 1)
    store.redis.lset(key, 0, f"{int(at) - 2 * DAY_MS - 1} {rest}")
    assert said(store, conversation) == []
    assert 0 < store.redis.pttl(key) <= 2 * DAY_MS
    store.inbox.accept(chat("now", event_id="b"))
    assert (said(store, conversation), store.redis.llen(key)) == ([("lead", ("now",))], 1)


def test_what_is_too_old_is_deleted_also_when_nothing_more_is_said(keeping, conversation, chat):
    store = keeping(days=2)
    key, shard = transcript_key(store.keys, conversation), store.keys.of(conversation)
    for event_id in ("a", "b", "c"):
        store.inbox.accept(chat(f"said {event_id}", event_id=event_id))
    old = store.follow_ups.now() - 2 * DAY_MS - 1000
    for place in (0, 1):
        rest = store.redis.lindex(key, place).split(" ", 1)[1]
        store.redis.lset(key, place, f"{old + place} {rest}")
    store.transcripts.trim()
    assert store.redis.llen(key) == 3, "the index says that the first line is new"
    store.redis.zadd(shard.key("transcripts"), {conversation.name: old})
    for _ in range(2):
        store.transcripts.trim()
        assert said(store, conversation) == [("lead", ("said c",))]
        assert store.redis.llen(key) == 1
    assert store.redis.zscore(shard.key("transcripts"), conversation.name) > old + DAY_MS
    store.redis.delete(key)
    store.redis.zadd(shard.key("transcripts"), {conversation.name: old})
    store.transcripts.trim()
    assert store.redis.zcard(shard.key("transcripts")) == 0


def test_a_process_that_keeps_nothing_deletes_nothing(keeping, store, conversation, chat):
    keeping().inbox.accept(chat("hi", event_id="a"))
    store.redis.zadd(store.keys.of(conversation).key("transcripts"), {conversation.name: 1})
    store.transcripts.trim()
    assert store.redis.llen(transcript_key(store.keys, conversation)) == 1


def test_forgetting_erases_it(keeping, conversation, talk):
    store = keeping()
    talk(store, "a")
    traces = store.forgetting.traces(conversation)
    assert traces.transcript == 2
    store.forgetting.forget(conversation, traces)
    assert list(store.redis.scan_iter("*@lead*")) == []


def test_a_transcript_alone_is_found_and_erased(keeping, conversation, talk):
    store = keeping()
    talk(store, "a")
    for key in store.redis.scan_iter("*@lead*"):
        if ":transcript:" not in key:
            store.redis.delete(key)
    store.redis.zrem(store.keys.of(conversation).conversations, conversation.name)
    traces = store.forgetting.traces(conversation)
    assert not traces.nothing
    store.forgetting.forget(conversation, traces)
    assert store.forgetting.traces(conversation).nothing


def test_it_is_encrypted_and_encrypted_again_with_another_key(keeping, conversation, talk, chat, begin):
    store = keeping(encryption={"keys": [KEY]})
    talk(store, "a", "a secret question", ("a secret answer",))
    store.takeovers.claim(conversation, "kim")
    store.operator_messages.say(conversation, "kim", "a secret word")
    store.steps.settle(begin(of=store), "answered", sent=None)
    key = transcript_key(store.keys, conversation)
    assert "secret" not in str(store.redis.lrange(key, 0, -1))
    before = said(store, conversation)
    rotating = keeping(encryption={"keys": [OTHER, KEY]})
    *_, tally = rotating.rotation.run()
    assert tally.undecryptable == {}
    ttl = store.redis.pttl(key)
    assert ttl > 0
    assert said(keeping(encryption={"keys": [OTHER]}), conversation) == before
    lines = store.transcripts.of(conversation)
    assert [line.texts for line in lines] == [(), (), ()]
    assert all("key" in line.unreadable for line in lines)
    *_, again = rotating.rotation.run()
    assert again.changed == 0


def test_a_line_of_a_newer_release_is_not_shown_and_hides_no_other(keeping, conversation, talk, chat, begin):
    store = keeping()
    store.inbox.accept(chat("hi", event_id="a"))
    grant = begin(of=store)
    store.steps.record(grant, json.dumps({"bubbles": ["x"], "hologram": 1}))
    store.steps.settle(grant, "answered", sent=None)
    talk(store, "b", "again")
    lines = store.transcripts.of(conversation)
    assert [bool(line.unreadable) for line in lines] == [False, True, False, False]


def test_a_reply_that_was_not_delivered_is_not_kept(keeping, conversation, chat, begin):
    store = keeping()
    store.inbox.accept(chat("hi", event_id="a"))
    grant = begin(of=store)
    store.steps.record(grant, Reply(("hello",)).to_json())
    store.steps.settle(grant, "dead", Cause.DELIVERY_REFUSED)
    assert said(store, conversation) == [("lead", ("hi",))]


def test_an_event_without_words_of_the_lead_leaves_none(keeping, conversation, event_of, begin):
    store = keeping()
    store.inbox.accept(event_of("ai_opener"))
    grant = begin(of=store)
    store.steps.record(grant, Reply(("hello",)).to_json())
    store.steps.settle(grant, "answered", sent=None)
    assert said(store, conversation) == [("persona", ("hello",))]
