"""What the Characters client does where the published one breaks, loses a reply or says too much (characters.md 5)."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from worker.clients.fluidtalk import (
    BadReply,
    Bubble,
    Characters,
    Conflict,
    CreditsExhausted,
    FluidTalkError,
    InvalidCall,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.clients.fluidtalk.character_contract import Exchange

TOKEN = "ftc_live_0123456789abcdef"
LEAD = {"platform": "instagram", "handle": "mark"}
EVENT = {**LEAD, "external_event_id": "e-1"}


@pytest.fixture
def client(server: Any) -> Iterator[Characters]:
    with Characters(TOKEN, base_url=server.url) as client:
        yield client


def answered(server: Any, client: Characters, data: Any, **more: Any) -> Any:
    server.answers(200, {"data": data, "request_id": "req_1", **more})
    return client.chat(**LEAD, message="hi")


# Refused here: nothing is sent.

REFUSED: dict[str, Callable[[Characters], Any]] = {
    "Q2 platform": lambda client: client.chat(platform="", handle="mark"),
    "Q2 handle": lambda client: client.chat(platform="x", handle=None),  # type: ignore[arg-type]
    "Q2 event_id": lambda client: client.trigger(**EVENT, event_id=""),
    "Q2 event_type": lambda client: client.event(**EVENT, event_type=""),
    "Q2 post_ref": lambda client: client.comment(platform="x", post_ref=""),
    "Q2 replier_handle": lambda client: client.comment_reply(platform="x", post_ref="p", replier_handle=""),
    "Q3 trigger": lambda client: client.trigger(**LEAD, event_id="outreach", external_event_id=""),
    "Q3 event": lambda client: client.event(**LEAD, external_event_id=None),  # type: ignore[arg-type]
    "Q5 empty": lambda client: client.followups.ack(""),
    "Q5 dot": lambda client: client.followups.ack("."),
    "Q5 dots": lambda client: client.followups.ack(".."),
    "Q5 none": lambda client: client.followups.ack(None),  # type: ignore[arg-type]
    "Q25 no bytes": lambda client: client.inbound_media(platform="x", data=b""),
    "Q25 no upload": lambda client: client.post_media(platform="x", community_ref="c", data=b""),
    "Q27 NaN": lambda client: client.event(**EVENT, amount=float("nan")),
    "Q27 no JSON": lambda client: client.trigger(**EVENT, event_id="e", context={"a": object()}),
}


@pytest.mark.parametrize("call", REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_right_is_not_sent(server: Any, client: Characters, call: Callable[[Characters], Any]) -> None:
    with pytest.raises(InvalidCall) as refused:
        call(client)
    assert (refused.value.status, refused.value.acted, server.requests) == (0, "no", [])


@pytest.mark.parametrize(
    "options",
    [
        {"token": ""},
        {"token": "ftc_live with a blank"},
        {"token": "ftc_live\r\nX-Other: 1"},
        {"token": "ftc_lïve"},
        {"mode": "test"},
        {"mode": ""},
        {"base_url": "https://user:secret-word@api.test"},
        {"base_url": "https://api.test/?a=b"},
        {"base_url": "https://api.test/#part"},
        {"base_url": "ftp://api.test"},
        {"base_url": ""},
        {"api_version": ""},
        {"api_version": "v1/../v2"},
        {"api_version": ".."},
        {"timeout": 0},
    ],
    ids=str,
)
def test_a_client_that_cannot_work_is_not_made(options: dict[str, Any]) -> None:
    """Q6, Q7, Q10: and the text quotes nothing."""
    with pytest.raises(InvalidCall) as refused:
        Characters(**{"token": TOKEN, **options})
    for value in options.values():
        assert len(str(value)) < 5 or str(value) not in str(refused.value)


@pytest.mark.parametrize("followup_id", ["a/b", "a?b", "a#b", "a%2Fb", "../self-test", "ü b"])
def test_an_id_leads_to_no_other_address(server: Any, client: Characters, followup_id: str) -> None:
    """Q5."""
    server.answers(200, {})
    client.followups.ack(followup_id)
    path = server.requests[0].split(b" ")[1].decode()
    assert path.startswith("/api/v1/characters/followups/")
    assert path.endswith("/ack")
    assert len(path.split("/")) == 7
    assert not set("?#") & set(path)


# What is read of an answer


@pytest.mark.parametrize(
    ("bubbles", "texts"),
    [
        (None, []),
        ([], []),
        ("hey you", ["hey you"]),
        ({"text": "hey"}, ["hey"]),
        (["hey", "you"], ["hey", "you"]),
        ([None, {"text": "hey"}, {}, {"text": None}, {"text": ""}], ["hey"]),
        ([{"text": 7}], ["7"]),
        ([{"text": "a ||| b"}], ["a ||| b"]),
    ],
)
def test_bubbles_in_other_shapes_are_read(server: Any, client: Characters, bubbles: Any, texts: list[str]) -> None:
    """Q15, Q16, Q18; Q21: those of a chat are never parted."""
    assert [bubble.text for bubble in answered(server, client, {"bubbles": bubbles}).bubbles] == texts


@pytest.mark.parametrize("bubbles", [7, True, [[]], [{"text": ["a"]}]])
def test_bubbles_that_cannot_be_read_are_no_silence(server: Any, client: Characters, bubbles: Any) -> None:
    with pytest.raises(BadReply) as failed:
        answered(server, client, {"bubbles": bubbles})
    assert failed.value.acted == "unknown"


@pytest.mark.parametrize("odd", ["soon", -5, True, [1], {}, None, 1e300])
def test_an_odd_delay_costs_no_text(server: Any, client: Characters, odd: Any) -> None:
    """Q17."""
    assert answered(server, client, {"bubbles": [{"text": "hey", "delay_ms": odd}]}).bubbles == [Bubble("hey")]


@pytest.mark.parametrize("odd", ["not a link", 7, [], "ftp://i.test", ""])
def test_an_odd_image_costs_no_text(server: Any, client: Characters, odd: Any) -> None:
    assert answered(server, client, {"bubbles": [{"text": "hey", "image_url": odd}]}).bubbles == [Bubble("hey")]


def test_a_photo_keeps_its_place(server: Any, client: Characters) -> None:
    photo = {"image_url": "https://i.test/1", "delay_ms": 900.0}
    reply = answered(server, client, {"bubbles": [{"text": "look"}, photo, {"text": "nice?"}]})
    assert reply.bubbles == [Bubble("look"), Bubble("", 900, "https://i.test/1"), Bubble("nice?")]


# What programs write for a flag that does not hold, or for a value that is not there.
ABSENT = ["false", "no", "0", "", " ", "null", "None", "undefined", " NULL "]


@pytest.mark.parametrize(
    ("value", "ignored", "reason"),
    [
        (True, True, None),
        ("true", True, None),
        ("false", False, None),
        (0, False, None),
        (None, False, None),
        ([], False, None),
        *((absent, False, None) for absent in ABSENT),
        ("lead_claimed_by_other_account", True, "lead_claimed_by_other_account"),
    ],
)
def test_ignored_is_read_as_meant(
    server: Any, client: Characters, value: Any, ignored: bool, reason: str | None
) -> None:
    """Q19."""
    reply = answered(server, client, {"bubbles": [], "ignored": value})
    assert (reply.ignored, reply.ignore_reason) == (ignored, reason)


@pytest.mark.parametrize("odd", [*ABSENT, "plan_limit", "true", 1, 7, ["a"], {"a": 1}, False, None])
def test_a_persona_that_speaks_is_not_paused_by_anything_odd(server: Any, client: Characters, odd: Any) -> None:
    """Q20: it would cost the reply, and hold all leads of the persona."""
    reply = answered(server, client, {"bubbles": [{"text": "hey"}], "paused": odd, "pause_reason": "plan_limit"})
    assert (reply.bubbles, reply.paused) == ([Bubble("hey")], False)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"paused": True, "bubbles": [{"text": "hey"}]}, None),
        ({"paused": True, "pause_reason": "plan_limit"}, "plan_limit"),
        ({"paused": True, "pause_reason": "null"}, None),
        ({"paused": "true"}, None),
        ({"paused": 1}, None),
        ({"paused": "plan_limit"}, "plan_limit"),
        ({"paused": "plan_limit", "bubbles": [None, ""]}, "plan_limit"),
    ],
)
def test_a_pause_is_read_as_meant(server: Any, client: Characters, data: dict[str, Any], reason: str | None) -> None:
    reply = answered(server, client, {"bubbles": [], **data})
    assert (reply.paused, reply.pause_reason) == (True, reason)


@pytest.mark.parametrize("absent", ABSENT)
def test_what_is_not_there_is_no_reason(server: Any, client: Characters, absent: str) -> None:
    reply = answered(server, client, {"bubbles": [], "paused": absent, "silent": absent})
    assert (reply.paused, reply.silent) == (False, None)


@pytest.mark.parametrize("odd", [7, True, ["a"], {"a": 1}, None])
@pytest.mark.parametrize("name", ["session_id", "silent", "explain", "vision", "paused", "pause_reason", "deduped"])
def test_an_odd_other_field_costs_no_reply(server: Any, client: Characters, name: str, odd: Any) -> None:
    """Q20."""
    reply = answered(server, client, {"bubbles": [{"text": "hey"}], name: odd})
    assert reply.bubbles == [Bubble("hey")]


@pytest.mark.parametrize("odd", [7, None, {}, []])
def test_an_odd_request_id_costs_no_reply(server: Any, client: Characters, odd: Any) -> None:
    server.answers(200, {"data": {"bubbles": ["hey"]}, "request_id": odd}, X_Request_Id="req_header")
    assert client.chat(**LEAD).request_id == "req_header"


@pytest.mark.parametrize(
    "body",
    [b"<html></html>", b"", b"null", b'{"data": {"bubb', b"[" * 100_000, b"{}", b'"text"', b'{"request_id": "r"}',
     b'{"error": {"code": "x"}}', b'{"data": null}', b'{"data": []}', b'{"data": "text"}', b"[]", b"7",
     b'{"error": {"code": "x"}, "data": {}}', b'{"error": "x", "data": {"session_id": "s", "bubbles": []}}'],
    ids=lambda body: repr(body[:20]),
)  # fmt: skip
def test_what_is_no_answer_is_no_silence(server: Any, client: Characters, body: bytes) -> None:
    """Q13, Q14."""
    server.answers(200, body)
    with pytest.raises(BadReply) as failed:
        client.chat(**LEAD)
    assert (failed.value.status, failed.value.acted) == (200, "unknown")


@pytest.mark.parametrize("error", [{"code": "x"}, None, {}, ""])
def test_an_error_beside_an_answer_costs_nothing_of_it(server: Any, client: Characters, error: Any) -> None:
    server.answers(200, {"data": {"bubbles": ["hey"]}, "error": error})
    assert client.chat(**LEAD).bubbles == [Bubble("hey")]
    server.answers(200, {"data": {"silent": "duplicate_message"}, "error": error})
    assert client.chat(**LEAD).silent == "duplicate_message"


def test_what_is_unusual_and_clear_is_read(server: Any, client: Characters) -> None:
    """Q28: another 2xx, unknown fields, another content type, a mark of UTF-8 at the begin."""
    server.answers(
        299, b'\xef\xbb\xbf{"data": {"bubbles": [{"text": "hey", "new": 1}], "new": {}}}', Content_Type="text/plain"
    )
    assert client.chat(**LEAD).bubbles == [Bubble("hey")]


def test_follow_ups_are_parted(server: Any, client: Characters) -> None:
    """Q18, Q21, Q22."""
    server.answers(
        200,
        {
            "data": {
                "followups": [
                    None,
                    {"id": 1, "handle": "mark", "message": " hey ||| still there? ||| "},
                    "odd",
                    {"id": "f2", "lead_handle": "eve", "bubbles": [{"text": "a"}, "b"]},
                    {"handle": "no id", "message": "hi"},
                    {"id": "f3", "message": "to nobody"},
                ]
            }
        },
    )
    pulled = client.followups.list(platform="instagram")
    assert [(each.id, each.handle, each.bubbles) for each in pulled] == [
        ("1", "mark", ["hey", "still there?"]),
        ("f2", "eve", ["a", "b"]),
        ("f3", "", []),
    ]
    assert pulled[0].message == "hey\nstill there?"


@pytest.mark.parametrize("data", [{"followups": "text"}, {"followups": 7}, "text"])
def test_a_list_that_is_none_is_no_empty_list(server: Any, client: Characters, data: Any) -> None:
    server.answers(200, {"data": data})
    with pytest.raises(BadReply):
        client.followups.list(platform="instagram")


@pytest.mark.parametrize("body", [b"", b"null", b"<html>", {"data": None}, {"data": {}}, {"ok": True}])
def test_an_acknowledgement_needs_no_body(server: Any, client: Characters, body: Any) -> None:
    server.answers(204 if body == b"" else 200, body)
    client.followups.ack("f1")


@pytest.mark.parametrize("url", [None, "", 7, []])
def test_an_upload_without_an_address_is_a_failure(server: Any, client: Characters, url: Any) -> None:
    """Q24: but not that of a post's image."""
    server.answers(200, {"data": {"url": url, "ignore_reason": "posts_disabled"}})
    with pytest.raises(BadReply):
        client.inbound_media(platform="x", data=b"\xff")
    with pytest.raises(BadReply):
        client.comment_media(platform="x", post_ref="p", data=b"\xff")
    if url is None:
        off = client.post_media(platform="x", community_ref="c", data=b"\xff")
        assert (off.url, off.ignore_reason) == (None, "posts_disabled")


