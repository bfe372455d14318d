"""A call made with the published client 2.8.2 and with ours puts the same on the wire and reads the same answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

import worker.clients.fluidtalk as ours
from worker.clients.http.connections import Connections

TOKEN = "ftc_live_0123456789"
BYTES = b"\x89PNG\r\n\x1a\n\0\xff"
LEAD = {"platform": "instagram", "handle": "mark"}
TEXTS = {
    "plain": "hey ava",
    "empty": "",
    "unicode": "Grüße, 你好, שלום, 👩‍👩‍👧‍👦",
    "line-breaks": "one\ntwo\r\nthree",
    "quotes": "\"double\" 'single' \\slash\\",
    "null-byte": "a\0b",
    "separators": "\u2028 a ||| b",
    "long": "x" * 100_000,
}
VALUES: dict[str, Any] = {"none": None, "empty": "", "zero": 0, "false": False, "object": {}, "list": [], "text": "ü"}

Call = Callable[[Any], Any]


def call(name: str, *arguments: Any, **named: Any) -> Call:
    """``followups.ack`` and so on: the same for both clients."""

    def made(client: Any) -> Any:
        for part in name.split("."):
            client = getattr(client, part)
        return client(*arguments, **named)

    return made


def trigger(**named: Any) -> Call:
    return call("trigger", **{**LEAD, "event_id": "story_reaction", "external_event_id": "e-1", **named})


def event(**named: Any) -> Call:
    return call("event", **{**LEAD, "external_event_id": "e-1", **named})


POST = {"platform": "instagram", "post_ref": "p1"}
REPLY = {**POST, "replier_handle": "mark"}
THREAD = [{"comment_ref": "c1", "author_handle": "a", "text": "hi", "depth": 0}]
CALLS: dict[str, Call] = {
    "chat": call("chat", **LEAD),
    "chat with all": call(
        "chat", **LEAD, message="hi", image_url="https://i.test/1", session_id="s", own_username="@me"
    ),
    **{f"chat message {name}": call("chat", **LEAD, message=text) for name, text in TEXTS.items()},
    **{f"chat handle {name}": call("chat", platform="x", handle=text) for name, text in TEXTS.items() if text},
    **{f"chat image {name}": call("chat", **LEAD, image_url=value) for name, value in VALUES.items()},
    **{f"chat account {name}": call("chat", **LEAD, own_username=value) for name, value in VALUES.items()},
    "trigger": trigger(),
    "trigger outreach": trigger(event_id="outreach", image_url="https://i.test/1", own_username="@me", raw={"a": 1}),
    **{f"trigger context {name}": trigger(context=value) for name, value in VALUES.items()},
    "trigger context deep": trigger(context={"post": {"tags": ["a", 1.5, None, True]}, "n": 10**30}),
    **{f"trigger raw {name}": trigger(raw=value) for name, value in VALUES.items()},
    "event": event(),
    "event refund": event(event_type="refund", amount=12.5, currency="EUR", raw={"id": 7}),
    **{f"event amount {value!r}": event(amount=value) for value in (None, 0, 0.0, 12, 1e21, 0.1)},
    "event without type": event(event_type=None),
    "followups": call("followups.list", platform="instagram"),
    "followups with all": call("followups.list", platform="a b&c", own_username="@m=e", limit=7),
    "followups limit 0": call("followups.list", platform="x", limit=0),
    "ack by position": call("followups.ack", "fu_1"),
    "ack by name": call("followups.ack", followup_id="fu-2"),
    "ack a number": call("followups.ack", 7),
    "self test": call("self_test"),
    "self test of a platform": call("self_test", platform="whats app"),
    "inbound media": call("inbound_media", platform="x", data=BYTES),
    "inbound media with all": call(
        "inbound_media", platform="x", data=BYTES, filename="ü.png", content_type="image/png"
    ),
    "comment": call("comment", **POST),
    "comment with all": call(
        "comment", **POST, caption="c", image_urls=["https://i.test/1"], author_handle="a", max_chars=20
    ),
    "comment reply": call("comment_reply", **REPLY),
    "comment reply with all": call(
        "comment_reply", **REPLY, reply_text="t", parent_comment_ref="c", post={"caption": "x"}, max_chars=99
    ),
    "engage": call("comment_engage", **POST, thread=THREAD),
    "engage with all": call("comment_engage", **POST, thread=THREAD, post={}, target_comment_ref="c1", max_chars=20),
    "comment media": call("comment_media", **POST, data=BYTES, filename="a.png", content_type="image/png"),
    "post": call("post", platform="reddit", community={"ref": "r/running"}),
    "post with all": call(
        "post",
        platform="reddit",
        community={"ref": "r/running", "rules": ["a"]},
        posts={"new": []},
        top_comments=[{"post_title": "t", "comments": [{"text": "x"}]}],
        format={"max": 3},
        asset_url="https://i.test/1",
        brief="b",
        mode="auto",
        reuse_analysis=False,
        always_draft=True,
        thresholds={"min_novelty": 75},
        timeout=None,
    ),
    "post with an empty asset": call("post", platform="reddit", community={}, asset_url=""),
    "post media": call("post_media", platform="reddit", community_ref="r/running", data=BYTES),
}


@pytest.fixture(scope="module")
def connections() -> Iterator[Connections]:
    with contextlib.closing(Connections()) as shared:
        yield shared


class Both:
    """The two clients, talking to the same recorder."""

    def __init__(self, recorder: Any, published: ModuleType, connections: Connections) -> None:
        self._recorder, self._published, self._connections = recorder, published, connections

    def wire_of(self, call: Call, path: str = "", **options: Any) -> dict[str, Any]:
        """What both put on the wire, which is the same."""
        self._recorder.will_answer({"data": {"url": "https://i.test/1", "ok": True}, "request_id": "req_1"})
        base_url = self._recorder.url + path
        call(ours.Characters(TOKEN, base_url=base_url, connections=self._connections, **options))
        with self._published.FluidTalk(TOKEN, base_url=base_url, **options) as client:
            call(client)
        mine, theirs = self._recorder.requests
        assert mine == theirs
        return dict(mine)

    def read(self, call: Call, data: Any, status: int = 200, **envelope: Any) -> tuple[Any, Any]:
        """What ours and what theirs reads from an answer; an error is returned."""
        self._recorder.will_answer({"data": data, "request_id": "req_7", **envelope}, status)
        with self._published.FluidTalk(TOKEN, base_url=self._recorder.url) as client:
            mine = ours.Characters(TOKEN, base_url=self._recorder.url, connections=self._connections)
            return _outcome(call, mine), _outcome(call, client)


def _outcome(call: Call, client: Any) -> Any:
    try:
        return call(client)
    except Exception as error:
        return error


@pytest.fixture
def both(recorder: Any, published_characters: ModuleType, connections: Connections) -> Both:
    return Both(recorder, published_characters, connections)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_a_call_is_the_same(both: Both, call: Call) -> None:
    wire = both.wire_of(call)
    assert wire["headers"]["x-connector-token"] == TOKEN
    assert "x-fluidtalk-mode" not in wire["headers"]


@pytest.mark.parametrize("mode", ["mock", "sandbox"])
@pytest.mark.parametrize("name", ["chat", "followups", "self test", "ack by position"])
def test_a_mode_goes_with_every_call(both: Both, name: str, mode: str) -> None:
    assert both.wire_of(CALLS[name], mode=mode)["headers"]["x-fluidtalk-mode"] == mode


@pytest.mark.parametrize("path", ["", "/", "//", "/gateway", "/gate/way//", "/a%20b"])
@pytest.mark.parametrize("api_version", ["v1", "v2", "2026-11"])
def test_the_address_is_put_together_the_same_way(both: Both, path: str, api_version: str) -> None:
    assert both.wire_of(CALLS["chat"], path, api_version=api_version)["path"].endswith(
        f"/{api_version}/characters/chat"
    )


def test_the_recorder_reads_what_was_said(both: Both) -> None:
    """A guard: two equal wires prove nothing if the recorder loses half of them."""
    wire = both.wire_of(CALLS["chat with all"])
    assert (wire["method"], wire["path"], wire["query"]) == ("POST", "/api/v1/characters/chat", [])
    assert wire["body"] == {
        **LEAD,
        "message": "hi",
        "image_url": "https://i.test/1",
        "session_id": "s",
        "own_username": "@me",
    }
    assert wire["headers"]["accept"] == wire["headers"]["content-type"] == "application/json"


REPLIES: list[dict[str, Any]] = [
    {"session_id": "s-1", "bubbles": [{"text": "hey"}, {"text": "you", "delay_ms": 1200}]},
    {"bubbles": [{"text": "look"}, {"image_url": "https://i.test/1", "delay_ms": 0}, {"text": "nice?"}]},
    {"bubbles": [], "ignored": True, "ignore_reason": "lead_claimed_by_other_account"},
    {"bubbles": [], "paused": True, "pause_reason": "plan_limit"},
    {"bubbles": [], "silent": "duplicate_message", "explain": "the same text"},
    {"bubbles": [{"text": "hey"}], "deduped": True, "vision": {"seen": False, "reason": "not_fetched"}},
]


@pytest.mark.parametrize("call", [CALLS["chat"], CALLS["trigger"]], ids=["chat", "trigger"])
@pytest.mark.parametrize("data", REPLIES)
def test_a_documented_reply_reads_the_same(both: Both, call: Call, data: dict[str, Any]) -> None:
    mine, theirs = both.read(call, data)
    assert [(each.text or None, each.delay_ms, each.image_url) for each in mine.bubbles] == [
        (each.text, each.delay_ms, each.image_url) for each in theirs.bubbles
    ]
    for name in ("session_id", "ignore_reason", "pause_reason", "silent", "explain"):
        assert getattr(mine, name) == getattr(theirs, name), name
    for name in ("ignored", "paused", "deduped"):
        assert getattr(mine, name) is bool(getattr(theirs, name)), name
    if mine.vision:
        assert (mine.vision.seen, mine.vision.reason) == (theirs.vision.seen, theirs.vision.reason)
    assert mine.request_id == "req_7"


def test_follow_ups_read_the_same(both: Both) -> None:
    data = {
        "followups": [
            {"id": "f1", "handle": "mark", "message": "still there?"},
            {"id": "f2", "handle": "eve", "message": "hi"},
        ]
    }
    mine, theirs = both.read(CALLS["followups"], data)
    assert [(each.id, each.handle, each.message) for each in mine] == [
        (each.id, each.handle, each.message) for each in theirs
    ]
    assert both.read(CALLS["followups"], {}) == ([], [])


RESULTS: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "self test": ({"ok": True, "checks": [], "fireable_event_ids": ["a", "b"]}, ("ok", "checks", "fireable_event_ids")),
    "inbound media": ({"url": "https://i.test/1"}, ("url",)),
    "post media": ({"url": None, "ignore_reason": "posts_disabled"}, ("url", "ignore_reason", "pause_reason")),
    "comment": ({"comment": "nice", "max_chars": 150, "truncated": True}, ("comment", "max_chars", "truncated")),
    "comment reply": ({"decision": "engage", "reply": "ty"}, ("decision", "reply", "reason", "target_comment_ref")),
    "engage": ({"decision": "skip", "reply": None, "reason": "thread_too_deep"}, ("decision", "reply", "reason")),
    "post": ({"decision": "no_suitable_post_found", "gate": "quiet"}, ("decision", "post", "gate", "drafts")),
}


@pytest.mark.parametrize("name", RESULTS)
def test_other_documented_results_read_the_same(both: Both, name: str) -> None:
    data, attributes = RESULTS[name]
    mine, theirs = both.read(CALLS[name], data)
    assert [getattr(mine, each) for each in attributes] == [getattr(theirs, each) for each in attributes]


@pytest.mark.parametrize(
    "status", [400, 401, 402, 403, 404, 408, 409, 410, 413, 415, 422, 425, 429, 500, 502, 503, 504]
)
def test_an_error_tells_the_same(both: Both, status: int) -> None:
    envelope = {"code": "some_code", "message": "words", "type": "client_error", "request_id": "req_9"}
    mine, theirs = both.read(CALLS["chat"], None, status, error=envelope)
    assert isinstance(mine, ours.FluidTalkError)
    assert (mine.status, mine.code, mine.type, mine.request_id) == (
        theirs.status,
        theirs.code,
        theirs.type,
        theirs.request_id,
    )
    assert "words" not in str(mine)
