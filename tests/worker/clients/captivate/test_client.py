"""Sending: one POST, every answer means one thing, no text tells a secret (protocols.md 2.8, architecture.md 4)."""

from __future__ import annotations

import asyncio
import pickle
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from worker.clients.captivate import (
    Captivate,
    CaptivateClient,
    CaptivateError,
    CaptivateValueError,
    OutcomeUnknown,
    Rejected,
    TextMessageModel,
    Throttled,
    Unavailable,
)
from worker.clients.http.connections import Connections

SECRETS = ("secret", "Lance", "example.com", "127.0.0.1")


def _fails(client: CaptivateClient, captivate: Captivate) -> CaptivateError:
    captivate.set_response([TextMessageModel(text="answer-secret")])
    with pytest.raises(CaptivateError) as caught:
        client.send_message(captivate, "key-secret")
    assert not any(secret in str(caught.value) for secret in SECRETS), str(caught.value)
    return caught.value


def test_one_post_with_the_body(make_client: Any, server: Any, captivate: Captivate) -> None:
    captivate.set_response([TextMessageModel(text="zażółć 😀")])
    answer = make_client().send_message(captivate)
    assert answer == {"ok": True}
    (request,) = server.requests
    assert request.line == "POST /api/channel/v2/sendMessage HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert "idempotency-key" not in request.headers
    assert request.json == captivate.body()
    assert "zażółć 😀".encode() in request.body


def test_the_idempotency_key_is_a_header(make_client: Any, server: Any, captivate: Captivate) -> None:
    client = make_client(base_url=server.origin + "/", headers={"User-Agent": "other", "user-agent": "mine"})
    client.send_message(captivate, idempotency_key="event-1")
    client.send_message(captivate)
    first, second = server.requests
    assert first.headers["idempotency-key"] == "event-1"
    assert "idempotency-key" not in second.headers
    assert first.headers["user-agent"] == "mine"


@pytest.mark.parametrize(
    ("status", "kind", "acted"),
    [
        (408, Throttled, "no"), (425, Throttled, "no"), (429, Throttled, "no"),
        (503, Unavailable, "no"),
        (500, OutcomeUnknown, "unknown"), (501, OutcomeUnknown, "unknown"), (502, OutcomeUnknown, "unknown"),
        (504, OutcomeUnknown, "unknown"), (599, OutcomeUnknown, "unknown"), (799, OutcomeUnknown, "unknown"),
        (400, Rejected, "no"), (401, Rejected, "no"), (404, Rejected, "no"), (413, Rejected, "no"),
        (422, Rejected, "no"), (301, Rejected, "no"), (302, Rejected, "no"), (304, Rejected, "no"),
        (307, Rejected, "no"), (308, Rejected, "no"),
    ],
)  # fmt: skip
def test_what_an_answer_means(
    make_client: Any, server: Any, captivate: Captivate, status: int, kind: type[CaptivateError], acted: str
) -> None:
    server.answers(status, b"detail-secret", Location=f"{server.origin}/elsewhere")
    error = _fails(make_client(), captivate)
    assert (type(error), error.status, error.acted) == (kind, status, acted)
    assert str(status) in str(error)
    assert len(server.requests) == 1, "neither repeated nor redirected"


@pytest.mark.parametrize(
    ("status", "body", "foreign"),
    [
        (404, b'{"detail": "session not found"}', False),
        (422, b'{"detail": [{"msg": "no"}]}', False),
        (422, b"[" * 99_999, False),
        (404, b"<html>no backend", True),
        (400, b"", True),
        (404, b'"not found"', True),
        (307, b'{"detail": "elsewhere"}', True),
    ],
)
def test_what_is_no_answer_of_captivate_itself_is_told(
    make_client: Any, server: Any, captivate: Captivate, status: int, body: bytes, foreign: bool
) -> None:
    server.answers(status, body)
    error = _fails(make_client(), captivate)
    assert error.foreign is foreign
    assert pickle.loads(pickle.dumps(error)).foreign is foreign


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_delivered(make_client: Any, server: Any, captivate: Captivate, status: int) -> None:
    server.reply = f"HTTP/1.1 {status} Fine\r\nContent-Length: 0\r\n\r\n".encode()
    assert make_client().send_message(captivate) is None


