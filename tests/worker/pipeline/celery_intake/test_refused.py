"""What the door refuses becomes a dead letter with its reason, and can be replayed."""

from __future__ import annotations

import json

import pytest

from tests.worker.pipeline.celery_intake.door import LEAD
from worker.domain.conversation import Conversation
from worker.domain.reasons import read
from worker.domain.sentences import of_stored
from worker.pipeline.producer import Producer
from worker.pipeline.replay import Replay


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"kind": "shout"}, "InvalidEvent: kind"),
        ({"kind": None}, "InvalidEvent"),
        ({"message": ""}, "InvalidEvent: inbound_chat: an inbound chat needs a message or an image"),
        ({"message": ["SECRET"]}, "InvalidEvent: inbound_chat.message"),
        ({"mesage": "SECRET"}, "InvalidEvent: inbound_chat.mesage"),
        ({"channel": None}, "MissingChannel"),
        ({"channel": {"session_id": "SECRET"}}, "InvalidEvent: inbound_chat.channel.metadata"),
        ({"message": "SECRET" * 20}, "TooLarge: message has 120 characters, the limit is 100"),
    ],
)
def test_a_refusal_is_a_dead_letter_with_the_reason_and_no_content(
    intake, chat, store, waiting, journal, caplog, fields, reason
):
    phrase = intake.accept(chat(**fields), "message-1")
    (letter,) = store.dead_letters.newest()
    assert (letter.conversation, letter.event_id, letter.kind) == (LEAD, "message-1", "refused")
    assert of_stored(letter.cause).startswith(reason)
    assert phrase == f"refused: {of_stored(letter.cause)}"
    assert waiting() == []
    shown = phrase + repr(letter) + repr(store.timeline.of(LEAD)) + caplog.text
    assert "SECRET" not in shown
    assert "session-1" not in shown
    assert f"event refused: {read(letter.cause).cause}" in caplog.text
    assert json.loads(journal(LEAD, "message-1")["payload"])["persona"] == "ava", "a person can see what it was"


@pytest.mark.parametrize(
    ("fields", "conversation"),
    [
        ({"persona": "zoe"}, Conversation("-", "@lead")),
        ({"persona": None}, Conversation("-", "@lead")),
        ({"persona": "a:b"}, Conversation("-", "@lead")),
        ({"persona": "a b"}, Conversation("-", "@lead")),
        ({"persona": 7}, Conversation("-", "@lead")),
        ({"target": None}, Conversation("ava", "-")),
        ({"target": ""}, Conversation("ava", "-")),
    ],
)
def test_a_dead_letter_is_filed_under_what_can_be_told_of_its_conversation(intake, chat, store, fields, conversation):
    intake.accept(chat(**fields), "message-1")
    (letter,) = store.dead_letters.newest()
    assert letter.conversation == conversation


@pytest.mark.parametrize("value", ["hi", None, 7, [], ["inbound_chat"], {}])
def test_what_is_no_event_at_all_is_kept_too(intake, store, value):
    assert intake.accept(value, "message-1").startswith("refused: InvalidEvent")
    (letter,) = store.dead_letters.newest()
    assert letter.conversation == Conversation("-", "-")


def test_a_refused_message_delivered_twice_is_one_dead_letter(intake, chat, store):
    for _ in range(2):
        intake.accept(chat(kind="shout"), "message-1")
    assert len(store.dead_letters.newest()) == 1
    (account,) = store.books.accounts()
    assert (account.accepted, account.dead, account.unexplained) == (1, 1, 0)


def test_a_full_inbox_refuses_and_the_books_still_balance(intake, chat, store, waiting):
    for number in range(3):
        intake.accept(chat(), f"message-{number}")
    assert waiting() == ["message-0", "message-1"]
    (letter,) = store.dead_letters.newest()
    assert letter.cause.startswith("inbox_full text=InboxFull: 2 events of this conversation wait already")
    (account,) = store.books.accounts()
    assert (account.accepted, account.waiting, account.dead, account.unexplained) == (3, 2, 1, 0)


def test_what_was_accepted_before_is_untouched_by_a_refusal(intake, chat, store, waiting):
    intake.accept(chat(), "message-1")
    intake.accept(chat(kind="shout"), "message-2")
    assert waiting() == ["message-1"]
    assert store.books.accounts()[0].waiting == 1