def test_a_self_test_is_read(server: Any, client: Characters) -> None:
    checks = [{"name": "platform", "ok": True}, {"name": "wallet", "ok": "false", "detail": "empty"}, None]
    server.answers(200, {"data": {"ok": "false", "checks": checks, "fireable_event_ids": ["a", 7, None]}})
    result = client.self_test()
    assert (result.ok, result.fireable_event_ids) == (False, ["a", "7"])
    assert [(check.name, check.ok, check.detail) for check in result.checks] == [
        ("platform", True, None),
        ("wallet", False, "empty"),
    ]


def test_one_link_is_a_list_of_one(server: Any, client: Characters) -> None:
    """Q29."""
    server.answers(200, {"data": {"comment": "nice"}})
    assert client.comment(platform="x", post_ref="p", image_urls="https://i.test/1").comment == "nice"
    assert b'"image_urls": ["https://i.test/1"]' in server.requests[0]


# Errors

KINDS = {
    400: Rejected,
    401: Unauthorized,
    402: CreditsExhausted,
    403: Unauthorized,
    404: NotFound,
    408: Throttled,
    409: Conflict,
    410: Rejected,
    413: Rejected,
    415: Rejected,
    422: Rejected,
    425: Throttled,
    429: Throttled,
    500: OutcomeUnknown,
    502: OutcomeUnknown,
    503: Unavailable,
    504: OutcomeUnknown,
    599: OutcomeUnknown,
}


