"""The door for producers."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, Attachment, EventTrigger, FollowUp, InboundChat
from worker.domain.refusals import InboxFull, InvalidEvent, MissingChannel, TooLarge, UnknownPersona
from worker.pipeline.follow_up_dispatch import Dispatch
from worker.pipeline.producer import Producer
from worker.store.conversations.inbox import Acceptance, Inbox


@pytest.fixture
def producer(make_settings, store):
    """A producer with small limits."""
    limits = {"message_characters": 100, "context_bytes": 100, "channel_bytes": 500, "inbox_events": 3}
    with Producer(make_settings(limits=limits)) as made:
        yield made


def test_a_receipt_tells_id_status_and_place(producer, channel):
    event = InboundChat(persona="ava", target="@l", message="hi", channel=channel, event_id="m1")
    first, again = producer.enqueue(event), producer.enqueue(event)
    assert (first.event_id, first.status, first.position) == ("m1", "accepted", 1)
    assert (again.event_id, again.status, again.position) == ("m1", "duplicate", 1)


@pytest.mark.parametrize(
    ("make", "refusal", "words"),
    [
        (lambda c: {"kind": "inbound_chat"}, InvalidEvent, "dict is not an event"),
        (lambda c: "hi", InvalidEvent, "str is not an event"),
        (lambda c: AiOpener(persona="zoe", target="@l", channel=c), UnknownPersona, "known: ava, bea"),
        (lambda c: InboundChat(persona="ava", target="@l", message="x" * 101, channel=c), TooLarge, "limit is 100"),
        (
            lambda c: EventTrigger(persona="ava", target="@l", event_type="t", context={"k": "x" * 100}, channel=c),
            TooLarge,
            "context",
        ),
        (
            lambda c: AiOpener(persona="ava", target="@l", channel={**c, "session_id": "s" * 500}),
            TooLarge,
            "channel",
        ),
        (lambda c: FollowUp(persona="ava", target="@l"), MissingChannel, "no channel context"),
    ],
)
def test_what_cannot_be_accepted_is_refused_at_the_door(producer, store, channel, make, refusal, words):
    with pytest.raises(refusal, match=words):
        producer.enqueue(make(channel))
    assert store.books.accounts() == []


def test_a_full_inbox_is_refused_and_keeps_what_it_has(producer, store, channel):
    for _ in range(3):
        producer.enqueue(InboundChat(persona="ava", target="@l", message="hi", channel=channel))
    with pytest.raises(InboxFull, match="3 events of this conversation wait"):
        producer.enqueue(InboundChat(persona="ava", target="@l", message="hi", channel=channel))
    assert store.books.accounts()[0].waiting == 3


def test_several_images_are_accepted_as_one_event_each(producer, store, channel):
    attachments = tuple(Attachment(url=f"https://x/{number}.jpg") for number in range(3))
    producer.enqueue(
        InboundChat(persona="ava", target="@l", message="look", attachments=attachments, channel=channel, event_id="m")
    )
    shard = store.keys.of(Conversation("ava", "@l"))
    assert store.redis.lrange(shard.inbox(Conversation("ava", "@l")), 0, -1) == ["m", "m#2", "m#3"]


def test_several_images_are_accepted_together_or_not_at_all(producer, store, channel):
    producer.enqueue(InboundChat(persona="ava", target="@l", message="hi", channel=channel))
    three = tuple(Attachment(url=f"https://x/{number}.jpg") for number in range(3))
    event = InboundChat(persona="ava", target="@l", attachments=three, channel=channel, event_id="m")
    with pytest.raises(InboxFull):
        producer.enqueue(event)
    assert store.books.accounts()[0].waiting == 1
    assert producer.enqueue(event.model_copy(update={"attachments": three[:2]})).position == 2
    assert store.books.accounts()[0].waiting == 3


def test_several_images_in_a_batch_keep_their_place(producer, store, channel):
    common = {"persona": "ava", "target": "@l", "channel": channel}
    two = tuple(Attachment(url=f"https://x/{number}.jpg") for number in range(2))
    results = producer.enqueue_many(
        [
            InboundChat(event_id="m", attachments=two, **common),
            InboundChat(event_id="n", message="after", **common),
        ]
    )
    assert [result.position for result in results] == [1, 3]
    conversation = Conversation("ava", "@l")
    assert store.redis.lrange(store.keys.of(conversation).inbox(conversation), 0, -1) == ["m", "m#2", "n"]


def test_many_events_are_accepted_in_order_and_refusals_are_values(producer, channel):
    def chat(number, persona="ava"):
        return InboundChat(persona=persona, target="@l", message="hi", channel=channel, event_id=f"m{number}")

    results = producer.enqueue_many([chat(1), chat(2, "zoe"), chat(3), chat(1), chat(4), chat(5)])
    assert [getattr(result, "position", None) for result in results] == [1, None, 2, 1, 3, None]
    assert isinstance(results[1], UnknownPersona)
    assert isinstance(results[5], InboxFull)


def test_a_follow_up_with_a_time_is_scheduled_and_can_be_moved_and_cancelled(producer, store, channel):
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    event = FollowUp(persona="ava", target="@l", not_before=tomorrow, channel=channel, event_id="f1")
    receipt = producer.enqueue(event)
    assert (receipt.event_id, receipt.status, receipt.position) == ("f1", "scheduled", 0)
    later = FollowUp(persona="ava", target="@l", not_before=tomorrow + timedelta(hours=1))
    assert [result.status for result in producer.enqueue_many([event, later])] == ["scheduled", "scheduled"]
    (touch,) = store.follow_ups.upcoming(10)
    assert touch.requested_at == int(later.not_before.timestamp() * 1000)
    assert [producer.cancel_follow_up("ava", "@l") for _ in range(2)] == [True, False]
    assert store.inbox.waiting(Conversation("ava", "@l")) == 0


@pytest.mark.parametrize("at", [0, -86_400, 1, "1970-01-01T00:00:00Z", "2001-02-03T04:05:06+01:00"])
def test_a_follow_up_for_any_time_in_the_past_is_sent_now(producer, store, make_settings, channel, at):
    event = FollowUp(persona="ava", target="@l", not_before=at, channel=channel, event_id="f1")
    assert producer.enqueue(event).status == "scheduled"
    (touch,) = store.follow_ups.upcoming(10)
    assert touch.due
    assert touch.requested_at
    assert Dispatch(store, make_settings()).run()["accepted"] == 1
    assert store.redis.lrange(store.keys.of(Conversation("ava", "@l")).inbox(Conversation("ava", "@l")), 0, -1) == [
        "f1"
    ]


def test_a_follow_up_that_cannot_be_scheduled_is_refused(producer, channel):
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    with pytest.raises(MissingChannel):
        producer.enqueue(FollowUp(persona="ava", target="@l", not_before=tomorrow))
    with pytest.raises(UnknownPersona):
        producer.enqueue(FollowUp(persona="zoe", target="@l", not_before=tomorrow, channel=channel))
    with pytest.raises(ValidationError, match="timezone"):
        FollowUp(persona="ava", target="@l", not_before=tomorrow.replace(tzinfo=None), channel=channel)


def test_a_follow_up_for_more_than_ten_years_from_now_is_refused(producer, store, channel):
    ten_years = datetime.now(UTC) + timedelta(days=3650)
    far, near = (
        FollowUp(persona="ava", target="@l", channel=channel, not_before=ten_years + timedelta(hours=hours))
        for hours in (1, -1)
    )
    with pytest.raises(InvalidEvent, match=r"^not_before: it is more than ten years from now: give an earlier time$"):
        producer.enqueue(far)
    assert store.follow_ups.upcoming(10) == []
    refused, scheduled = producer.enqueue_many([far, near])
    assert (type(refused), scheduled.status) == (InvalidEvent, "scheduled")


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59"])
def test_the_last_times_that_can_be_written_are_refused(producer, channel, at):
    with pytest.raises(InvalidEvent, match=r"^not_before: "):
        producer.enqueue(FollowUp(persona="ava", target="@l", channel=channel, not_before=at))


def test_importing_the_producer_starts_nothing():
    script = (
        "import sys, socket\n"
        "socket.socket.connect = lambda *a: sys.exit('opened a socket')\n"
        "import worker.pipeline.producer\n"
        "print([name for name in ('celery', 'kombu', 'tenacity') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_a_batch_keeps_its_order_where_several_images_come_last(producer, store, channel):
    common = {"persona": "ava", "target": "@l", "channel": channel}
    two = tuple(Attachment(url=f"https://x/{number}.jpg") for number in range(2))
    results = producer.enqueue_many(
        [
            InboundChat(event_id="n", message="before", **common),
            InboundChat(event_id="m", attachments=two, **common),
        ]
    )
    assert [(result.event_id, result.position) for result in results] == [("n", 1), ("m", 2)]
    conversation = Conversation("ava", "@l")
    assert store.redis.lrange(store.keys.of(conversation).inbox(conversation), 0, -1) == ["n", "m", "m#2"]


def test_what_comes_between_the_images_of_one_message_pushes_none_of_them_out(producer, store, channel, monkeypatch):
    """The inbox holds three."""
    common = {"persona": "ava", "target": "@l", "channel": channel}
    accept = Inbox.accept

    def another_producer_comes_next(inbox, *given, **options):
        accepted = accept(inbox, *given, **options)
        for number in range(2):
            store.inbox.accept_many([InboundChat(event_id=f"other-{number}", message="hi", **common)])
        return accepted

    monkeypatch.setattr(Inbox, "accept", another_producer_comes_next)
    three = tuple(Attachment(url=f"https://x/{number}.jpg") for number in range(3))
    assert producer.enqueue(InboundChat(event_id="m", attachments=three, **common)).status == "accepted"
    conversation = Conversation("ava", "@l")
    waiting = store.redis.lrange(store.keys.of(conversation).inbox(conversation), 0, -1)
    assert [event_id for event_id in waiting if event_id.startswith("m")] == ["m", "m#2", "m#3"]


def test_what_captivate_cannot_get_back_is_noted_and_the_event_of_the_sender_stays_as_it_is(producer, store, channel):
    odd = {**channel, "metadata": {"internal": {"channelMetadata": {"custom": "SECRET", "user": 7}}}}
    events = [AiOpener(persona="ava", target=f"@{each}", channel=odd) for each in range(2)]
    producer.enqueue(events[0])
    producer.enqueue_many(events[1:])
    for event in events:
        moments = store.timeline.of(Conversation("ava", event.target))
        assert [moment.details[0] for moment in moments if moment.word == "left out"] == [
            "metadata.internal.channelMetadata.custom: it is a text, not an object; "
            "metadata.internal.channelMetadata.user: it is a number, not an object"
        ]
        assert event.left_out == ()


def test_the_event_of_a_letter_that_has_a_time_is_scheduled(producer, store, channel):
    later = datetime.now(UTC) + timedelta(hours=1)
    event = FollowUp(persona="ava", target="@l", channel=channel, not_before=later)
    assert producer.enqueue_again(event, "letter").status == "scheduled"
    assert store.follow_ups.state_of(Conversation("ava", "@l")).due


def test_an_answer_that_only_a_plan_can_get_is_a_fault_of_ours(producer, channel, monkeypatch):
    monkeypatch.setattr(Inbox, "accept", lambda *_, **__: Acceptance("waits", 0))
    with pytest.raises(AssertionError, match="accept answered waits"):
        producer.enqueue(InboundChat(persona="ava", target="@l", message="hi", channel=channel))
