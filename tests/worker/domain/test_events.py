"""What producers enqueue."""

from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.worker.unusable_links import UNUSABLE_LINKS
from worker.clients.values.odd_values import LeftOut
from worker.domain.event_parts import told
from worker.domain.events import (
    AiOpener,
    ChannelContext,
    EventTrigger,
    FollowUp,
    InboundChat,
    PulledFollowUp,
    parse,
    parse_json,
)
from worker.domain.refusals import InvalidEvent


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
        ({"kind": "ai_opener", "persona": "ava", "target": "@l", "channel": "SECRET"}, "channel"),
        ({"kind": "ai_opener", "persona": "ava", "target": "@l", "event_id": 7}, "event_id"),
        ({"kind": "ai_opener", "persona": "ava", "target": 7}, "target"),
        ({"kind": "inbound_chat", "persona": "ava", "target": "@l", "message": "x", "attachments": "SECRET"}, "attach"),
        (
            {"kind": "inbound_chat", "persona": "ava", "target": "@l", "image_url": "/SECRET"},
            "nothing to answer (left out: image_url: its link is relative)",
        ),
        ({"kind": "ai_opener", "persona": "ava", "target": "@l", "mesage": "SECRET"}, "mesage"),
        ({"kind": "follow_up", "persona": "ava", "target": "@l", "image_url": "https://x"}, "image_url"),
        ({"kind": "event_trigger", "persona": "ava", "target": "@l", "event_type": ""}, "event_type"),
        ({"kind": "ai_opener", "persona": "ava", "target": "@l", "event_id": "has space"}, "event_id"),
        ({"kind": "ai_opener", "persona": "ava", "target": "@l", "channel": {"session_id": "SECRET"}}, "metadata"),
    ],
)
def test_what_is_no_event_is_refused_by_field_never_by_value(value, named):
    with pytest.raises(InvalidEvent) as caught:
        parse(value)
    assert named in str(caught.value)
    assert "SECRET" not in str(caught.value)


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


@pytest.mark.parametrize(("link", "reason"), UNUSABLE_LINKS.values(), ids=UNUSABLE_LINKS)
def test_a_link_that_cannot_be_used_does_not_cost_the_words(link, reason):
    chat = {"kind": "inbound_chat", "persona": "ava", "target": "@l", "message": "hi", "image_url": link}
    if link is not None:
        assert parse(chat).left_out == (("image_url", reason),)
        if "\ud83d" not in str(link):
            assert parse_json(json.dumps(chat)).left_out == (("image_url", reason),)
    assert parse(chat).image_url is None
    assert parse({"kind": "ai_opener", "persona": "ava", "target": "@l", "image_url": link}).image_url is None


ODD = [None, True, 7, 1.5, math.nan, 10**400, "", "x" * 9000, "\ud83d\x00", [], {}, ["a"], {"a": [None]}, [[[]]]]


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_no_odd_part_of_a_channel_costs_the_words(odd):
    chat = {"kind": "inbound_chat", "persona": "ava", "target": "@l", "message": "hi"}
    for metadata in (odd, {"internal": odd}, {"internal": {"channelMetadata": odd}}, {"custom": {"SECRET": odd}}):
        event = parse({**chat, "channel": {"session_id": "s", "metadata": metadata, "hasLivechat": odd}})
        assert event.message == "hi"
        assert "SECRET" not in told(event.left_out)


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize("field", ["image_url", "traceparent"])
def test_no_odd_optional_field_costs_the_words(field, odd):
    chat = {"kind": "inbound_chat", "persona": "ava", "target": "@l", "message": "hi", "event_id": "m1"}
    assert parse({**chat, field: odd}).message == "hi"
    assert parse({**chat, "attachments": [{"url": odd}, {"url": "https://x/a", "filename": odd}, None]}).message == "hi"