@pytest.mark.parametrize(("status", "kind"), KINDS.items())
def test_an_error_has_its_kind(server: Any, client: Characters, status: int, kind: type[FluidTalkError]) -> None:
    server.answers(status, {"error": {"code": "c", "message": "DONE with it"}}, Retry_After="7", X_Request_Id="req_2")
    with pytest.raises(FluidTalkError) as failed:
        client.chat(**LEAD)
    error = failed.value
    assert (type(error), error.status, error.retry_after) == (kind, status, 7.0)
    assert (error.code, error.type, error.request_id) == ("c", None, "req_2")
    assert error.acted == ("unknown" if kind in (Conflict, OutcomeUnknown) else "no")


def test_an_empty_wallet_is_not_told_as_one_that_stops_new_conversations_only(server: Any, client: Characters) -> None:
    server.answers(402, {"error": {"code": "c"}})
    with pytest.raises(CreditsExhausted, match="402: the wallet of the character cannot pay for this call; top it up"):
        client.chat(**LEAD)


def test_a_redirect_is_not_followed(server: Any, client: Characters) -> None:
    server.answers(307, b"", Location=f"{server.url}/{TOKEN}")
    with pytest.raises(Rejected) as failed:
        client.chat(**LEAD)
    assert (failed.value.acted, len(server.requests)) == ("unknown", 1)
    assert TOKEN not in str(failed.value)


