"""An id that Parley makes and the same one of a producer are two events, whichever comes first."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from redis.exceptions import ResponseError

from worker.domain import event_ids
from worker.domain.events import FollowUp
from worker.pipeline.producer import Producer
from worker.pipeline.replay import Replay

IMAGES = [{"url": f"https://images.test/{number}.png"} for number in (1, 2)]


@pytest.fixture
def producer(make_settings, store):
    """A producer over the store."""
    return Producer(make_settings(), store=store)


@pytest.fixture
def message(chat):
    """A message with two images: the second becomes the event m#2."""
    return chat("two images", event_id="m", attachments=IMAGES)


def words_of(grant):
    return [event.message for event in grant.events]


@pytest.mark.parametrize("first", ["message", "own"])
def test_a_producer_s_own_id_that_looks_like_a_further_image_is_another_event(
    first, store, producer, message, chat, begin, inbox
):
    own = chat("my own", event_id="m#2")
    for event in (message, own) if first == "message" else (own, message):
        assert producer.enqueue(event).status == "accepted"
        assert producer.enqueue(event).status == "duplicate"
    assert len(inbox()) == 3
    for event in (own, message):
        assert producer.enqueue(event).status == "duplicate"
    assert len(inbox()) == 3
    said = []
    while inbox():
        grant = begin()
        said += words_of(grant)
        store.steps.settle(grant, "answered")
    assert sorted(said) == ["", "my own", "two images"]
    for event in (own, message):
        assert producer.enqueue(event).status == "duplicate"


@pytest.mark.parametrize("gone", ["the first", "the other"])
def test_neither_comes_again_when_the_record_of_the_other_has_expired(
    gone, store, producer, message, chat, inbox, conversation
):
    own = chat("my own", event_id="m#2")
    producer.enqueue(message)
    producer.enqueue(own)
    shard = store.keys.of(conversation)
    expired = "m#2" if gone == "the first" else event_ids.instead_of("m#2", "")
    store.redis.delete(shard.journal(conversation, expired))
    kept = own if gone == "the first" else message
    assert producer.enqueue(kept).status == "duplicate"
    assert len(inbox()) == 3


def test_further_images_that_the_release_before_accepted_are_duplicates(store, producer, message, inbox, conversation):
    producer.enqueue(message)
    for event_id in inbox():
        store.redis.hdel(store.keys.of(conversation).journal(conversation, event_id), "derived_from")
    producer.enqueue(message)
    assert inbox() == ["m", "m#2"]


def test_an_own_event_that_the_release_before_accepted_is_a_duplicate(store, producer, chat, inbox, conversation):
    own = chat("my own", event_id="m#2")
    producer.enqueue(own)
    store.redis.hdel(store.keys.of(conversation).journal(conversation, "m#2"), "derived_from")
    assert producer.enqueue(own).status == "duplicate"
    assert inbox() == ["m#2"]


@pytest.mark.parametrize("attached", [[], IMAGES[:1]], ids=["words", "words and an image"])
@pytest.mark.parametrize("first", ["message", "own"])
def test_an_own_event_and_an_image_of_which_the_release_before_accepted_one_are_two(
    first, attached, store, producer, message, chat, inbox, conversation
):
    """It wrote down less: an image that came with others brings no words, and an event of a producer does."""
    own = chat("my own", event_id="m#2", attachments=attached)
    before, after = (message, own) if first == "message" else (own, message)
    producer.enqueue(before)
    for event_id in inbox():
        store.redis.hdel(store.keys.of(conversation).journal(conversation, event_id), "derived_from")
    assert producer.enqueue(after).status == "accepted"
    assert len(inbox()) == 3


def test_a_hand_back_keeps_no_stranger_with_the_newest_message(store, producer, chat, claim, inbox, conversation):
    producer.enqueue(chat("first", event_id="m"))
    claim()
    producer.enqueue(chat("second", event_id="m#2"))
    store.takeovers.hand_back(conversation, "last")
    assert inbox() == ["m#2"]


@pytest.mark.parametrize("own_first", [False, True])
def test_a_hand_back_keeps_all_images_of_a_message_whose_id_another_has(
    own_first, store, producer, message, chat, claim, inbox, conversation
):
    own = chat("my own", event_id="m#2")
    if own_first:
        producer.enqueue(own)
    claim()
    producer.enqueue(message)
    store.takeovers.hand_back(conversation, "last")
    assert inbox() == ["m", event_ids.instead_of("m#2", "m") if own_first else "m#2"]


def test_a_follow_up_of_a_producer_under_the_id_of_an_image_is_scheduled(store, producer, message, event_of):
    producer.enqueue(message)
    later = event_of("follow_up", event_id="m#2", not_before=datetime.now(UTC) + timedelta(hours=1))
    assert isinstance(later, FollowUp)
    assert producer.enqueue(later).status == "scheduled"
    store.inbox.accept(later)
    assert producer.enqueue(later).status == "duplicate"


def test_a_replayed_letter_and_an_event_with_the_id_of_the_replay_are_two(
    store, producer, make_settings, chat, inbox, conversation, begin
):
    own = chat("my own", event_id="m#replay")
    producer.enqueue(own)
    payload = chat("refused", event_id="m", target="@lead").model_dump_json(exclude_none=True)
    store.inbox.refuse("ava", "@lead", "m", payload, "InboxFull: once")
    replay = Replay(make_settings(), store, producer)
    assert replay.run(conversation, "m", "append").done
    assert len(inbox()) == 2
    assert producer.enqueue(own).status == "duplicate"
    assert words_of(begin()) == ["my own", "refused"]


def test_a_replay_that_was_cut_short_makes_one_event(store, producer, make_settings, chat, inbox, conversation):
    payload = json.loads(chat("refused", event_id="m").model_dump_json(exclude_none=True))
    store.inbox.refuse("ava", "@lead", "m", json.dumps(payload), "InboxFull: once")
    replay = Replay(make_settings(), store, producer)
    readmitted, store.dead_letters.readmitted = store.dead_letters.readmitted, lambda *_: pytest.fail("cut short")
    with pytest.raises(pytest.fail.Exception):
        replay.run(conversation, "m", "append")
    store.dead_letters.readmitted = readmitted
    assert replay.run(conversation, "m", "append").done
    assert inbox() == ["m#replay"]


def test_many_events_of_a_spoilt_store_end_with_its_error(store, chat, conversation):
    store.redis.set(store.keys.of(conversation).inbox(conversation), "foreign")
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        store.inbox.accept_many([chat(), chat()])
