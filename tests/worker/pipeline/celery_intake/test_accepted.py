"""The door for producers that only speak Celery: what is accepted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.worker.pipeline.celery_intake.door import LEAD, push
from worker.domain import events


def test_an_event_is_accepted_and_waits_with_all_its_parts(intake, chat, waiting, journal, channel):
    assert intake.accept(chat(event_id="m1"), "message-1") == "accepted at position 1"
    assert waiting() == ["m1"]
    event = events.parse_json(journal(LEAD, "m1")["payload"])
    assert (event.message, event.channel.session_id) == ("SECRET words", channel["session_id"])


@pytest.mark.parametrize(
    "event",
    [
        {"kind": "ai_opener"},
        {"kind": "event_trigger", "event_type": "story_reaction", "context": {"reaction": "🔥"}},
        {"kind": "follow_up"},
    ],
)
def test_every_kind_is_accepted(intake, channel, waiting, event):
    intake.accept({"persona": "ava", "target": "@lead", "channel": channel, **event}, "message-1")
    assert waiting() == ["message-1"]


@pytest.mark.parametrize("given", [None, ""])
def test_the_id_of_the_message_is_the_id_of_an_event_without_one(intake, chat, waiting, given):
    intake.accept({**chat(), "event_id": given}, "message-1")
    assert waiting() == ["message-1"]


def test_a_follow_up_with_a_time_is_scheduled(intake, channel, store):
    event = {"kind": "follow_up", "persona": "ava", "target": "@lead", "channel": channel}
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    at = tomorrow.astimezone(timezone(timedelta(hours=1))).isoformat()
    phrase = intake.accept({**event, "not_before": at}, "message-1")
    assert phrase == "scheduled at position 0"
    assert store.follow_ups.state_of(LEAD).requested_at == tomorrow.timestamp() * 1000
    refused = intake.accept({**event, "not_before": "tomorrow"}, "message-2")
    assert refused.startswith("refused: InvalidEvent: follow_up.not_before")


@pytest.mark.parametrize("event_id", [None, "m1"])
def test_a_message_delivered_twice_is_one_event(intake, chat, waiting, store, event_id):
    event = chat(event_id=event_id)
    assert intake.accept(event, "message-1").startswith("accepted")
    assert intake.accept(event, "message-1") == "duplicate at position 1"
    assert len(waiting()) == 1
    assert store.books.accounts()[0].accepted == 1


def test_the_same_event_in_two_messages_is_one_event(intake, chat, waiting):
    intake.accept(chat(event_id="m1"), "message-1")
    assert intake.accept(chat(event_id="m1"), "message-2") == "duplicate at position 1"
    assert waiting() == ["m1"]


def test_the_event_given_is_left_as_it_was(intake, chat):
    event = chat()
    intake.accept(event, "message-1")
    assert event == chat()


def test_a_message_that_is_off_the_broker_already_is_accepted(intake, store, chat, waiting):
    """As a worker meets it in one of its own queues."""
    push(store, chat(), "m1")
    assert intake.accept_message(store.redis.rpop("accept")) == "accepted at position 1"
    assert waiting() == ["m1"]
