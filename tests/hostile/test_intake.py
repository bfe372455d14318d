"""Whatever a foreign producer sends ends as accepted, duplicate or dead letter: never lost, never a traceback."""

from __future__ import annotations

import itertools
import json
import logging
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.domain import events
from worker.domain.conversation import Conversation
from worker.domain.sentences import of_stored

PLANTED = "PLANTED words"

number = itertools.count()

hostile_run = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def store(make_store):
    """An empty store that keeps the letters of all refused events."""
    return make_store(limits={"refused_per_conversation": 10_000, "refused_in_all": 1_000_000})


@pytest.fixture
def deliver(intake, store, caplog):
    """Hand one message to the door, see that it ends in one of three ways, and nothing of it is shown."""
    caplog.set_level(logging.DEBUG)

    def total() -> tuple[int, int]:
        accounts = store.books.accounts()
        assert [account for account in accounts if account.unexplained] == []
        return sum(account.accepted for account in accounts), sum(account.dead for account in accounts)

    kept: set[tuple[Conversation, str]] = set()
    refused: set[str] = set()

    def run(event: Any, message_id: str | None = None) -> str:
        caplog.clear()
        message_id = message_id or f"message-{next(number)}"
        accepted, dead = total()
        phrase = intake.accept(event, message_id)
        accepted_now, dead_now = total()
        match phrase.partition(" ")[0]:
            case "accepted":
                assert accepted_now - dead_now > accepted - dead
                assert dead_now in (dead, dead - 1), "its own letter is closed when it was refused before"
            case "duplicate":
                assert (accepted_now, dead_now) == (accepted, dead)
            case "refused:":
                letters = store.dead_letters.newest(2000)
                new = [letter for letter in letters if (letter.conversation, letter.event_id) not in kept]
                assert len(new) == accepted_now - accepted == dead_now - dead
                assert len(new) == 1 or repr(event) in refused, "what comes again under its own id is one letter"
                assert phrase in {f"refused: {of_stored(letter.cause)}" for letter in new or letters}
                kept.update((letter.conversation, letter.event_id) for letter in new)
                refused.add(repr(event))
            case other:
                pytest.fail(f"neither accepted nor duplicate nor dead letter: {other}")
        assert PLANTED not in phrase + caplog.text
        return phrase

    return run


def nested(levels: int) -> Any:
    return json.loads("[" * levels + "]" * levels)


# Any text, halves of characters and NUL included, as a JSON decoder makes it of "\\ud83d".
broken_text = st.text(st.characters(), max_size=12) | st.sampled_from(
    [PLANTED, "\ud83d", "a\ud83d", "\udd25\ud83d", "\x00", "\u2028", "\ufeff", "{}*?[]:", " ", "a b", "x" * 20_000]
)
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    broken_text,
    st.sampled_from([10**400, -(10**4000), 2**64, 1e308, float("inf"), float("nan")]),
)
any_json: st.SearchStrategy[Any] = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(broken_text, inner, max_size=4),
    max_leaves=12,
)
CHANNEL = {
    "session_id": "session-PLANTED words",
    "metadata": {"internal": {"channelMetadata": {"channelMetadata": {"channel": "custom-channel"}}}},
    "hasLivechat": False,
}
plain = {"kind": "inbound_chat", "persona": "ava", "target": "@lead", "message": PLANTED, "channel": CHANNEL}
replacements = st.dictionaries(
    st.sampled_from(
        [
            "kind",
            "event_id",
            "persona",
            "target",
            "own_username",
            "message",
            "image_url",
            "attachments",
            "event_type",
            "context",
            "channel",
        ]
    ),
    any_json
    | st.sampled_from(["inbound_chat", "ai_opener", "event_trigger", "follow_up", "ava", "e1", "#", "https://a.test/"]),
    max_size=4,
)
channels = st.dictionaries(st.sampled_from(["session_id", "metadata", "hasLivechat", "more"]), any_json).map(
    lambda parts: {**CHANNEL, **parts}
)
almost_events = st.builds(
    lambda event, channel, without: {
        name: value for name, value in {**plain, "channel": channel, **event}.items() if name != without
    },
    replacements,
    channels | st.just(CHANNEL),
    st.sampled_from([None, *plain]),
)


@hostile_run
@given(event=any_json)
def test_any_json_ends_as_a_dead_letter(deliver, event):
    assert deliver(event).startswith("refused: InvalidEvent")


@hostile_run
@given(event=almost_events)
def test_what_looks_like_an_event_ends_in_one_of_three_ways(deliver, event):
    deliver(event)


@hostile_run
@given(event=almost_events)
def test_what_was_accepted_can_be_read_again(deliver, store, event):
    """A turn reads the event from its journal; what the door lets in must come out."""
    message_id = f"journal-{next(number)}"
    if not deliver({**event, "event_id": message_id}, message_id).startswith("accepted"):
        return
    conversation = Conversation(event["persona"], events.repair(event["target"]))
    journal = store.keys.of(conversation).journal(conversation, message_id)
    assert events.parse_json(store.redis.hget(journal, "payload")).event_id == message_id


