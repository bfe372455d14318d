"""A result has the documented fields, is frozen, and a field that only explains never costs a reply."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from worker.fluidtalk import ActionResult, BadReply, ChatResult, FluidTalk, UploadResult

CHAT = {
    "reply": "Hey! You?",
    "replies": ["Hey!", "You?"],
    "should_send_photo": True,
    "photo_url": "https://photos.test/1.jpg",
    "session_id": "s-1",
    "ignored": False,
    "ignore_reason": "none",
}
ACTION = {
    "session_id": "s-1",
    "message": "Hey!",
    "ignored": False,
    "ignore_reason": None,
    "continued": True,
    "continued_reason": "conversation_already_active",
}


def test_a_chat_result_has_the_documented_fields(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(200, CHAT)
    assert dataclasses.asdict(fluidtalk.inbound_chat("@lead", "hi")) == CHAT


def test_an_action_result_has_the_documented_fields(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(200, ACTION)
    results = [fluidtalk.ai_opener("@lead"), fluidtalk.event_trigger("@lead", "e"), fluidtalk.follow_up("@lead")]
    assert [dataclasses.asdict(result) for result in results] == [ACTION] * 3


def test_an_upload_result_has_the_documented_field(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(200, {"url": "https://uploads.test/1", "size": 7})
    assert fluidtalk.upload_image(data=b"image") == UploadResult(url="https://uploads.test/1")


@pytest.mark.parametrize(
    ("result", "field"),
    [
        (ChatResult("a", ["a"], False, None, None, False, None), "ignored"),
        (ActionResult("s", "a", False, None), "continued"),
        (UploadResult("https://uploads.test/1"), "url"),
    ],
)
def test_a_result_is_frozen(result: Any, field: str) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(result, field, None)


@pytest.mark.parametrize("missing", CHAT)
def test_a_missing_chat_field_has_its_documented_value(server: Any, fluidtalk: FluidTalk, missing: str) -> None:
    server.answers(200, {name: value for name, value in CHAT.items() if name != missing})
    defaults: dict[str, Any] = {"reply": "", "replies": ["Hey! You?"], "should_send_photo": False, "ignored": False}
    assert dataclasses.asdict(fluidtalk.inbound_chat("@lead", "hi")) == {**CHAT, missing: defaults.get(missing)}


@pytest.mark.parametrize("missing", ACTION)
def test_a_missing_action_field_has_its_documented_value(server: Any, fluidtalk: FluidTalk, missing: str) -> None:
    server.answers(200, {name: value for name, value in ACTION.items() if name != missing})
    defaults: dict[str, Any] = {"message": "", "ignored": False, "continued": False}
    assert dataclasses.asdict(fluidtalk.ai_opener("@lead")) == {**ACTION, missing: defaults.get(missing)}


@pytest.mark.parametrize(
    ("value", "kept"),
    [(7, "7"), (True, "true"), ({"code": "ä"}, '{"code": "ä"}'), (["a"], '["a"]'), (1.5, "1.5")],
)
def test_a_field_that_only_explains_is_kept_as_text(server: Any, fluidtalk: FluidTalk, value: Any, kept: str) -> None:
    server.answers(200, {**CHAT, "session_id": value, "ignore_reason": value})
    chat = fluidtalk.inbound_chat("@lead", "hi")
    server.answers(200, {**ACTION, "session_id": value, "continued_reason": value})
    action = fluidtalk.ai_opener("@lead")
    assert (chat.session_id, chat.ignore_reason) == (kept, kept)
    assert (action.session_id, action.continued_reason) == (kept, kept)
    assert chat.replies == CHAT["replies"]


def test_a_reason_that_json_has_no_text_for_is_dropped(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(200, b'{"reply": "hi", "ignore_reason": NaN}')
    assert fluidtalk.inbound_chat("@lead", "hi").ignore_reason is None


@pytest.mark.parametrize("field", ["reply", "photo_url"])
@pytest.mark.parametrize("value", [7, True, ["a"], {"text": "a"}])
def test_a_chat_text_of_another_type_is_an_error(server: Any, fluidtalk: FluidTalk, field: str, value: Any) -> None:
    server.answers(200, {**CHAT, field: value})
    with pytest.raises(BadReply, match=field):
        fluidtalk.inbound_chat("@lead", "hi")


@pytest.mark.parametrize("value", [7, True, ["a"], {"text": "a"}])
def test_a_message_of_another_type_is_an_error(server: Any, fluidtalk: FluidTalk, value: Any) -> None:
    server.answers(200, {**ACTION, "message": value})
    with pytest.raises(BadReply, match="message"):
        fluidtalk.follow_up("@lead")
