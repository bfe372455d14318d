"""What producers enqueue, and what a Captivate request becomes."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.events import AiOpener, EventTrigger, FollowUp, InboundChat, parse, parse_json
from worker.refusals import InvalidEvent

PAYLOAD = {
    "session_id": "s1",
    "endpoint": "action",
    "user_input": "hi man",
    "incoming_action": [{"id": "sendEmail", "payload": {"email": "a@b"}}],
    "metadata": {
        "internal": {
            "channelMetadata": {"course_id": "abc", "channelMetadata": {"channel": "c"}, "custom": {"mode": "x"}}
        }
    },
    "hasLivechat": True,
    "DEV_URL_V2": "http://evil.example",
    "response": [{"type": "text", "text": "injected"}],
}


def image(url="https://files.example/a.jpg?sig=1", **fields):
    return {"type": "image/jpeg", "filename": "a.jpg", "url": url, **fields}


@pytest.mark.parametrize(
    "event",
    [
        InboundChat(persona="ava", target="@l", message="hi"),
        InboundChat(persona="ava", target="@l", image_url="https://x/a.jpg"),
        AiOpener(persona="ava", target="@l"),
        EventTrigger(persona="ava", target="@l", event_type="story", context={"reaction": "🔥", "n": [0, False]}),
        FollowUp(persona="ava", target="@l"),
    ],
)
def test_an_event_survives_json(event):
    assert parse_json(event.model_dump_json(exclude_none=True)) == event
    assert parse(json.loads(event.model_dump_json())) == event


def test_each_event_gets_an_id_of_its_own():
    assert AiOpener(persona="ava", target="@l").event_id != AiOpener(persona="ava", target="@l").event_id


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({}, "kind"),
        ({"kind": "SECRET", "persona": "ava", "target": "@l"}, "kind: must be inbound_chat"),
        ({"kind": "ai_opener", "persona": "ava", "target": "@l", "my SECRET words": 1}, "a field of another name"),
        ("hi", "event"),
        (None, "event"),
        ({"kind": "inbound_chat", "persona": "ava", "target": "@l"}, "needs a message or an image"),
        ({"kind": "inbound_chat", "persona": "ava", "target": "", "message": "SECRET"}, "target"),
        ({"kind": "inbound_chat", "persona": "Ava!", "target": "@l", "message": "SECRET"}, "persona"),
        ({"kind": "inbound_chat", "persona": "ava", "target": "@l", "message": ["SECRET"]}, "message"),
        ({"kind": "ai_opener", "persona": "ava", "target": "@l", "image_url": "file:///etc/SECRET"}, "image_url"),
        ({"kind": "ai_opener", "persona": "ava", "target": "@l", "mesage": "SECRET"}, "mesage"),
        ({"kind": "follow_up", "persona": "ava", "target": "@l", "image_url": "https://x"}, "image_url"),
        ({"kind": "event_trigger", "persona": "ava", "target": "@l", "event_type": ""}, "event_type"),
        ({"kind": "ai_opener", "persona": "ava", "target": "@l", "event_id": "has space"}, "event_id"),
        ({"kind": "ai_opener", "persona": "ava", "target": "@l", "channel": {"session_id": "SECRET"}}, "metadata"),
        (
            {"kind": "ai_opener", "persona": "ava", "target": "@l", "channel": {"session_id": "s", "metadata": {}}},
            "metadata",
        ),
    ],
)
def test_what_is_no_event_is_refused_by_field_never_by_value(value, named):
    with pytest.raises(InvalidEvent) as caught:
        parse(value)
    assert named in str(caught.value)
    assert "SECRET" not in str(caught.value)


def test_a_captivate_request_becomes_an_inbound_chat_with_its_channel():
    event = InboundChat.from_captivate(PAYLOAD, persona="ava", target="@l", event_id="m1")
    assert (event.message, event.event_id) == ("hi man", "m1")
    assert (event.channel.session_id, event.channel.hasLivechat) == ("s1", True)
    assert event.channel.metadata == PAYLOAD["metadata"]
    assert "evil" not in event.model_dump_json()
    assert "injected" not in event.model_dump_json()


@pytest.mark.parametrize(
    ("file", "url"),
    [
        (image(), "https://files.example/a.jpg?sig=1"),
        (image(url=None, storage={"presignedUrl": "https://s3.example/p"}), "https://s3.example/p"),
        (image(storage={"presignedUrl": "https://s3.example/p"}), "https://s3.example/p"),
    ],
)
def test_an_image_file_becomes_an_attachment(file, url):
    event = InboundChat.from_captivate({**PAYLOAD, "files": [file]}, persona="ava", target="@l")
    assert [attachment.url for attachment in event.attachments] == [url]


def test_files_that_are_no_images_are_left_out():
    files = [{"type": "application/pdf", "url": "https://x/a.pdf"}, image(), {"type": 7}]
    event = InboundChat.from_captivate({**PAYLOAD, "files": files}, persona="ava", target="@l")
    assert len(event.attachments) == 1


def test_several_images_become_one_event_each_in_order():
    files = [image(f"https://x/{number}.jpg") for number in range(3)]
    event = InboundChat.from_captivate({**PAYLOAD, "files": files}, persona="ava", target="@l", event_id="m1")
    parts = event.one_image_each()
    assert [(part.event_id, part.message, part.attachments[0].url) for part in parts] == [
        ("m1", "hi man", "https://x/0.jpg"),
        ("m1#2", "", "https://x/1.jpg"),
        ("m1#3", "", "https://x/2.jpg"),
    ]


@pytest.mark.parametrize("payload", [None, "x", [], {}, {**PAYLOAD, "session_id": 7}, {**PAYLOAD, "metadata": {}}])
def test_what_is_no_captivate_request_is_refused(payload):
    with pytest.raises(InvalidEvent):
        InboundChat.from_captivate(payload, persona="ava", target="@l")


def test_what_is_nested_too_deeply_is_refused():
    deep = {}
    for _ in range(3000):
        deep = {"a": deep}
    with pytest.raises(InvalidEvent, match="nested more than 100 levels"):
        parse({"kind": "event_trigger", "persona": "ava", "target": "@l", "event_type": "t", "context": deep})


def test_an_id_leaves_room_for_the_ids_of_further_images():
    event = {"kind": "inbound_chat", "persona": "ava", "target": "@l", "attachments": [{"url": "https://x/a.jpg"}] * 2}
    for part in parse({**event, "event_id": "x" * 240}).one_image_each():
        assert parse_json(part.model_dump_json()) == part
    with pytest.raises(InvalidEvent, match="at most 240 characters"):
        parse({**event, "event_id": "x" * 241})


def test_halves_of_emoji_are_repaired():
    event = InboundChat(persona="ava", target="@l", message="a\ud83d\udd25b\ud83dc")
    assert event.message == "a🔥b\ufffdc"
    broken = {**PAYLOAD, "metadata": {"internal": {"channelMetadata": {"custom": {"k\ud83d": "v\udd25"}}}}}
    InboundChat.from_captivate(broken, persona="ava", target="@l").model_dump_json()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(("kind", "persona", "target", "message", "channel"), JSON)) | JSON
)
def test_nothing_but_an_event_or_a_refusal_comes_out(value):
    with contextlib.suppress(InvalidEvent):
        parse(value)


def test_an_event_that_was_accepted_before_there_was_a_bound_stays_one():
    files = [{"url": "https://x/a.jpg", "filename": "n" * 2000}] * 60
    event = {"kind": "inbound_chat", "persona": "ava", "target": "@l", "attachments": files}
    with pytest.raises(InvalidEvent, match="at most 50 attachments"):
        parse(event)
    with pytest.raises(InvalidEvent, match="at most 50 attachments"):
        parse_json(json.dumps(event))
    assert len(parse_json(json.dumps(event), accepted=True).attachments) == 60


def test_a_file_name_that_nobody_can_use_does_not_keep_a_message_out():
    files = [{"type": "image/png", "filename": "x" * 1025, "url": "https://x/a.png"}]
    event = InboundChat.from_captivate({**PAYLOAD, "files": files}, persona="ava", target="@l")
    assert [(each.url, each.filename) for each in event.attachments] == [("https://x/a.png", None)]


def test_ids_of_other_platforms_fit():
    assert parse({"kind": "ai_opener", "persona": "ava", "target": "@l", "event_id": "x" * 256}).event_id == "x" * 256
    with pytest.raises(InvalidEvent, match="event_id"):
        parse({"kind": "ai_opener", "persona": "ava", "target": "@l", "event_id": "x" * 257})


def test_what_has_many_faults_is_told_briefly():
    with pytest.raises(InvalidEvent, match=r"; and \d+ more$"):
        parse({"kind": "ai_opener", **{f"f{number}": 1 for number in range(60)}})
    with pytest.raises(InvalidEvent, match="1002 fields, at most 64"):
        parse({"kind": "ai_opener", "persona": "ava", **{f"f{number}": 1 for number in range(1000)}})