@pytest.mark.parametrize(
    ("fields", "ending"),
    [
        ({"message": "x" * 10_000}, "accepted"),
        ({"message": "x" * 10_001}, "refused: TooLarge"),
        ({"message": "\U0001f525" * 10_000}, "accepted"),
        ({"message": "\x00"}, "accepted"),
        ({"event_id": "x" * 256}, "accepted"),
        ({"event_id": "x" * 257}, "refused"),
        ({"event_id": "a b"}, "refused"),
        ({"event_id": "{99}:*?"}, "accepted"),
        ({"event_id": 7}, "refused"),
        ({"event_id": []}, "accepted"),
        ({"target": "x" * 256}, "accepted"),
        ({"target": "x" * 257}, "refused"),
        ({"target": "a\nb"}, "refused"),
        ({"target": "\u2028"}, "accepted"),
        ({"image_url": "https://a.test/" + "x" * 8177}, "accepted"),
        ({"image_url": "https://a.test/" + "x" * 8178}, "accepted"),
        ({"image_url": "https://a.test/" + "x" * 8178, "message": ""}, "refused: InvalidEvent"),
        ({"image_url": "https://a.test/\nHost: b"}, "accepted"),
        ({"image_url": "https://a.test/\nHost: b", "message": ""}, "refused: InvalidEvent"),
        ({"channel": {**CHANNEL, "session_id": "x" * 1025}}, "refused"),
        ({"channel": {**CHANNEL, "metadata": {**CHANNEL["metadata"], "more": "x" * 70_000}}}, "refused: TooLarge"),
        ({"channel": {**CHANNEL, "metadata": {**CHANNEL["metadata"], "more": nested(98)}}}, "accepted"),
        ({"channel": {**CHANNEL, "metadata": {**CHANNEL["metadata"], "more": nested(200)}}}, "accepted"),
        ({"channel": {**CHANNEL, "metadata": {**CHANNEL["metadata"], PLANTED: float("nan")}}}, "accepted"),
        ({"attachments": [{"url": "https://a.test/1.png"}] * 50}, "accepted"),
        ({"attachments": [{"url": "https://a.test/1.png"}] * 51}, "refused: InvalidEvent"),
        ({"attachments": [{"url": "https://a.test/1.png", "filename": "x" * 1024}]}, "accepted"),
        ({"attachments": [{"url": "https://a.test/1.png", "filename": "x" * 1025}]}, "accepted"),
        ({"event_type": "x" * 257, "kind": "event_trigger"}, "refused: InvalidEvent"),
        ({"own_username": "x" * 256}, "accepted"),
        ({"own_username": "x" * 257}, "refused: InvalidEvent"),
        ({"persona": "x" * 65}, "refused: InvalidEvent"),
        ({"traceparent": "x" * 1_000_000}, "accepted"),
        ({f"field{number}": 1 for number in range(100)}, "refused: InvalidEvent: event: 106 fields"),
        ({"attachments": [{"url": "file:///etc/passwd"}]}, "accepted"),
        ({"attachments": [{"url": "file:///etc/passwd"}], "message": ""}, "refused: InvalidEvent"),
    ],
)
def test_at_the_limits(deliver, fields, ending):
    event = {**plain, **fields}
    assert deliver(event).startswith(ending)


def test_an_event_of_another_kind_with_the_largest_context(deliver):
    event = {**plain, "kind": "event_trigger", "event_type": "story_reaction"}
    del event["message"]
    assert deliver({**event, "context": {"a": "x" * (16_384 - len('{"a":""}'))}}).startswith("accepted")
    assert deliver({**event, "context": {"a": "x" * (16_385 - len('{"a":""}'))}}).startswith("refused: TooLarge")


def test_a_hundred_copies_are_one_event(deliver):
    event = {**plain, "event_id": "e1"}
    endings = [deliver(event, f"message-{copy}").partition(" ")[0] for copy in range(100)]
    assert endings == ["accepted", *["duplicate"] * 99]


def deepest() -> int:
    """How many levels the JSON decoder reads when called from here."""
    low, high = 1, 200_000
    while low < high:
        levels = (low + high + 1) // 2
        try:
            nested(levels)
            low = levels
        except RecursionError:
            high = levels - 1
    return low


@pytest.mark.parametrize("margin", [40, 20])
def test_json_almost_too_deep_for_the_decoder_ends_as_a_dead_letter(deliver, margin):
    assert deliver({**plain, "unknown": nested(min(deepest(), 2000) - margin)}).startswith("refused")


def test_json_as_deep_as_the_decoder_reads_ends_as_a_dead_letter(deliver):
    assert deliver({**plain, "unknown": nested(min(deepest(), 2000) - 2)}).startswith("refused")


def test_half_an_emoji_in_a_file_name_is_repaired(deliver):
    attachment = {"url": "https://a.test/1.png", "filename": "a\ud83d.png"}
    assert deliver({**plain, "attachments": [attachment]}).startswith("accepted")


# The id of a Celery message is the sender's, too.


@pytest.mark.parametrize("message_id", ["a b c", "x" * 200, "a\nb", "\ud83d", "\u00e9"])
def test_an_odd_message_id_does_not_cost_the_event(deliver, message_id):
    assert deliver(plain, message_id).startswith("accepted")


@pytest.mark.parametrize("message_id", ["a b c", "\ud83d"])
def test_a_dead_letter_with_an_odd_message_id_can_be_read(intake, store, message_id):
    intake.accept({**plain, "kind": "shout"}, message_id)
    (letter,) = store.dead_letters.newest()
    assert (letter.conversation, letter.kind) == (Conversation("ava", "@lead"), "refused")


def test_a_refused_message_is_kept_although_an_event_has_its_id(intake, store):
    intake.accept({**plain, "event_id": "m1"}, "m0")
    assert intake.accept({**plain, "kind": "shout"}, "m1").startswith("refused")
    assert len(store.dead_letters.newest()) == 1


def test_a_message_that_comes_again_mended_is_accepted_and_its_letter_closed(intake, store):
    assert intake.accept({**plain, "kind": "shout"}, "m1").startswith("refused")
    assert intake.accept(plain, "m1").startswith("accepted")
    assert store.dead_letters.newest() == []
