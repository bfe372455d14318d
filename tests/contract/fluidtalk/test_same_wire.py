"""A call made with the published client and with ours puts the same thing on the wire and reads the same answer."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fluidtalk as published
import pytest

import worker.clients.fluidtalk as ours
from worker.clients.http.connections import Connections

KEY = "ft_sk_0123456789"

Call = Callable[[Any], Any]

TEXTS = {
    "plain": "hey, saw your post!",
    "unicode": "Grüße, 你好, שלום, 👩‍👩‍👧‍👦",
    "combining": "e\u0301 \u200d \ufeff",
    "blanks": "  two  blanks\tand a tab ",
    "line-breaks": "one\ntwo\r\nthree\rfour",
    "only-blanks": " ",
    "zero": "0",
    "false": "false",
    "form-letters": "a=b&c=d;e+f%20g#h?i",
    "quotes": "\"double\" 'single' `back` \\slash\\",
    "null-byte": "a\0b",
    "looks-like-a-part": '\r\n--boundary\r\nContent-Disposition: form-data; name="target"\r\n\r\n@other',
    "long": "x" * 100_000,
}
CONTEXTS: dict[str, Any] = {
    "none": None,
    "empty": {},
    "flat": {"reaction": "🔥"},
    "nested": {"post": {"id": 7, "tags": ["a", "b"], "likes": 1.5}},
    "falsy-inside": {"zero": 0, "no": False, "null": None, "text": "", "list": [], "object": {}},
    "escapes": {'"quoted"': "line\nbreak \\ \u2028 <>&"},
    "number-keys": {1: "one", None: "none", False: "false", 2.5: "two and a half"},
    "big-number": {"n": 10**30},
    "tuple": {"pair": (1, 2)},
}
BLANKS: dict[str, Any] = {"none": None, "empty": "", "given": "@given", "only-blanks": " ", "zero": "0"}


def chat(*arguments: Any, **named: Any) -> Call:
    return lambda client: client.inbound_chat(*arguments, **named)


def opener(*arguments: Any, **named: Any) -> Call:
    return lambda client: client.ai_opener(*arguments, **named)


def event(*arguments: Any, **named: Any) -> Call:
    return lambda client: client.event_trigger(*arguments, **named)


def follow_up(*arguments: Any, **named: Any) -> Call:
    return lambda client: client.follow_up(*arguments, **named)


CALLS: dict[str, Call] = {
    "chat": chat("@john_doe", "hey, saw your post!"),
    "chat by names": chat(message="hi", target="@lead"),
    "chat by position": chat("@lead", "hi", "@account", "https://photos.test/1.jpg"),
    "chat without message": chat("@lead", None),
    "chat with empty message": chat("@lead", ""),
    "opener": opener("@lead"),
    "opener by position": opener("@lead", "@account", "https://photos.test/1.jpg"),
    "event": event("@lead", "story_reaction"),
    "event by position": event("@lead", "e", {"a": 1}, "@account", "https://photos.test/1.jpg"),
    "event by names": event(context={"a": 1}, event_type="e", target="@lead"),
    "follow-up": follow_up("@lead"),
    "follow-up by position": follow_up("@lead", "@account"),
    **{f"chat message {name}": chat("@lead", text) for name, text in TEXTS.items()},
    **{f"chat target {name}": chat(text, "hi") for name, text in TEXTS.items()},
    **{f"opener target {name}": opener(text) for name, text in TEXTS.items()},
    **{f"event type {name}": event("@lead", text) for name, text in TEXTS.items()},
    **{f"event context {name}": event("@lead", "e", context) for name, context in CONTEXTS.items()},
    **{f"event context text {name}": event("@lead", "e", {text: text}) for name, text in TEXTS.items()},
    **{f"event context {value!r}": event("@lead", "e", value) for value in ([], "", 0, False)},
    **{f"chat account {name}": chat("@lead", "hi", own_username=value) for name, value in BLANKS.items()},
    **{f"opener account {name}": opener("@lead", own_username=value) for name, value in BLANKS.items()},
    **{f"event account {name}": event("@lead", "e", own_username=value) for name, value in BLANKS.items()},
    **{f"follow-up account {name}": follow_up("@lead", own_username=value) for name, value in BLANKS.items()},
    **{f"chat image {name}": chat("@lead", "hi", image_url=value) for name, value in BLANKS.items()},
    **{f"opener image {name}": opener("@lead", image_url=value) for name, value in BLANKS.items()},
    **{f"event image {name}": event("@lead", "e", image_url=value) for name, value in BLANKS.items()},
    **{f"chat image path {value!r}": chat("@lead", "hi", image_path=value) for value in (None, "")},
}

FILE_NAMES = [
    "profile.jpg",
    "photo.png",
    "no-extension",
    ".hidden",
    "two words.jpg",
    'with "quotes".jpg',
    "with 'single'.jpg",
    "percent%22.jpg",
    "semi;colon=.jpg",
    "Grüße 你好 🔥.jpg",
    "data:image.png",
    " .jpg",
]
BYTES = b"\x89PNG\r\n\x1a\n\0\xff--\r\nbytes"


@dataclasses.dataclass
class Both:
    """The two clients, talking to the same recorder."""

    recorder: Any
    connections: Connections

    def wire_of(self, call: Call, **options: Any) -> Any:
        """What both put on the wire, which is the same; ``options`` go to both constructors."""
        options = {"own_username": "@our_account", **options}
        with ours.FluidTalk(KEY, base_url=self.recorder.url, connections=self.connections, **options) as client:
            call(client)
        call(published.FluidTalk(KEY, base_url=self.recorder.url, **options))
        mine, theirs = self.recorder.requests[-2:]
        assert len(self.recorder.requests) == 2
        assert mine == theirs
        return mine


@pytest.fixture(scope="module")
def connections() -> Iterator[Connections]:
    """One for all calls: each would read the certificates of the machine again."""
    with contextlib.closing(Connections()) as shared:
        yield shared


@pytest.fixture
def both(recorder: Any, connections: Connections) -> Both:
    return Both(recorder, connections)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_form_is_the_same(both: Both, call: Call) -> None:
    wire = both.wire_of(call)
    assert (wire.method, wire.key, wire.encoding) == ("POST", KEY, "application/x-www-form-urlencoded")


# Where the account of a client is not the one above: each kind of call, with and without an account of its own.
OF_AN_ACCOUNT = {name: call for name, call in CALLS.items() if " account " in name or " " not in name}


@pytest.mark.parametrize("account", [None, "", " "])
@pytest.mark.parametrize("call", OF_AN_ACCOUNT.values(), ids=OF_AN_ACCOUNT.keys())
def test_a_form_of_another_account_is_the_same(both: Both, call: Call, account: str | None) -> None:
    both.wire_of(call, own_username=account)


def test_the_recorder_reads_what_was_said(both: Both) -> None:
    """A guard: two equal wires prove nothing if the recorder loses half of them."""
    wire = both.wire_of(event("@lead", "story_reaction", {"reaction": "🔥"}, image_url="https://photos.test/1.jpg"))
    assert (wire.path, wire.files) == ("/api/v1/bot/action", [])
    assert wire.fields == [
        ("target", "@lead"),
        ("action", "ENTRY_POINT"),
        ("entry_type", "story_reaction"),
        ("entry_context", {"reaction": "🔥"}),
        ("own_username", "@our_account"),
        ("image_url", "https://photos.test/1.jpg"),
    ]


@pytest.mark.parametrize("suffix", ["", "/", "//", "/gateway", "/gate/way//", "/Grüße", "/a%20b"])
def test_the_address_is_put_together_the_same_way(recorder: Any, suffix: str) -> None:
    with ours.FluidTalk(KEY, base_url=recorder.url + suffix) as client:
        client.upload_image(data=BYTES)
    published.FluidTalk(KEY, base_url=recorder.url + suffix).upload_image(data=BYTES)
    mine, theirs = recorder.requests
    assert mine == theirs


@pytest.mark.parametrize("name", FILE_NAMES)
@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda client, path: client.inbound_chat("@lead", "hi", image_path=path), id="chat"),
        pytest.param(lambda client, path: client.inbound_chat("@lead", "", None, None, path), id="chat-by-position"),
        pytest.param(
            lambda client, path: client.inbound_chat("@lead", "x", None, "https://u.test", path), id="and-url"
        ),
        pytest.param(lambda client, path: client.ai_opener("@lead", image_path=path), id="opener"),
        pytest.param(lambda client, path: client.ai_opener("@lead", "@a", "https://u.test", path), id="opener-and-url"),
        pytest.param(lambda client, path: client.event_trigger("@lead", "e", {"a": "ä"}, image_path=path), id="event"),
        pytest.param(lambda client, path: client.upload_image(path), id="upload"),
        pytest.param(lambda client, path: client.upload_image(path=path, filename=""), id="upload-blank-name"),
        pytest.param(lambda client, path: client.upload_image(path=path, filename="own.png"), id="upload-own-name"),
        pytest.param(lambda client, path: client.upload_image(path, b"other"), id="upload-bytes-win"),
        pytest.param(lambda client, path: client.upload_image(path, b"other", "own.png"), id="upload-all-three"),
    ],
)
def test_a_file_is_the_same(both: Both, tmp_path: Path, call: Callable[[Any, str], Any], name: str) -> None:
    (tmp_path / name).write_bytes(BYTES)
    wire = both.wire_of(lambda client: call(client, str(tmp_path / name)))
    assert (wire.method, wire.key, wire.encoding) == ("POST", KEY, "multipart/form-data")
    assert [part for part, _, _ in wire.files] == ["file"]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_texts_beside_a_file_are_the_same(both: Both, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.jpg").write_bytes(BYTES)
    path = str(tmp_path / "a.jpg")
    wire = both.wire_of(event(text, text, {"in": text}, own_username=text, image_url=text, image_path=path))
    assert wire.files == [("file", "a.jpg", BYTES)]
    assert dict(wire.fields)["entry_context"] == {"in": text}


@pytest.mark.parametrize("filename", [*FILE_NAMES, None, "", "line\r\nbreak.jpg", "folder/name.jpg"])
@pytest.mark.parametrize("data", [BYTES, b"\0", b"\r\n", bytes(1_000_000)], ids=["png", "zero", "line-break", "large"])
def test_an_upload_of_bytes_is_the_same(both: Both, data: bytes, filename: str | None) -> None:
    wire = both.wire_of(lambda client: client.upload_image(data=data, filename=filename))
    assert (wire.path, wire.fields) == ("/api/v1/bot/upload", [])
    assert [content for _, _, content in wire.files] == [data]


def test_a_path_beside_bytes_is_not_opened(both: Both) -> None:
    wire = both.wire_of(lambda client: client.upload_image(path="/there/is/none.png", data=BYTES))
    assert wire.files == [("file", "image.jpg", BYTES)]


# Results

CHAT_BODIES: list[dict[str, Any]] = [
    {},
    {"reply": "Hey! You?", "replies": ["Hey!", "You?"], "session_id": "s-1"},
    {"reply": "a", "replies": ["a"], "should_send_photo": True, "photo_url": "https://p.test/1", "session_id": "s"},
    {"reply": "a", "replies": ["a"], "should_send_photo": True, "photo_url": None},
    {"reply": "a", "replies": ["a"], "should_send_photo": False, "photo_url": ""},
    {"reply": "", "replies": [], "ignored": True, "ignore_reason": "owned by another account"},
    {"reply": "", "replies": [], "ignored": None, "should_send_photo": None, "ignore_reason": None},
    {"reply": "Grüße 🔥\n", "replies": [" ", "Grüße 🔥\n"], "session_id": "", "more": {"unknown": [1]}},
]
ACTION_BODIES: list[dict[str, Any]] = [
    {},
    {"session_id": "s-1", "message": "Saw you like hiking"},
    {"session_id": "s-1", "message": "", "continued": True, "continued_reason": "conversation_already_active"},
    {"session_id": "s-1", "message": "thanks 🔥", "continued": True, "continued_reason": None},
    {"message": "", "ignored": True, "ignore_reason": "owned by another account"},
    {"message": "a", "ignored": False, "continued": None, "unknown": 1},
]
RESULTS: list[tuple[Call, dict[str, Any]]] = [
    *((chat("@lead", "hi"), body) for body in CHAT_BODIES),
    *((call, body) for call in (opener("@lead"), event("@lead", "e"), follow_up("@lead")) for body in ACTION_BODIES),
    (lambda client: client.upload_image(data=BYTES), {"url": "https://uploads.test/1"}),
    (lambda client: client.upload_image(data=BYTES), {"url": "https://uploads.test/1", "id": 7}),
]


@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize(("call", "body"), RESULTS)
def test_a_documented_answer_reads_the_same(recorder: Any, call: Call, body: dict[str, Any], status: int) -> None:
    recorder.will_answer(status, body)
    recorder.will_answer(status, body)
    with ours.FluidTalk(KEY, base_url=recorder.url) as client:
        mine = call(client)
    theirs = call(published.FluidTalk(KEY, base_url=recorder.url))
    assert dataclasses.asdict(mine) == dataclasses.asdict(theirs)
    assert type(mine).__name__ == type(theirs).__name__


def test_results_are_built_by_position_in_the_same_order() -> None:
    for name in ("ChatResult", "ActionResult", "UploadResult"):
        mine, theirs = getattr(ours, name), getattr(published, name)
        assert [(field.name, field.default) for field in dataclasses.fields(mine)] == [
            (field.name, field.default) for field in dataclasses.fields(theirs)
        ]


# Errors

ERROR_BODIES: list[Any] = [
    {"detail": "This session is DONE"},
    {"detail": [{"loc": ["body", "target"], "msg": "field required"}]},
    {"error": "none of the documented"},
    {},
    [],
    ["a"],
    "text",
    None,
    b"",
    b"plain text",
    b"<html></html>",
]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 409, 413, 415, 422, 425, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("body", ERROR_BODIES, ids=str)
def test_an_error_has_the_same_status_and_detail(recorder: Any, status: int, body: Any) -> None:
    recorder.will_answer(status, body)
    recorder.will_answer(status, body)
    with ours.FluidTalk(KEY, base_url=recorder.url) as client, pytest.raises(ours.FluidTalkError) as mine:
        client.inbound_chat("@lead", "hi")
    with pytest.raises(published.FluidTalkError) as theirs:
        published.FluidTalk(KEY, base_url=recorder.url).inbound_chat("@lead", "hi")
    assert (mine.value.status, mine.value.detail) == (theirs.value.status, theirs.value.detail)


def test_no_answer_has_the_same_status_and_detail() -> None:
    address = "http://127.0.0.1:1"
    with ours.FluidTalk(KEY, base_url=address) as client, pytest.raises(ours.FluidTalkError) as mine:
        client.inbound_chat("@lead", "hi")
    with pytest.raises(published.FluidTalkError) as theirs:
        published.FluidTalk(KEY, base_url=address).inbound_chat("@lead", "hi")
    assert (mine.value.status, mine.value.detail) == (theirs.value.status, theirs.value.detail)
