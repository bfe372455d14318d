"""The door reads its queue in order, one process at a time."""

from __future__ import annotations

import json

import pytest

from tests.worker.pipeline.celery_intake.door import push
from worker.domain import events
from worker.domain.conversation import Conversation
from worker.pipeline.producer import Producer
from worker.pipeline.replay import Replay
from worker.store import StoreError


def test_the_queue_is_taken_in_in_order_and_emptied(intake, store, chat):
    for number in range(2):
        push(store, chat(), f"m{number}")
    assert intake.take_in() == 2
    conversation = Conversation("ava", "@lead")
    assert store.redis.lrange(store.keys.of(conversation).inbox(conversation), 0, -1) == ["m0", "m1"]
    assert store.redis.llen("accept") == 0


def test_a_message_that_is_read_again_after_a_crash_is_one_event(intake, store, chat):
    for _ in range(2):
        push(store, chat(), "m1")
    intake.take_in()
    assert store.books.accounts()[0].accepted == 1


def test_what_is_no_event_leaves_the_queue_as_a_dead_letter(intake, store, chat):
    store.redis.lpush("accept", "SECRET garbage")
    push(store, chat(), "m1", task="tasks.other")
    assert intake.take_in() == 2
    assert len(store.dead_letters.newest()) == 2
    assert "SECRET" not in repr(store.dead_letters.newest())


def test_one_process_reads_at_a_time(intake, store, chat):
    token = store.accept_queue.become_reader()
    push(store, chat(), "m1")
    assert intake.take_in() == 0
    store.accept_queue.stop_reading("somebody else's")
    assert intake.take_in() == 0
    store.accept_queue.stop_reading(token)
    assert intake.take_in() == 1


@pytest.fixture
def broken_by(monkeypatch):
    """A fault of ours: reading an event with this target breaks as told."""

    def arm(target, error):
        parse = events.parse

        def stumble(event):
            if isinstance(event, dict) and event.get("target") == target:
                raise error
            return parse(event)

        monkeypatch.setattr(events, "parse", stumble)

    return arm


def test_a_message_that_breaks_our_code_does_not_hold_up_those_behind_it(
    intake, store, chat, waiting, journal, broken_by, caplog
):
    broken_by("@breaks", ZeroDivisionError("SECRET words"))
    push(store, chat(target="@breaks"), "m1")
    push(store, chat(), "m2")
    assert intake.take_in() == 2
    assert waiting() == ["m2"]
    (letter,) = store.dead_letters.newest()
    assert (letter.kind, letter.cause) == ("refused", "stumbled_at_the_door error=ZeroDivisionError")
    assert "event refused: stumbled_at_the_door" in caplog.text
    assert "SECRET" not in caplog.text + repr(letter)
    assert [account.unexplained for account in store.books.accounts()] == [0, 0]
    assert json.loads(journal(letter.conversation, letter.event_id)["payload"])["message"] == "SECRET words"


def test_such_a_message_is_one_letter_and_can_be_replayed_when_the_fault_is_mended(
    intake, make_settings, store, chat, waiting, broken_by, monkeypatch
):
    broken_by("@lead", ZeroDivisionError())
    for _ in range(2):
        intake.accept(chat(), "m1")
    monkeypatch.undo()
    (letter,) = store.dead_letters.newest()
    door = Replay(make_settings(), store, Producer(make_settings(), store=store))
    assert door.run(letter.conversation, letter.event_id, "place").status == "readmitted"
    assert waiting() == ["m1"], "under the id that it has at the door"
    assert store.dead_letters.newest() == []


def test_a_store_that_is_away_leaves_the_message_in_the_queue(intake, store, chat, broken_by, waiting):
    broken_by("@lead", StoreError("away"))
    push(store, chat(), "m1")
    with pytest.raises(StoreError):
        intake.take_in()
    assert store.redis.llen("accept") == 1
    assert store.dead_letters.newest() == []
    assert store.accept_queue.become_reader() is not None
