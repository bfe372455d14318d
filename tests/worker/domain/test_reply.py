"""From a stored reply to the body that Captivate gets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from config.settings import Escalation
from worker.clients.captivate import Captivate
from worker.domain.reply import Reply, farewell, fill


@pytest.fixture
def conversation(channel):
    """A fresh conversation to answer into."""
    return Captivate.parse(channel)


def body(conversation, **reply):
    return fill(conversation, Reply(**reply)).body()


def test_each_bubble_is_a_text_message_of_its_own_in_order(conversation):
    assert body(conversation, bubbles=("one", "two", "two"))["response"] == [
        {"type": "text", "text": "one"},
        {"type": "text", "text": "two"},
        {"type": "text", "text": "two"},
    ]


def test_the_photo_comes_last_as_a_file_message(conversation):
    sent = body(conversation, bubbles=("look",), photo_url="https://cdn.example/p/beach.png")["response"]
    assert [message["type"] for message in sent] == ["text", "files"]
    assert sent[-1]["files"] == [
        {"type": "image/png", "url": "https://cdn.example/p/beach.png", "filename": "beach.png"}
    ]


def test_a_photo_needs_no_words(conversation):
    sent = body(conversation, photo_url="https://cdn.example/a.jpg")["response"]
    assert [message["type"] for message in sent] == ["files"]


@pytest.mark.parametrize(
    ("photo_url", "kind", "filename"),
    [
        ("https://cdn.example/a.jpg", "image/jpeg", "a.jpg"),
        ("https://cdn.example/a.JPEG?width=3&sig=a.png", "image/jpeg", "a.JPEG"),
        ("https://cdn.example/dir.png/a.gif#x", "image/gif", "a.gif"),
        ("https://cdn.example/a.webp", "image/webp", "a.webp"),
        ("https://cdn.example/photo/7", "image/jpeg", "7.jpg"),
        ("https://cdn.example/page.html", "image/jpeg", "page.jpg"),
        ("https://cdn.example/p/My%20Photo.jpg?sig=1", "image/jpeg", "My Photo.jpg"),
        ("https://[cdn.example/a.png", "image/jpeg", "photo.jpg"),
        ("https://cdn.example/", "image/jpeg", "photo.jpg"),
        ("https://cdn.example", "image/jpeg", "photo.jpg"),
    ],
)
def test_a_photo_has_the_image_type_of_its_name_or_else_jpeg(conversation, photo_url, kind, filename):
    (message,) = body(conversation, photo_url=photo_url)["response"]
    assert message["files"] == [{"type": kind, "url": photo_url, "filename": filename}]


@pytest.mark.parametrize(
    ("escalation", "action"),
    [
        ({"action": "escalate_to_human"}, {"id": "escalateToHuman", "payload": None, "data": None}),
        (
            {"action": "escalate_to_agent_router", "reason": "sealed"},
            {"id": "escalate_to_agent_router", "payload": {"reason": "sealed"}, "data": {"reason": "sealed"}},
        ),
        ({"action": "escalate_to_agent_router"}, {"id": "escalate_to_agent_router", "payload": None, "data": None}),
        (
            {"action": "escalate_to_agent", "agent_id": "a7"},
            {"id": "escalate_to_agent", "payload": {"agent_id": "a7"}, "data": {"agent_id": "a7"}},
        ),
    ],
)
def test_a_farewell_carries_the_configured_escalation_and_no_words(conversation, escalation, action):
    reply = farewell("dead", "why", Escalation(**escalation))
    sent = fill(conversation, reply).body()
    assert sent["outgoing_action"] == [action]
    assert sent["response"] == []


def test_a_paced_reply_goes_out_message_by_message_the_photo_last(channel):
    reply = Reply(("one", "two"), "https://cdn.example/a.jpg", {"action": "escalate_to_human"}, pauses=(1.0, 2.0))
    sends = [fill(Captivate.parse(channel), reply, sent).body() for sent in range(reply.sends)]
    assert [[message.get("text", message["type"]) for message in send["response"]] for send in sends] == [
        ["one"],
        ["two"],
        ["files"],
    ]
    assert [bool(send["outgoing_action"]) for send in sends] == [False, False, True], "the hand-over comes at the end"


def test_words_travel_with_an_escalation(conversation):
    sent = body(conversation, bubbles=("bye",), escalation={"action": "escalate_to_human"})
    assert sent["response"] == [{"type": "text", "text": "bye"}]
    assert [action["id"] for action in sent["outgoing_action"]] == ["escalateToHuman"]


def test_without_an_escalation_there_is_no_action(conversation):
    assert body(conversation, bubbles=("hi",))["outgoing_action"] is None


@pytest.mark.parametrize("fate", ["sealed", "dead"])
def test_the_policy_of_silence_makes_no_reply(fate):
    assert farewell(fate, "why", Escalation()) is None


@pytest.mark.parametrize(("fate", "mark"), [("sealed", "sealed"), ("dead", "escalated")])
def test_a_farewell_ends_as_what_it_says_goodbye_to(fate, mark):
    reply = farewell(fate, "why", Escalation(action="escalate_to_human"), "what the server said")
    assert (reply.fate, reply.reason, reply.mark, reply.detail) == (fate, "why", mark, "what the server said")


def test_a_farewell_still_escalates_after_it_was_stored(conversation):
    stored = farewell("sealed", "why", Escalation(action="escalate_to_agent", agent_id="a7", reason="done")).to_json()
    sent = fill(conversation, Reply.of_json(stored)).body()
    assert sent["outgoing_action"][0]["payload"] == {"agent_id": "a7", "reason": "done"}


def test_a_reply_survives_the_journal():
    reply = Reply(("a", "ü🔥"), "https://x/p.jpg", {"action": "escalate_to_human"}, "sealed", "why", "sealed", "d")
    paced = replace(reply, pauses=(0.25, 2.5))
    assert Reply.of_json(reply.to_json()) == reply
    assert Reply.of_json(paced.to_json()) == paced


def test_a_reply_that_is_not_paced_looks_as_it_did_before_there_was_pacing():
    assert "pauses" not in Reply(("a", "b")).to_json()
