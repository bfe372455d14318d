"""What a person reads of calls and timelines."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from simulation.demo.lines import of_moment, of_send
from simulation.upstreams.call_log import Call
from worker.store.views.timeline import Moment

AT = datetime(2026, 1, 1, tzinfo=UTC)
AT_MS = AT.timestamp() * 1000


@pytest.mark.parametrize(
    ("word", "details", "text"),
    [
        (
            "held",
            ("throttled by the persona (429)", AT_MS + 2000, "known"),
            "held 2.0 s: throttled by the persona (429)",
        ),
        ("accepted", ("follow_up", "follow-up-1-0"), "quiet for too long: beat dispatches a follow-up"),
        ("asking", (1, 1, 3), "3 messages joined into one turn"),
        ("asking", (2, 2, 1), "asked again (attempt 2)"),
        ("asking", (2, 2, 3), "asked again (attempt 2), 3 messages joined into one turn"),
        ("second ask", (2, 2, 1), "asked a second time: the first call may have been acted on"),
        ("sending", (2, 2), "delivered from the journal (attempt 2): the persona is not asked again"),
        ("resent", (2, 2), "resent with the same Idempotency-Key: the first send may have arrived"),
        ("ignored", ("owned elsewhere", 1), "ignored: owned elsewhere"),
        ("sealed", ("the conversation is sealed", 1), "sealed: the conversation is sealed"),
        ("dead", ("bad reply", 1), "dead: bad reply"),
        ("answered", ("the persona had nothing to say", 1), "the persona had nothing to say"),
    ],
)
def test_what_the_worker_did_is_said_in_words(word, details, text):
    line = of_moment(Moment(AT, word, details), "@maya")
    assert line
    assert (line.text, line.who, line.voice) == (text, "@maya", "worker")


@pytest.mark.parametrize(
    ("word", "details"),
    [("accepted", ("inbound_chat", "id")), ("asking", (1, 1, 1)), ("replied", ()), ("answered", ("", 1))],
)
def test_what_the_conversation_shows_itself_has_no_line(word, details):
    assert of_moment(Moment(AT, word, details), "@maya") is None


def test_a_moment_stays_behind_the_call_of_the_same_millisecond():
    line = of_moment(Moment(AT, "dead", ("x", 1)), "@maya")
    assert line
    assert line.at > AT.timestamp() + 0.0009


def send(**changes):
    response = [
        {"type": "text", "text": "hello"},
        {"type": "files", "files": [{"type": "image/png", "url": "http://a/photo.png", "filename": "photo.png"}]},
    ]
    fields = {"response": response, "outgoing_action": [{"id": "escalateToHuman"}]}
    return Call(service="captivate", method="POST", path="/", fields=fields, acted=True, end_wall=5.0, **changes)


def test_a_send_is_shown_bubble_by_bubble_then_photo_then_action():
    lines = of_send(send(), "@maya", "ava", again=False)
    assert [line.text for line in lines] == [
        "hello",
        "[photo] http://a/photo.png",
        "hands the conversation over: escalateToHuman",
    ]
    assert {(line.at, line.voice, line.speaker) for line in lines} == {(5.0, "persona", "ava")}


def test_a_repeated_send_is_marked():
    assert of_send(send(), "@maya", "ava", again=True)[0].text == "(again) hello"


def test_a_dropped_connection_is_told():
    last = of_send(send(fault="act_then_drop"), "@maya", "ava", again=False)[-1]
    assert (last.voice, last.text) == ("worker", "the channel took this, then dropped the connection")


def test_a_message_without_text_or_action_is_named_by_its_type():
    call = send()
    call.fields = {"response": [{"type": "cards", "cards": []}], "outgoing_action": None}
    assert [line.text for line in of_send(call, "@maya", "ava", again=False)] == ["[cards]"]
