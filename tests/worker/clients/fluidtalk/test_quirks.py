"""The rows F1 to F22 of protocols.md 1.8, each decided as the table says."""

from __future__ import annotations

import json
import socket
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from worker.clients.fluidtalk import (
    BadReply,
    FluidTalk,
    FluidTalkError,
    InvalidCall,
    OutcomeUnknown,
    Rejected,
    Unavailable,
)

KEY = "ft_sk_" + "0123456789"
HALF = "\ud83d"  # the first half of an emoji
REPLACED = "\N{REPLACEMENT CHARACTER}"
IMAGE = {"url": "https://uploads.test/1"}

Call = Callable[[FluidTalk], Any]
EVERY_CALL: dict[str, Call] = {
    "chat": lambda client: client.inbound_chat("@lead", "hi"),
    "opener": lambda client: client.ai_opener("@lead"),
    "event": lambda client: client.event_trigger("@lead", "story_reaction"),
    "follow_up": lambda client: client.follow_up("@lead"),
    "upload": lambda client: client.upload_image(data=b"image"),
}
every_call = pytest.mark.parametrize("call", EVERY_CALL.values(), ids=EVERY_CALL.keys())


@pytest.mark.parametrize("blank", [None, ""])
def test_f1_blank_fields_are_left_out(server: Any, blank: str | None) -> None:
    with FluidTalk(KEY, base_url=server.url) as client:
        client.inbound_chat("@lead", blank, blank, blank, blank)
        client.event_trigger("@lead", "e", {}, blank, blank, blank)
    _, _, event = server.requests[1].partition(b"\r\n\r\n")
    assert server.requests[0].endswith(b"\r\n\r\ntarget=%40lead")
    assert event == b"target=%40lead&action=ENTRY_POINT&entry_type=e"


@pytest.mark.parametrize("target", ["", None])
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda client, target: client.inbound_chat(target, "hi"), id="chat"),
        pytest.param(lambda client, target: client.inbound_chat(target, ""), id="chat-about-nothing"),
        pytest.param(lambda client, target: client.ai_opener(target), id="opener"),
        pytest.param(lambda client, target: client.event_trigger(target, "e"), id="event"),
        pytest.param(lambda client, target: client.follow_up(target), id="follow-up"),
    ],
)
def test_f2_a_call_without_a_target_is_refused(
    server: Any, fluidtalk: FluidTalk, call: Callable[[FluidTalk, Any], object], target: str | None
) -> None:
    with pytest.raises(InvalidCall, match="target"):
        call(fluidtalk, target)
    assert server.requests == []


@pytest.mark.parametrize("event_type", ["", None])
def test_f3_an_event_without_a_type_is_refused(server: Any, fluidtalk: FluidTalk, event_type: Any) -> None:
    with pytest.raises(InvalidCall, match="event_type"):
        fluidtalk.event_trigger("@lead", event_type)
    assert server.requests == []


@pytest.mark.parametrize("message", [" ", "\n", "\t \r\n", "0", "false", "\u00a0"])
def test_f4_a_message_of_blanks_is_sent_as_it_is(server: Any, fluidtalk: FluidTalk, message: str) -> None:
    fluidtalk.inbound_chat("@lead", message)
    assert server.last_form["message"] == message


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda client, path: client.upload_image(data=b""), id="bytes"),
        pytest.param(lambda client, path: client.upload_image(path=path), id="path"),
        pytest.param(lambda client, path: client.upload_image(path=path, data=b""), id="both"),
        pytest.param(lambda client, path: client.inbound_chat("@lead", "look", image_path=path), id="chat"),
    ],
)
def test_f5_an_image_without_bytes_is_refused(
    server: Any, fluidtalk: FluidTalk, tmp_path: Path, call: Callable[[FluidTalk, Path], object]
) -> None:
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(InvalidCall, match="no bytes"):
        call(fluidtalk, tmp_path / "empty.jpg")
    assert server.requests == []


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda client, path: client.upload_image(path=path), id="upload"),
        pytest.param(lambda client, path: client.inbound_chat("@lead", "look", image_path=path), id="chat"),
        pytest.param(lambda client, path: client.ai_opener("@lead", image_path=path), id="opener"),
        pytest.param(lambda client, path: client.event_trigger("@lead", "e", image_path=path), id="event"),
    ],
)
def test_f6_a_missing_file_is_an_error_before_anything_is_sent(
    server: Any, fluidtalk: FluidTalk, tmp_path: Path, call: Callable[[FluidTalk, str], object]
) -> None:
    with pytest.raises(InvalidCall, match="No such file") as caught:
        call(fluidtalk, str(tmp_path / "missing.jpg"))
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    assert server.requests == []


