"""Ids that Parley makes itself, and that no producer can send."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from worker.domain import event_ids, events
from worker.domain.events import AiOpener, InboundChat
from worker.domain.refusals import InvalidEvent

OURS = [
    event_ids.of_follow_up(2, 0, 1_750_000_000_000),
    event_ids.instead_of("m#2", "m"),
    event_ids.instead_of("m#2", ""),
    event_ids.instead_of("m#replay", "replay m"),
    "m-refused-0123456789ab",
]


@pytest.mark.parametrize(
    ("text", "can_be"), [("a", True), ("~" * 256, True), ("", False), ("a b", False), ("a\n", False), ("\u00e9", False)]
)
def test_what_can_be_an_id_is_what_an_event_takes(text, can_be):
    assert event_ids.is_one(text) is can_be
    event = {"kind": "ai_opener", "event_id": text, "persona": "ava", "target": "@lead"}
    try:
        assert events.parse(event).event_id == text
    except InvalidEvent:
        assert not can_be
    else:
        assert can_be


@pytest.mark.parametrize("event_id", OURS)
def test_an_id_of_ours_is_refused_at_the_door_and_read_back_from_the_store(event_id, channel):
    event = {"kind": "ai_opener", "event_id": event_id, "persona": "ava", "target": "@lead", "channel": channel}
    with pytest.raises(InvalidEvent, match="event_id: Parley gives this id") as caught:
        events.parse(event)
    assert event_id not in str(caught.value)
    with pytest.raises(ValidationError, match="Parley gives this id"):
        AiOpener(event_id=event_id, persona="ava", target="@lead")
    stored = AiOpener(persona="ava", target="@lead").model_copy(update={"event_id": event_id}).model_dump_json()
    assert events.parse_json(stored, accepted=True).event_id == event_id


@pytest.mark.parametrize(
    "event_id",
    [
        "m#2", "m#replay", "follow-up-2-0", "a~0123456789abcdef", "~", "#2", "x-refused-y", "-refused-0123456789ab",
        "9b2c7ee8-4f4e-4b0f-9d7b-0a1b2c3d4e5f",
    ],
)  # fmt: skip
def test_what_only_looks_like_one_is_a_producer_s_own(event_id):
    assert InboundChat(event_id=event_id, persona="ava", target="@lead", message="hi").event_id == event_id


def test_a_follow_up_has_the_same_id_in_every_process_and_another_for_each_plan():
    ids = [
        event_ids.of_follow_up(*touch)
        for touch in [(1, 0, 5), (1, 0, 5), (2, 0, 5), (1, 1, 5), (1, 0, 6), (11, 0, 5), (1, 10, 5)]
    ]
    assert len(set(ids)) == 6


def test_only_ids_that_can_be_another_event_s_have_a_second_one():
    assert [event_ids.instead_of(event_id, "") for event_id in ("m", "#2", "m#", "m#2x", "m2")] == [""] * 5
    assert event_ids.instead_of("m#2", "") != event_ids.instead_of("m#2", "m")


def test_the_ids_of_another_event_in_place_of_this_one_are_those_of_every_release():
    """A store can hold some that an older release has made."""
    assert [event_ids.instead_of("m#2", source) for source in ("m", "")] == [
        "m#2#derived~39f5d430c93c439b",
        "m#2#own~e77f967a02ec0646",
    ]
