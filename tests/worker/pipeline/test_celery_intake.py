"""The door for producers that only speak Celery."""

from __future__ import annotations

import base64
import json

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from simulation.servers.embedded_redis import EmbeddedRedis
from worker.domain import events
from worker.domain.conversation import Conversation
from worker.domain.reasons import read
from worker.domain.sentences import of_stored
from worker.pipeline.celery_intake import Intake
from worker.pipeline.producer import Producer
from worker.pipeline.replay import Replay
from worker.store import Store, StoreError

LEAD = Conversation("ava", "@lead")

SMALL = {"message_characters": 100, "inbox_events": 2}


@pytest.fixture
def store(make_store):
    """An empty store with room for two events in each inbox."""
    return make_store(limits=SMALL)


@pytest.fixture
def intake(make_settings, store):
    """The door over that store."""
    return Intake(Producer(make_settings(limits=SMALL), store=store), store, wait_seconds=1)


@pytest.fixture
def chat(channel):
    """What a producer sends: a message of the lead, other fields replaced, None takes one away."""

    def make(**fields):
        event = {
            "kind": "inbound_chat",
            "persona": "ava",
            "target": "@lead",
            "message": "SECRET words",
            "channel": channel,
            **fields,
        }
        return {name: value for name, value in event.items() if value is not None}

    return make


@pytest.fixture
def waiting(store):
    """The ids that wait in the lead's inbox."""
    return lambda: store.redis.lrange(store.keys.of(LEAD).inbox(LEAD), 0, -1)


@pytest.fixture
def journal(store):
    """What the store keeps of one event."""
    return lambda conversation, event_id: store.redis.hgetall(
        store.keys.of(conversation).journal(conversation, event_id)
    )


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
    phrase = intake.accept({**event, "not_before": "2101-02-03T04:05:06+01:00"}, "message-1")
    assert phrase == "scheduled at position 0"
    assert store.follow_ups.state_of(LEAD).requested_at == 4_136_843_106_000
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


def push(store, event, task_id, task="tasks.accept"):
    """As Celery does: at the left of the list."""
    body = base64.b64encode(json.dumps([[event], {}, {}]).encode()).decode()
    headers = {"id": task_id, "task": task}
    message = {"body": body, "headers": headers, "properties": {"body_encoding": "base64"}}
    store.redis.lpush("accept", json.dumps(message))


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


def test_a_letter_with_an_id_of_its_own_is_replayed_as_an_event_of_its_own(intake, make_settings, store, chat, waiting):
    intake.accept(chat(event_id="m1"), "m0")
    intake.accept(chat(message="SECRET" * 20), "m1")
    (letter,) = store.dead_letters.newest()
    door = Replay(make_settings(), store, Producer(make_settings(), store=store))
    assert door.run(letter.conversation, letter.event_id, "place").status == "readmitted"
    assert waiting() == ["m1", f"{letter.event_id}#replay"]
    assert store.books.accounts()[0].unexplained == 0


def test_letters_with_long_ids_do_not_become_one_event(intake, make_settings, store, chat, waiting):
    for end in "ab":
        intake.accept(chat(message="SECRET" * 20), "m" * 119 + end)
    door = Replay(make_settings(), store, Producer(make_settings(), store=store))
    for letter in store.dead_letters.newest():
        assert door.run(letter.conversation, letter.event_id, "place").status == "readmitted"
    assert len(waiting()) == 2


# What the store refuses for one message alone


@pytest.fixture
def spoil(store):
    """Put a value of the wrong type where the store keeps something of a conversation: scripts fail for it, always."""

    def run(noun, conversation=LEAD):
        shard = store.keys.of(conversation)
        for key in (shard.key(noun), shard.key(f"{noun}:{conversation.name}")):
            store.redis.set(key, "of the wrong type")

    return run


@pytest.mark.parametrize("noun", ["inbox", "conversation", "timeline"])
def test_a_message_that_the_store_refuses_becomes_a_letter_and_the_next_is_accepted(
    intake, store, chat, journal, spoil, caplog, noun
):
    spoil(noun)
    push(store, chat(), "m1")
    push(store, chat(target="@behind"), "m2")
    assert intake.take_in() == 2
    assert store.redis.llen("accept") == 0
    assert store.inbox.waiting(Conversation("ava", "@behind")) == 1
    (letter,) = store.dead_letters.newest()
    assert letter.cause == "store_refuses code=WRONGTYPE"
    assert json.loads(journal(letter.conversation, letter.event_id)["payload"])["message"] == "SECRET words"
    assert "SECRET" not in caplog.text
    assert store.parked.count() == 0


def test_a_refusal_that_the_store_refuses_becomes_a_letter_elsewhere(intake, store, chat, spoil):
    spoil("timeline")
    push(store, chat(kind="shout"), "m1")
    assert intake.take_in() == 1
    (letter,) = store.dead_letters.newest()
    assert letter.conversation == Conversation("-", "-")