@pytest.mark.parametrize(
    ("status", "kind"), [(200, None), (429, Throttled), (503, Unavailable), (500, OutcomeUnknown), (400, Rejected)]
)
def test_an_answer_that_breaks_off_counts_by_its_status(
    make_client: Any, server: Any, captivate: Captivate, status: int, kind: type[CaptivateError] | None
) -> None:
    server.reply = f"HTTP/1.1 {status} Said\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf".encode()
    client = make_client()
    if kind is None:
        assert client.send_message(captivate) is None
    else:
        error = _fails(client, captivate)
        assert (type(error), error.status) == (kind, status)


@pytest.mark.parametrize(
    "reply", [b"", b"HTTP/1.1 2", b"\x00\xff garbage secret\r\n\r\n"], ids=["none", "cut", "garbage"]
)
def test_no_answer_is_unknown(make_client: Any, server: Any, captivate: Captivate, reply: bytes) -> None:
    server.reply = reply
    error = _fails(make_client(), captivate)
    assert (type(error), error.status, error.acted) == (OutcomeUnknown, None, "unknown")
    assert error.__cause__ is not None


def test_silence_is_unknown(make_client: Any, server: Any, captivate: Captivate) -> None:
    server.hang = True
    error = _fails(make_client(timeout=0.2), captivate)
    assert (type(error), error.acted) == (OutcomeUnknown, "unknown")
    assert not server.let_go


def test_the_whole_call_can_be_bounded(make_client: Any, server: Any, captivate: Captivate) -> None:
    server.hang = True
    error = _fails(make_client(timeout=60, total_timeout=0.2), captivate)
    assert isinstance(error, OutcomeUnknown)
    assert not server.let_go


def test_nothing_listening_is_unavailable(make_client: Any, captivate: Captivate) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, never listening: refused
        error = _fails(make_client(base_url=f"http://127.0.0.1:{taken.getsockname()[1]}"), captivate)
    assert (type(error), error.status, error.acted) == (Unavailable, None, "no")


def test_an_answer_left_over_from_the_call_before_delivers_nothing(
    make_client: Any, server: Any, captivate: Captivate
) -> None:
    """A server that answers twice: the second answer is not the answer to the next message."""
    client = make_client()
    server.answers(200, b"{}")
    once = server.reply
    server.reply *= 2
    client.send_message(captivate)
    server.answers(500, b"{}")
    assert server.reply != once
    with pytest.raises(OutcomeUnknown):
        client.send_message(captivate)


def _date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("0", 0, 0), ("-5", 0, 0), ("7", 7, 7), ("1.5", 1.5, 1.5), (" 12 ", 12, 12), ("9" * 400, 1e7, 1e8),
        (lambda: _date(36_000), 28_800, 36_000), (lambda: _date(-600), 0, 0), ("Wed, 21 Oct 2015 07:28:00 -0000", 0, 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("status", [429, 503, 500])
def test_retry_after_is_read(
    make_client: Any, server: Any, captivate: Captivate, status: int, header: Any, least: float, most: float
) -> None:
    # A date in the name of a test would give it another name in each process that runs the tests.
    server.answers(status, Retry_After=header() if callable(header) else header)
    error = _fails(make_client(), captivate)
    assert error.retry_after is not None
    assert least <= error.retry_after <= most


@pytest.mark.parametrize("header", ["", "soon", "nan", "inf", "1e9", "0x10", "Wed, 99 Foo 2015 07:28:00 GMT", "1;2"])
def test_retry_after_that_means_nothing_is_none(
    make_client: Any, server: Any, captivate: Captivate, header: str
) -> None:
    server.answers(429, Retry_After=header)
    assert _fails(make_client(), captivate).retry_after is None


@pytest.mark.parametrize(
    "error",
    [
        CaptivateError("a"),
        Throttled("b", status=429, retry_after=2.0),
        OutcomeUnknown("c", status=500, acted="unknown"),
    ],
)
def test_errors_survive_pickling(error: CaptivateError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))