@pytest.mark.parametrize(
    ("broken", "repaired"),
    [
        pytest.param(HALF, REPLACED, id="first-half"),
        pytest.param("\ude00", REPLACED, id="second-half"),
        pytest.param(f"a{HALF}b{HALF}", f"a{REPLACED}b{REPLACED}", id="among-letters"),
        pytest.param(f"{HALF}{HALF}", REPLACED * 2, id="twice-the-first"),
        pytest.param("\ude00\ud83d", REPLACED * 2, id="wrong-order"),
        pytest.param("\ud83d\ude00", "\N{GRINNING FACE}", id="both-halves-apart"),
        pytest.param(f"\N{GRINNING FACE}{HALF}", f"\N{GRINNING FACE}{REPLACED}", id="beside-a-whole-one"),
    ],
)
def test_f7_half_a_character_does_not_cost_the_turn(
    server: Any, fluidtalk: FluidTalk, broken: str, repaired: str
) -> None:
    fluidtalk.event_trigger(f"@{broken}", broken, {broken: [broken, {"in": broken}]}, broken, broken)
    form = server.last_form
    assert json.loads(form.pop("entry_context")) == {repaired: [repaired, {"in": repaired}]}
    assert form == {
        "target": f"@{repaired}",
        "action": "ENTRY_POINT",
        "entry_type": repaired,
        "own_username": repaired,
        "image_url": repaired,
    }


def test_f7_half_a_character_in_a_multipart_message(server: Any, fluidtalk: FluidTalk, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"png")
    fluidtalk.inbound_chat("@lead", f"hi {HALF}", image_path=tmp_path / "a.png")
    assert f"\r\n\r\nhi {REPLACED}\r\n".encode() in server.requests[0]