@pytest.fixture
def no_letters(store):
    """No shard takes any letter."""
    for shard in store.keys.shards:
        store.redis.set(shard.dead, "of the wrong type")


def test_what_not_even_a_letter_takes_is_parked_and_the_next_is_accepted(
    intake, store, chat, spoil, no_letters, caplog
):
    spoil("inbox")
    for task_id in ("m1", "m2"):
        push(store, chat(), task_id)
    push(store, chat(target="@behind"), "m3")
    first = store.redis.lindex("accept", -1)
    assert intake.take_in() == 3
    assert store.inbox.waiting(Conversation("ava", "@behind")) == 1
    assert store.parked.count() == 2
    assert store.redis.lindex("parley:accept:parked", -1) == first, "as it came"
    assert store.redis.ttl("parley:accept:parked") > 0
    assert "event parked: the store refuses it, and a letter for it (WRONGTYPE)" in caplog.text
    assert "SECRET" not in caplog.text


def test_a_parked_message_is_forgotten_with_its_lead(intake, store, chat, spoil, no_letters):
    spoil("inbox")
    push(store, chat(), "m1")
    intake.take_in()
    store.redis.delete(*(shard.dead for shard in store.keys.shards), store.keys.of(LEAD).inbox(LEAD))
    traces = store.forgetting.traces(LEAD)
    assert traces.messages == 1
    store.forgetting.forget(LEAD, traces)
    assert store.parked.count() == 0


def test_when_nothing_more_can_be_parked_the_queue_waits(intake, store, chat, spoil, no_letters, monkeypatch):
    monkeypatch.setattr("worker.store.queues.parked.MESSAGES", 1)
    spoil("inbox")
    for task_id in ("m1", "m2"):
        push(store, chat(), task_id)
    with pytest.raises(StoreError):
        intake.take_in()
    assert (store.parked.count(), store.redis.llen("accept")) == (1, 1)


@pytest.mark.parametrize(("setting", "value"), [("maxmemory", "1"), ("min-replicas-to-write", "1")])
def test_a_store_that_refuses_all_writes_leaves_the_message_in_the_queue(make_settings, chat, setting, value):
    with EmbeddedRedis() as server:
        settings = make_settings(redis_url=server.url)
        store = Store(settings, connections=2)
        intake = Intake(Producer(settings, store=store), store, wait_seconds=1)
        for event in (chat(), chat(kind="shout")):
            push(store, event, "m1")
        # A reader that was there before the store was full.
        store.accept_queue.become_reader = lambda: "token"
        store.redis.config_set(setting, value)
        with pytest.raises(StoreError):
            intake.take_in()
        store.redis.config_set(setting, "0")
        assert store.redis.llen("accept") == 2
        assert store.parked.count() == 0
        assert intake.take_in() == 2
        store.close()


def test_an_event_that_breaks_the_connection_whenever_it_is_sent_becomes_a_letter(make_settings, chat):
    """A server that takes no argument of this size closes the connection; to a client it looks like one that ended."""
    with EmbeddedRedis(options={"proto-max-bulk-len": "1mb"}) as server:
        settings = make_settings(redis_url=server.url, limits={"message_characters": 10_000_000})
        store = Store(settings, connections=2)
        intake = Intake(Producer(settings, store=store), store, wait_seconds=60)
        assert intake.accept(chat(message="x" * 8_000_000), "m1").startswith("refused: the store refuses it")
        (letter,) = store.dead_letters.newest()
        assert store.dead_letters.open(letter.conversation, letter.event_id).whole_bytes > 8_000_000
        store.close()


# How much of what is refused is kept


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


def test_an_event_that_breaks_every_connection_waits_while_the_store_does_not_answer(
    make_settings, chat, store, monkeypatch
):
    """Only a store that answers meanwhile shows that it is the event's own fault."""

    def breaks(*_, **__):
        raise RedisConnectionError("Connection closed by server.")

    monkeypatch.setattr(store.inbox, "accept", breaks)
    monkeypatch.setattr(store, "ping", breaks)
    settings = make_settings(limits={"message_characters": 10_000_000})
    intake = Intake(Producer(settings, store=store), store, wait_seconds=5)
    with pytest.raises(StoreError):
        intake.accept(chat(message="x" * 2_000_000), "m1")


def test_a_message_that_is_off_the_broker_already_is_accepted(intake, store, chat, waiting):
    """As a worker meets it in one of its own queues."""
    push(store, chat(), "m1")
    assert intake.accept_message(store.redis.rpop("accept")) == "accepted at position 1"
    assert waiting() == ["m1"]


def test_what_no_json_can_say_is_kept_as_a_letter_without_it(intake, store):
    endless = {"kind": "inbound_chat", "persona": "ava", "target": "@lead"}
    endless["channel"] = endless
    assert intake.accept(endless, "m1").startswith("refused: InvalidEvent")
    assert store.dead_letters.open(LEAD, "m1").payload == '"(nested too deeply to be kept)"'