def test_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match=r"give environment \(dev or prod\) or base_url"):
        CaptivateClient()


@pytest.mark.parametrize(
    "base_url",
    [
        "captivate.example", "ftp://captivate.example", "http://", "http://user:hunter2@captivate.example",
        "http://captivate.example/prefix", "http://captivate.example/?a=hunter2", "http://captivate.example/#hunter2",
        "http://captivate.example:99999", "http://" + "a" * 70, "", "http://a b", 5,
    ],
)  # fmt: skip
def test_addresses_that_are_no_origin_are_refused(base_url: Any) -> None:
    with pytest.raises(ValueError, match="base_url must be") as caught:
        CaptivateClient("prod", base_url)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Key": "hunter2\r\nX-Evil: 1"}, {"X-Key": ""}, {"X-Key": " hunter2"}, {"X-Key": "hunterł2"}, {"X Key": "v"},
        {"": "v"}, {"Content-Type": "text/plain"}, {"content-length": "1"}, {"Transfer-Encoding": "chunked"},
    ],
)  # fmt: skip
def test_headers_that_would_break_the_request_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="header") as caught:
        CaptivateClient("prod", headers=headers)
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "a\nb", "ł", " a"])
def test_idempotency_keys_that_are_no_header_are_refused(
    make_client: Any, server: Any, captivate: Captivate, key: str
) -> None:
    with pytest.raises(CaptivateValueError, match="idempotency key"):
        make_client().send_message(captivate, key)
    assert server.requests == []


def test_a_value_broken_after_it_was_set_is_a_typed_error(make_client: Any, server: Any, captivate: Captivate) -> None:
    parts: list[Any] = []
    captivate.set_response([{"parts": parts}])
    parts.append({1, 2})
    with pytest.raises(CaptivateValueError, match="changed after it was set"):
        make_client().send_message(captivate)
    assert server.requests == []


def test_connections_can_be_shared(make_client: Any, server: Any, captivate: Captivate) -> None:
    connections = Connections()
    for _ in range(3):
        make_client(connections=connections).send_message(captivate)
    assert server.connections == 1
    make_client(connections=connections).close()
    make_client(connections=connections).send_message(captivate)
    assert server.connections == 2


def test_async_sends_share_a_client_and_raise_the_same_errors(server: Any, captivate: Captivate) -> None:
    async def twice() -> Any:
        await captivate.async_send_message("dev", base_url=server.origin)
        return await captivate.async_send_message(environment="prod", base_url=server.origin)

    assert asyncio.run(twice()) == {"ok": True}
    assert [request.json for request in server.requests] == [captivate.body()] * 2
    server.answers(429, Retry_After="3")
    with pytest.raises(Throttled) as caught:
        asyncio.run(captivate.async_send_message(base_url=server.origin))
    assert caught.value.retry_after == 3


def test_async_send_takes_the_answer_as_it_stands(server: Any, captivate: Captivate) -> None:
    """What is changed while the call is under way belongs to the next send."""

    async def send_and_change() -> None:
        sending = asyncio.create_task(captivate.async_send_message(base_url=server.origin))
        await asyncio.sleep(0)
        captivate.set_response([TextMessageModel(text="later")])
        await sending

    captivate.set_response([TextMessageModel(text="now")])
    asyncio.run(send_and_change())
    assert server.requests[0].json["response"] == [{"type": "text", "text": "now"}]