def test_null_is_nothing_and_a_number_is_its_digits():
    fields = dict.fromkeys(("channel", "own_username", "image_url", "attachments", "traceparent"))
    event = parse({"kind": "inbound_chat", "persona": "ava", "target": "@l", "message": 42, **fields})
    assert (event.message, event.left_out) == ("42", ())
    trigger = {"kind": "event_trigger", "persona": "ava", "target": "@l", "event_type": "t", "context": None}
    assert parse(trigger).context == {}


def test_ids_of_other_platforms_fit():
    assert parse({"kind": "ai_opener", "persona": "ava", "target": "@l", "event_id": "x" * 256}).event_id == "x" * 256
    with pytest.raises(InvalidEvent, match="event_id"):
        parse({"kind": "ai_opener", "persona": "ava", "target": "@l", "event_id": "x" * 257})


def test_what_has_many_faults_is_told_briefly():
    with pytest.raises(InvalidEvent, match=r"; and \d+ more$"):
        parse({"kind": "ai_opener", **{f"f{number}": 1 for number in range(60)}})
    with pytest.raises(InvalidEvent, match="1002 fields, at most 64"):
        parse({"kind": "ai_opener", "persona": "ava", **{f"f{number}": 1 for number in range(1000)}})


def test_an_image_of_its_own_and_attachments_are_refused():
    with pytest.raises(InvalidEvent, match="give image_url or attachments, not both"):
        parse({"kind": "inbound_chat", "persona": "ava", "target": "@l", "image_url": "https://a.test/1.png",
               "attachments": [{"url": "https://a.test/2.png"}]})  # fmt: skip


def test_an_empty_username_is_none():
    event = {"kind": "inbound_chat", "persona": "ava", "target": "@l", "message": "hi", "own_username": ""}
    assert parse(event).own_username is None


def test_much_that_was_left_out_is_told_in_one_line():
    line = told([LeftOut(f"part {number}", "it is no text") for number in range(13)])
    assert line.endswith("; and 3 more")
    assert "part 9" in line
    assert "part 10" not in line


@pytest.mark.parametrize(("part", "missing"), [({"session_id": "s"}, "metadata"), ({"metadata": {}}, "session_id")])
def test_a_channel_without_a_part_is_refused_by_its_field(part, missing):
    with pytest.raises(InvalidEvent, match=rf"channel\.{missing}"):
        parse({"kind": "ai_opener", "persona": "ava", "target": "@l", "channel": part})


def test_a_follow_up_that_was_pulled_has_one_id_for_its_name_and_none_for_a_lead_who_cannot_be():
    one = PulledFollowUp.of("cleo", "instagram/mark", "fu_1", ["hi"])
    same = PulledFollowUp.of("cleo", "instagram/mark", "fu_1", ["hi"])
    other = PulledFollowUp.of("cleo", "instagram/mark", "fu_2", ["hi"])
    assert one.event_id == same.event_id != other.event_id
    assert PulledFollowUp.of("cleo", "", "fu_1", ["hi"]) is None
    assert PulledFollowUp.of("cleo", "instagram/" + "m" * 5000, "fu_1", ["hi"]) is None


@pytest.mark.parametrize(("filename", "reason"), [("n" * 2000, "it is longer than"), (7, "it is a number, not a text")])
def test_a_file_name_that_cannot_be_used_is_left_out_and_named_once(filename, reason):
    files = [{"url": "https://x/a.jpg", "filename": filename}, {"url": "https://x/b.jpg"}]
    event = parse({"kind": "inbound_chat", "persona": "ava", "target": "@l", "message": "hi", "attachments": files})
    assert [attachment.filename for attachment in event.attachments] == [None, None]
    ((part, why),) = event.left_out
    assert (part, why.startswith(reason)) == ("attachments.0.filename", True)
    assert [len(each.left_out) for each in event.one_image_each()] == [1, 0], "the further image does not say it again"


def test_a_channel_that_is_wrong_shows_nothing_of_itself_in_the_error():
    with pytest.raises(ValidationError) as caught:
        ChannelContext(session_id={"PLANTED": "PLANTED"}, metadata={})
    assert "PLANTED" not in str(caught.value)