def test_half_an_emoji_in_a_name_still_ends_as_a_dead_letter(intake, store):
    assert intake.accept({"kind": "ai_opener", "persona": "a\ud83d", "target": "\udd25"}, "m9").startswith("refused")
    assert [letter.event_id for letter in store.dead_letters.newest()] == ["m9"]


def test_a_letter_with_an_id_of_its_own_is_replayed_as_an_event_of_its_own(intake, make_settings, store, chat, waiting):
    intake.accept(chat(event_id="m1"), "m0")
    intake.accept(chat(message="SECRET" * 20), "m1")
    (letter,) = store.dead_letters.newest()
    door = Replay(make_settings(), store, Producer(make_settings(), store=store))
    assert door.run(letter.conversation, letter.event_id, "place").status == "readmitted"
    assert waiting() == ["m1", f"{letter.event_id}#replay"]
    assert store.books.accounts()[0].unexplained == 0


def test_a_refused_event_that_comes_again_in_another_message_closes_its_letter(intake, chat, store, waiting, journal):
    intake.accept(chat(event_id="e1", channel=None), "message-1")
    assert [letter.event_id for letter in store.dead_letters.newest()] == ["e1"]
    assert intake.accept(chat(event_id="e1"), "message-2").startswith("accepted")
    assert store.dead_letters.newest() == []
    assert waiting() == ["e1"]
    assert not journal(LEAD, "message-1")
    assert store.books.accounts()[0].unexplained == 0


@pytest.mark.parametrize("unusable", ["", "a b", "x" * 257, "m-refused-0123456789ab", 7])
def test_without_a_usable_id_of_its_own_a_letter_has_that_of_its_message(intake, chat, store, unusable):
    intake.accept({**chat(kind="shout"), "event_id": unusable}, "message-1")
    assert [letter.event_id for letter in store.dead_letters.newest()] == ["message-1"]


def test_letters_with_long_ids_do_not_become_one_event(intake, make_settings, store, chat, waiting):
    for end in "ab":
        intake.accept(chat(message="SECRET" * 20), "m" * 119 + end)
    door = Replay(make_settings(), store, Producer(make_settings(), store=store))
    for letter in store.dead_letters.newest():
        assert door.run(letter.conversation, letter.event_id, "place").status == "readmitted"
    assert len(waiting()) == 2


def test_a_flood_of_refused_events_is_bounded_and_said_once_in_a_while(intake, store, chat, caplog):
    for number in range(60):
        intake.accept(chat(kind="shout", message=f"SECRET {number}"), f"m{number}")
    assert len(store.dead_letters.newest(1000)) == 20
    assert store.measures.only_counted("ava") == 40
    told = [line for line in caplog.messages if "no room for its letter" in line]
    assert [line.partition(" (")[2].split()[0] for line in told] == ["1", "2", "4", "8", "16", "32"]


def test_a_persona_that_is_not_configured_is_named_nowhere_but_in_the_payload(intake, store, chat, journal, caplog):
    phrase = intake.accept(chat(persona="john_doe_private"), "m1")
    (letter,) = store.dead_letters.newest()
    shown = phrase + repr(letter) + repr(store.timeline.of(letter.conversation)) + caplog.text
    assert "john_doe_private" not in shown + repr(list(store.redis.scan_iter()))
    assert letter.cause == "persona_not_known"
    assert json.loads(journal(letter.conversation, "m1")["payload"])["persona"] == "john_doe_private"


def test_a_reason_is_short_whatever_is_wrong(intake, store, chat):
    intake.accept(chat(**{f"field_{number}": 1 for number in range(40)}), "m1")
    (letter,) = store.dead_letters.newest()
    assert letter.cause.endswith("; and 30 more")
    assert len(letter.cause) < 1000


def test_what_no_json_can_say_is_kept_as_a_letter_without_it(intake, store):
    endless = {"kind": "inbound_chat", "persona": "ava", "target": "@lead"}
    endless["channel"] = endless
    assert intake.accept(endless, "m1").startswith("refused: InvalidEvent")
    assert store.dead_letters.open(LEAD, "m1").payload == '"(nested too deeply to be kept)"'
