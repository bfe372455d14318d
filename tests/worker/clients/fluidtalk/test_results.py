"""A result has the documented fields, is frozen, and a field that only explains never costs a reply."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from worker.clients.fluidtalk import ActionResult, BadReply, ChatResult, FluidTalk, UploadResult

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


ODD = [True, ["a", 1], {"text": "a"}, {"body": "a"}, 7, float("nan"), 10**400, "", None, [], [[[]]]]


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("field", [field for field in CHAT if field not in ("replies", "ignored")])
def test_no_other_field_of_a_chat_costs_its_bubbles(server: Any, fluidtalk: FluidTalk, field: str, value: Any) -> None:
    server.answers(200, {**CHAT, field: value})
    chat = fluidtalk.inbound_chat("@lead", "hi")
    assert (chat.replies, chat.ignored) == (CHAT["replies"], False)
    assert {part.partition(".")[0] for part, _ in chat.left_out} <= {field}


@pytest.mark.parametrize("value", ODD)
@pytest.mark.parametrize("field", [field for field in ACTION if field not in ("message", "ignored")])
def test_no_other_field_of_an_action_costs_its_message(
    server: Any, fluidtalk: FluidTalk, field: str, value: Any
) -> None:
    server.answers(200, {**ACTION, field: value})
    action = fluidtalk.ai_opener("@lead")
    assert (action.message, action.ignored) == ("Hey!", False)


@pytest.mark.parametrize(
    ("value", "message"),
    [(7, "7"), (["a", "b"], "a\nb"), ({"text": "a"}, "a"), (1.5, "1.5"), ([{"text": "a"}, 2], "a\n2")],
)
def test_a_message_of_another_shape_is_read(server: Any, fluidtalk: FluidTalk, value: Any, message: str) -> None:
    server.answers(200, {**ACTION, "message": value})
    assert fluidtalk.follow_up("@lead").message == message
    server.answers(200, {"reply": value})
    assert "\n".join(fluidtalk.inbound_chat("@lead", "hi").replies) == message


@pytest.mark.parametrize("value", [True, {"body": "a"}, [["a"]], float("inf")])
def test_a_message_that_cannot_be_read_is_an_error(server: Any, fluidtalk: FluidTalk, value: Any) -> None:
    server.answers(200, {**ACTION, "message": value})
    with pytest.raises(BadReply, match="message"):
        fluidtalk.follow_up("@lead")


def test_a_number_of_any_length_costs_no_reply(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(200, b'{"reply": "hi", "replies": ["h\\u0069"], "session_id": ' + b"9" * 10_000 + b"}")
    assert fluidtalk.inbound_chat("@lead", "hi").replies == ["hi"]


@pytest.mark.parametrize(
    ("link", "read"),
    [
        ("HTTPS://photos.test/a b.jpg", "https://photos.test/a%20b.jpg"),
        ("", ""),
        ("/a.jpg", None),
        ("data:image/png;base64,AAAA", None),
        ("https://photos.test/" + "a" * 9000, None),
    ],
)
def test_the_link_of_a_photo_is_mended_or_left_out(
    server: Any, fluidtalk: FluidTalk, link: str, read: str | None
) -> None:
    server.answers(200, {**CHAT, "photo_url": link})
    chat = fluidtalk.inbound_chat("@lead", "hi")
    assert (chat.photo_url, chat.replies) == (read, CHAT["replies"])
    assert [part for part, _ in chat.left_out] == (["photo_url"] if read is None else [])