def test_f7_half_a_character_in_a_file_name(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(200, IMAGE)
    fluidtalk.upload_image(data=b"image", filename=f"{HALF}.png")
    assert f'filename="{REPLACED}.png"'.encode() in server.requests[0]


def self_containing() -> dict[str, Any]:
    context: dict[str, Any] = {}
    context["self"] = context
    return context


def deeply_nested() -> dict[str, Any]:
    context: dict[str, Any] = {}
    for _ in range(100_000):
        context = {"in": context}
    return context


@pytest.mark.parametrize(
    "context",
    [
        pytest.param({"at": object()}, id="object"),
        pytest.param({"raw": b"x"}, id="bytes"),
        pytest.param({"set": {1}}, id="set"),
        pytest.param({("a", "b"): 1}, id="key"),
        pytest.param({"x": float("nan")}, id="nan"),
        pytest.param({"x": float("inf")}, id="infinity"),
        pytest.param(self_containing(), id="circle"),
        pytest.param(deeply_nested(), id="too-deep"),
    ],
)
def test_f7_a_context_that_json_cannot_hold_is_refused(server: Any, fluidtalk: FluidTalk, context: Any) -> None:
    with pytest.raises(InvalidCall, match="context"):
        fluidtalk.event_trigger("@lead", "e", context)
    assert server.requests == []


@pytest.mark.parametrize(
    ("body", "reply", "replies"),
    [
        pytest.param({"reply": None, "replies": None}, "", [], id="both-null"),
        pytest.param({"reply": None, "replies": ["a"]}, "", ["a"], id="reply-null"),
        pytest.param({"reply": "a b", "replies": None}, "a b", ["a b"], id="replies-null"),
        pytest.param({"reply": "", "replies": None}, "", [], id="reply-empty"),
        pytest.param({"reply": "a b", "replies": []}, "a b", ["a b"], id="replies-empty"),
        pytest.param({"reply": "a", "replies": ["", "a", "", " "]}, "a", ["a", " "], id="empty-bubbles-dropped"),
        pytest.param({}, "", [], id="nothing"),
    ],
)
def test_f8_null_texts_are_empty(server: Any, fluidtalk: FluidTalk, body: Any, reply: str, replies: list[str]) -> None:
    server.answers(200, body)
    result = fluidtalk.inbound_chat("@lead", "hi")
    assert (result.reply, result.replies) == (reply, replies)


def test_f8_a_null_message_is_empty(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(200, {"message": None, "session_id": None, "continued": None})
    result = fluidtalk.ai_opener("@lead")
    assert (result.message, result.session_id, result.continued) == ("", None, False)


UNREADABLE = [
    pytest.param(200, b"<html>Welcome</html>", id="html"),
    pytest.param(200, b"", id="empty"),
    pytest.param(204, b"", id="no-content"),
    pytest.param(200, b" \r\n", id="blank"),
    pytest.param(200, [], id="list"),
    pytest.param(200, [{"reply": "hi"}], id="list-of-objects"),
    pytest.param(200, "hi", id="string"),
    pytest.param(200, 1, id="number"),
    pytest.param(200, None, id="null"),
    pytest.param(200, b'{"reply": "hi"', id="half-an-object"),
    pytest.param(200, b"\x1f\x8b\x08\x00compressed", id="compressed"),
    pytest.param(200, b'{"a":' * 100_000, id="too-deep"),
    pytest.param(200, {"detail": "internal error"}, id="object-about-something-else"),
    pytest.param(299, b"ok", id="other-2xx"),
]


@pytest.mark.parametrize(("status", "body"), UNREADABLE)
@every_call
def test_f9_an_answer_that_is_not_the_documented_object_is_an_error(
    server: Any, fluidtalk: FluidTalk, call: Call, status: int, body: Any
) -> None:
    server.answers(status, body)
    with pytest.raises(BadReply) as caught:
        call(fluidtalk)
    assert (caught.value.status, caught.value.acted) == (status, "unknown")
    if isinstance(body, bytes) and status != 204:
        assert caught.value.detail == {"detail": body.decode("utf-8", "replace")}
    assert "internal error" not in str(caught.value)


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_f9_every_2xx_with_the_documented_object_is_a_result(server: Any, fluidtalk: FluidTalk, status: int) -> None:
    server.answers(status, {"reply": "hi", "replies": ["hi"], "unknown": {"field": 1}})
    assert fluidtalk.inbound_chat("@lead", "hi").replies == ["hi"]


FLAGS = [("should_send_photo", "chat"), ("ignored", "chat"), ("ignored", "opener"), ("continued", "event")]


@pytest.mark.parametrize(("flag", "call"), FLAGS)
@pytest.mark.parametrize(
    ("value", "meaning"),
    [
        (True, True),
        (False, False),
        (None, False),
        ("true", True),
        ("false", False),
        ("True", True),
        ("False", False),
        ("TRUE", True),
        (1, True),
        (0, False),
        (1.0, True),
        ("1", True),
        ("no", False),
        (" true", True),
    ],
)
def test_f10_a_flag_means_what_it_says(
    server: Any, fluidtalk: FluidTalk, flag: str, call: str, value: Any, meaning: bool
) -> None:
    server.answers(200, {flag: value})
    assert getattr(EVERY_CALL[call](fluidtalk), flag) is meaning


@pytest.mark.parametrize(("flag", "call"), FLAGS)
@pytest.mark.parametrize("value", [2, -1, 0.5, "", "maybe", [], {}, [True], {"value": False}])
def test_f10_a_flag_that_says_neither_costs_no_text(
    server: Any, fluidtalk: FluidTalk, flag: str, call: str, value: Any
) -> None:
    """Without a text it is an error: it may be why there is none."""
    server.answers(200, {flag: value, "session_id": "s"})
    with pytest.raises(BadReply, match=flag):
        EVERY_CALL[call](fluidtalk)
    server.answers(200, {flag: value, "reply": "hi", "message": "hi"})
    result = EVERY_CALL[call](fluidtalk)
    assert (getattr(result, flag), [part for part, _ in result.left_out]) == (False, [flag])


def test_f11_replies_given_as_a_string_is_one_bubble(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(200, {"reply": "hello you", "replies": "hello you"})
    assert fluidtalk.inbound_chat("@lead", "hi").replies == ["hello you"]


def test_f11_an_empty_string_is_no_bubble(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(200, {"reply": "hello", "replies": ""})
    assert fluidtalk.inbound_chat("@lead", "hi").replies == ["hello"]


@pytest.mark.parametrize(
    ("replies", "bubbles", "left_out"),
    [
        (1, ["1"], []),
        (True, ["whole"], ["replies"]),
        ({"text": "a"}, ["a"], []),
        ({"body": "a"}, ["whole"], ["replies"]),
        (["a", None], ["a"], []),
        (["a", 1], ["a", "1"], []),
        ([["a"]], ["whole"], ["replies.0"]),
        (["a", {"photo": 1}, {"text": "b"}], ["a", "b"], ["replies.1"]),
    ],
)
def test_f11_bubbles_of_another_shape_are_read_or_left_out(
    server: Any, fluidtalk: FluidTalk, replies: Any, bubbles: list[str], left_out: list[str]
) -> None:
    server.answers(200, {"reply": "whole", "replies": replies})
    result = fluidtalk.inbound_chat("@lead", "hi")
    assert (result.replies, [part for part, _ in result.left_out]) == (bubbles, left_out)


def test_f11_an_answer_of_which_nothing_can_be_read_is_an_error(server: Any, fluidtalk: FluidTalk) -> None:
    body = {"reply": True, "replies": [["SECRET"]], "should_send_photo": True, "photo_url": "data:SECRET"}
    server.answers(200, body)
    with pytest.raises(BadReply, match=r"reply: it is true or false.*replies\.0: it is a list.*photo_url") as caught:
        fluidtalk.inbound_chat("@lead", "hi")
    assert "SECRET" not in str(caught.value)
    assert caught.value.detail == body


def test_f12_the_reply_is_the_bubble_when_replies_is_missing(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(200, {"reply": "hello you"})
    assert fluidtalk.inbound_chat("@lead", "hi").replies == ["hello you"]


@pytest.mark.parametrize("body", [{}, {"url": None}, {"url": ""}, {"link": "https://uploads.test/1"}, {"url": ["a"]}])
def test_f13_an_upload_without_an_address_is_an_error(server: Any, fluidtalk: FluidTalk, body: Any) -> None:
    server.answers(200, body)
    with pytest.raises(BadReply, match="url"):
        fluidtalk.upload_image(data=b"image")


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@every_call
def test_f14_a_redirect_is_not_followed(server: Any, fluidtalk: FluidTalk, call: Call, status: int) -> None:
    """Neither the key nor what the lead wrote goes to another host."""
    with socket.create_server(("127.0.0.1", 0)) as other_host:
        other_host.setblocking(False)
        server.answers(status, b"", Location=f"http://127.0.0.1:{other_host.getsockname()[1]}/elsewhere")
        with pytest.raises(Rejected) as caught:
            call(fluidtalk)
        with pytest.raises(BlockingIOError):
            other_host.accept()
    assert (caught.value.status, caught.value.acted) == (status, "unknown")
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308, 399])
def test_f15_a_redirect_to_nowhere_is_an_error(server: Any, fluidtalk: FluidTalk, status: int) -> None:
    server.answers(status, {"reply": "hi", "replies": ["hi"]})
    with pytest.raises(Rejected) as caught:
        fluidtalk.inbound_chat("@lead", "hi")
    assert caught.value.status == status


@pytest.mark.parametrize("blemish", ["\n", "\r\n", "\r", "\0", "\t", " ", "\x7f", "é", HALF])
@pytest.mark.parametrize("place", ["{}{}", "{1}{0}"])
def test_f16_a_key_that_cannot_be_a_header_is_refused_and_not_echoed(blemish: str, place: str) -> None:
    with pytest.raises(InvalidCall, match="api_key") as caught:
        FluidTalk(place.format(KEY, blemish))
    assert KEY not in "".join(traceback.format_exception(caught.value)) + repr(caught.value.detail)


def test_f17_no_connection_is_status_0_and_surely_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with FluidTalk(KEY, base_url=f"http://127.0.0.1:{port}") as client, pytest.raises(Unavailable) as caught:
        client.inbound_chat("@lead", "hi")
    assert (caught.value.status, caught.value.acted, caught.value.retry_after) == (0, "no", None)
    assert caught.value.detail == {"error": "network_error"}


@pytest.mark.parametrize(
    "wire",
    [
        pytest.param(b"", id="closed"),
        pytest.param(b"HTTP/1.1 200 O", id="closed-in-the-head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", id="closed-in-the-body"),
        pytest.param(b"HTTP/1.1 401 No\r\nContent-Length: 50\r\n\r\n{", id="closed-in-a-refusal"),
        pytest.param(b"garbage\r\n\r\n", id="not-http"),
    ],
)
def test_f17_a_broken_answer_is_status_0_and_unknown(server: Any, fluidtalk: FluidTalk, wire: bytes) -> None:
    server.wire = wire
    with pytest.raises(OutcomeUnknown) as caught:
        fluidtalk.inbound_chat("@lead", "hi")
    assert (caught.value.status, caught.value.acted, caught.value.retry_after) == (0, "unknown", None)
    assert caught.value.detail == {"error": "network_error"}


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "application/json", "nonsense"])
def test_f18_answers_are_read_as_utf_8(server: Any, fluidtalk: FluidTalk, content_type: str) -> None:
    server.answers(200, '{"reply": "Grüße 🔥", "replies": ["Grüße 🔥"]}'.encode(), Content_Type=content_type)
    assert fluidtalk.inbound_chat("@lead", "hi").reply == "Grüße 🔥"
    server.answers(502, "Fehler: Überlast".encode(), Content_Type=content_type)
    with pytest.raises(OutcomeUnknown) as caught:
        fluidtalk.inbound_chat("@lead", "hi")
    assert caught.value.detail == {"detail": "Fehler: Überlast"}


def test_f18_one_bad_byte_does_not_cost_the_reply(server: Any, fluidtalk: FluidTalk) -> None:
    server.answers(200, b'{"reply": "caf\xe9", "replies": ["caf\xe9"]}')
    assert fluidtalk.inbound_chat("@lead", "hi").replies == [f"caf{REPLACED}"]


def test_f18_half_a_character_in_an_answer_is_replaced(server: Any, fluidtalk: FluidTalk) -> None:
    """A reply is stored and sent on as UTF-8, which has no halves."""
    server.answers(200, b'{"reply": "a\\ud83d", "replies": ["\\ud83d\\ude00", "a\\ud83d", "\\\\ud83d"]}')
    assert fluidtalk.inbound_chat("@lead", "hi").replies == ["\N{GRINNING FACE}", f"a{REPLACED}", "\\ud83d"]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@every_call
def test_f21_one_call_is_one_request(server: Any, fluidtalk: FluidTalk, call: Call, status: int) -> None:
    server.answers(status, {}, Retry_After="0")
    with pytest.raises(FluidTalkError):
        call(fluidtalk)
    assert len(server.requests) == 1


@every_call
def test_f21_a_dropped_connection_is_not_tried_again(server: Any, fluidtalk: FluidTalk, call: Call) -> None:
    server.wire = b""
    with pytest.raises(OutcomeUnknown):
        call(fluidtalk)
    assert len(server.requests) == 1


@pytest.mark.parametrize("key", ["", None])
def test_f22_an_empty_key_is_refused_at_construction(key: Any) -> None:
    with pytest.raises(ValueError, match="api_key is empty"):
        FluidTalk(key)