def test_no_connection_is_nothing_sent() -> None:
    """Q9."""
    with Characters(TOKEN, base_url="http://127.0.0.1:1") as client, pytest.raises(Unavailable) as failed:
        client.chat(**LEAD)
    assert (failed.value.status, failed.value.acted) == (0, "no")


def test_a_cut_answer_is_unknown(server: Any, client: Characters) -> None:
    server.wire = b"HTTP/1.1 200 Said\r\nContent-Length: 100\r\n\r\n{"
    with pytest.raises(OutcomeUnknown) as failed:
        client.chat(**LEAD)
    assert (failed.value.status, failed.value.acted) == (0, "unknown")


@pytest.mark.parametrize("status", [200, 302, 401, 500])
def test_the_token_is_in_no_text(
    server: Any, client: Characters, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Q8: a server that quotes it must not bring it into a log."""
    envelope = {"code": TOKEN, "message": f"token {TOKEN} is wrong", "type": TOKEN, "request_id": TOKEN}
    server.answers(status, {"error": envelope}, X_Request_Id=TOKEN, Location=f"/{TOKEN}")
    with pytest.raises(FluidTalkError) as failed:
        client.chat(**LEAD)
    error = failed.value
    told = [str(error), repr(error), repr(error.detail), repr(error.__cause__), repr(client)]
    told += [str(error.code), str(error.type), str(error.request_id), *traceback.format_exception(error)]
    print(error)
    assert all(TOKEN not in text for text in [*told, *capsys.readouterr()])


def test_an_error_can_be_copied(server: Any, client: Characters) -> None:
    server.answers(429, {"error": {"code": "slow_down"}}, Retry_After="3")
    with pytest.raises(Throttled) as failed:
        client.chat(**LEAD)
    for again in (copy.copy(failed.value), pickle.loads(pickle.dumps(failed.value))):
        assert (type(again), again.status, again.code, again.retry_after) == (Throttled, 429, "slow_down", 3.0)


def test_a_client_cannot_be_pickled() -> None:
    with Characters(TOKEN) as client, pytest.raises(TypeError):
        pickle.dumps(client)


def test_no_cookie_goes_to_another_lead(server: Any, client: Characters) -> None:
    """Q11."""
    server.answers(200, {"data": {"bubbles": []}}, Set_Cookie="session=1")
    client.chat(**LEAD)
    client.chat(platform="x", handle="eve")
    assert not any(b"cookie" in request.lower() for request in server.requests)


def test_broken_text_is_repaired(server: Any, client: Characters) -> None:
    """Q27."""
    server.answers(200, {"data": {"bubbles": []}})
    client.chat(**LEAD, message="half \ud83d and \ud83d\udd25")
    assert "half \ufffd and 🔥".encode() in server.requests[0]


def test_what_watches_is_told_what_was_said_of_leads(server: Any) -> None:
    """A server may repeat it as the name of a field."""
    seen: list[Exchange] = []
    with Characters(TOKEN, base_url=server.url, watch=seen.append) as client:
        server.answers(200, {"data": {"bubbles": []}})
        client.trigger(**EVENT, event_id="e", context={"notes": ["divorced", {"age": "old"}]}, raw={"by": "post"})
        server.answers(200, {"data": {"followups": [{"id": "1", "handle": "eve"}, None, {"lead_handle": "adam"}]}})
        client.followups.list(platform="instagram", own_username="us")
        server.answers(200, {"data": [{"id": "1", "handle": "abel"}]})
        client.followups.list(platform="instagram")
    assert [sorted(each.said) for each in seen] == [
        ["divorced", "mark", "old", "post"],
        ["adam", "eve", "us"],
        ["abel"],
    ]
