"""Upstreams that answer garbage: a turn ends in a fate or a hold, never in an exception, and the books balance."""

from __future__ import annotations

import itertools
import json
import logging
import re
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, Attachment, EventTrigger, FollowUp, InboundChat

PLANTED = "PLANTED-words"
KEY = "ft_sk_ava"

ENDED = re.compile(r"(answered|ignored|sealed|skipped|dead|held for|held until|outreach until|kept|quarantined|left)\b")

number = itertools.count()

hostile_run = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture
def a_turn(channel, caplog) -> Callable[..., list[str]]:
    """Enqueue one event of a new conversation and work until it has ended or its few tries are used up."""
    caplog.set_level(logging.DEBUG)
    # As worker/observability/logs.py does for every process: it prints each header that goes out.
    caplog.set_level(logging.WARNING, logger="httpcore")

    def run(process: Any, kind: type = InboundChat, **fields: Any) -> list[str]:
        conversation = Conversation("ava", f"@lead-{next(number)}")
        if kind is InboundChat:
            fields = {"message": PLANTED, **fields}
        if kind is EventTrigger:
            fields = {"event_type": "story_reaction", "context": {"words": PLANTED}, **fields}
        process.producer.enqueue(kind(persona="ava", target=conversation.target, channel=channel, **fields))
        phrases = process.work(conversation)
        assert phrases
        assert [phrase for phrase in phrases if not ENDED.match(phrase)] == []
        shown = "\n".join(phrases) + caplog.text
        assert [secret for secret in (PLANTED, KEY, channel["session_id"]) if secret in shown] == []
        caplog.clear()
        process.fates()
        return phrases

    return run


def nested(levels: int, opening: str = "[", closing: str = "]") -> str:
    return opening * levels + "1" + closing * levels


# What an upstream may say in an HTTP answer that is itself in order.

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
field_names = st.sampled_from(
    [
        "reply",
        "replies",
        "message",
        "should_send_photo",
        "photo_url",
        "session_id",
        "ignored",
        "ignore_reason",
        "continued",
        "url",
        "detail",
    ]
)
plausible_bodies = st.dictionaries(
    field_names, json_values | st.booleans() | st.sampled_from(["true", "DONE", PLANTED, "", "\x00", "\ufeff"])
).map(json.dumps)
any_body = st.one_of(
    plausible_bodies,
    json_values.map(json.dumps),
    st.text(max_size=40),
    st.sampled_from(
        [
            "",
            "null",
            "NaN",
            '{"reply":"a","reply":"b"}',
            '{"reply":"\\ud83d","replies":["\\udd25\\ud83d"]}',
            '\ufeff{"reply":"marked"}',
            "<html>PLANTED-words</html>",
            '{"detail":' + "9" * 5000 + "}",
            '{"session_id":1e999,"reply":"x"}',
            '{"replies":[' + '"a",' * 2000 + '"a"]}',
        ]
    ),
)
retry_after = st.sampled_from(
    [
        None,
        "-1",
        "0",
        "1e9",
        "9" * 400,
        "NaN",
        "soon",
        "Mon, 01 Jan 0001 00:00:00 GMT",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Wed, 31 Feb 2026 25:61:61 GMT",
        ", ,",
        "\u00b2",
        "1, 2",
    ]
)


@hostile_run
@given(
    service=st.sampled_from(["fluidtalk", "captivate"]),
    status=st.integers(200, 599),
    body=any_body,
    after=retry_after,
    kind=st.sampled_from([InboundChat, AiOpener, EventTrigger, FollowUp]),
)
def test_any_answer_of_an_upstream_ends_the_turn_in_a_fate_or_a_hold(
    process, answer_with, a_turn, service, status, body, after, kind
):
    answer_with(service, status, body, {"Retry-After": after} if after else {})
    a_turn(process, kind)


@pytest.mark.parametrize("status", [200, 422])
def test_an_answer_as_deep_as_can_be_read_ends_the_turn(process, answer_with, a_turn, status):
    """What the decoder can just take must not be too deep for what comes after it."""
    for levels in range(100, 1001, 25):
        for body in (nested(levels), nested(levels, '{"detail":', "}")):
            answer_with("fluidtalk", status, body, path="/api/v1/bot/chat")
            (phrase,) = a_turn(process)
            assert phrase.startswith("dead")


@pytest.mark.parametrize(
    "photo_url",
    ["not an address", "javascript:alert(1)", "data:,x", "http://a:99999/", " ", "http://a/\x00", "x" * 100_000],
)
def test_any_photo_address_ends_the_turn(process, answer_with, a_turn, photo_url):
    answer_with("fluidtalk", 200, {"reply": "look", "should_send_photo": True, "photo_url": photo_url})
    assert a_turn(process)[-1].startswith("answered")


@pytest.mark.parametrize("photo_url", ["http://[", "//[::1/a.png", "http://[x]/a.png"])
def test_a_photo_address_with_half_an_ipv6_host_ends_the_turn(process, answer_with, a_turn, photo_url):
    answer_with("fluidtalk", 200, {"reply": "look", "should_send_photo": True, "photo_url": photo_url})
    a_turn(process)


@pytest.mark.parametrize("service", ["fluidtalk", "captivate"])
@pytest.mark.parametrize("after", ["0", "Mon, 01 Jan 2024 00:00:00 GMT"])
def test_a_server_that_says_retry_now_does_not_use_up_the_attempts_at_once(
    process, answer_with, a_turn, service, after
):
    answer_with(service, 429, "slow down", {"Retry-After": after})
    waits = [float(phrase.split()[2]) for phrase in a_turn(process) if phrase.startswith("held for")]
    assert waits
    assert min(waits) > 0.2


@hostile_run
@given(status=st.integers(200, 599), body=any_body, after=retry_after)
def test_any_answer_to_an_upload_ends_the_turn(process, upstreams, answer_with, a_turn, status, body, after):
    answer_with("fluidtalk", status, body, {"Retry-After": after} if after else {}, path="/api/v1/bot/upload")
    a_turn(process, attachments=(Attachment(url=f"{upstreams.fluidtalk_url}/nothing-here.png"),))


# What is no HTTP answer in order.

BROKEN = {
    "nothing": b"",
    "a reset": None,
    "noise": bytes(range(256)),
    "another language": b"220 mail.test ESMTP\r\n\r\n",
    "status 0": b"HTTP/1.1 000 None\r\nContent-Length: 0\r\n\r\n",
    "status 99": b"HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n",
    "status 600": b"HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n",
    "status 999": b"HTTP/1.1 999 High\r\nContent-Length: 0\r\n\r\n",
    "status 1000": b"HTTP/1.1 1000 Long\r\nContent-Length: 0\r\n\r\n",
    "status in words": b"HTTP/1.1 fine OK\r\nContent-Length: 0\r\n\r\n",
    "only continue": b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    "switching protocols": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n{}",
    "early hints, then end": b"HTTP/1.1 103 Early\r\nLink: </x>\r\n\r\n",
    "http 0.9": b"<html>hello</html>",
    "http 2": b"HTTP/2 200\r\n\r\n{}",
    "no content with content": b"HTTP/1.1 204 No\r\nContent-Length: 4\r\n\r\nabcd",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
    "a length beyond all": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 400 + b"\r\n\r\n{}",
    "less than promised": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{}",
    "more than promised": b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"reply":"x"}{"reply":"HTTP/1.1 200 OK"}',
    "a chunk that lies": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFF\r\n{}\r\n0\r\n\r\n",
    "a chunk without end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "chunked twice": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "says gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b",
    "not UTF-8": b'HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{"reply":"\xff\xfe"}',
    "UTF-16": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n{\x00}\x00",
    "several waits": b"HTTP/1.1 429 No\r\nRetry-After: 1\r\nRetry-After: soon\r\nContent-Length: 0\r\n\r\n",
    "a split header": b"HTTP/1.1 429 No\r\nRetry-After: 1\r\n 2\r\nContent-Length: 0\r\n\r\n",
    "a header without name": b"HTTP/1.1 200 OK\r\n: x\r\nContent-Length: 2\r\n\r\n{}",
    "ten thousand headers": b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10_000 + b"Content-Length: 2\r\n\r\n{}",
    "key in a header": b"HTTP/1.1 401 No\r\nWWW-Authenticate: ft_sk_ava\x01\r\nContent-Length: 0\r\n\r\n",
    "key as status": b"HTTP/1.1 ft_sk_ava OK\r\n\r\n",
}


def raw(data: bytes | None) -> Callable[[socket.socket], None]:
    def respond(connection: socket.socket) -> None:
        if data is None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
            return
        connection.sendall(data)

    return respond


@pytest.mark.parametrize("service", ["fluidtalk", "captivate"])
def test_what_is_no_answer_ends_the_turn_in_a_fate_or_a_hold(raw_server, make_process, a_turn, service):
    server = raw_server(raw(b""))
    process = make_process(**{service: {"base_url": server.url}})
    for name, data in BROKEN.items():
        server.respond, hits = raw(data), server.hits
        assert a_turn(process), name
        assert server.hits > hits, f"{name} was sent"


def trickle(head: bytes, piece: bytes, pause_seconds: float) -> Callable[[socket.socket], None]:
    def respond(connection: socket.socket) -> None:
        connection.sendall(head)
        # Until the other side hangs up.
        while True:
            connection.sendall(piece)
            time.sleep(pause_seconds)

    return respond


SLOW = {
    "headers without end": trickle(b"HTTP/1.1 200 OK\r\n", b"A: b\r\n", 0.05),
    "a body drop by drop": trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b" ", 0.05),
    "chunks without end": trickle(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.05),
    "hints without end": trickle(b"", b"HTTP/1.1 103 Early\r\n\r\n", 0.05),
}


@pytest.mark.parametrize("service", ["fluidtalk", "captivate"])
@pytest.mark.parametrize("name", SLOW)
def test_an_upstream_that_never_finishes_costs_no_more_than_the_total_time(
    raw_server, make_process, a_turn, service, name
):
    server = raw_server(SLOW[name])
    process = make_process(**{service: {"base_url": server.url, "total_seconds": 1}, "retry": {"attempts": 1}})
    assert a_turn(process, FollowUp if service == "fluidtalk" else InboundChat)
    assert server.hits


@pytest.mark.parametrize("service", ["fluidtalk", "captivate"])
def test_an_answer_without_end_is_not_read_to_the_end(raw_server, make_process, a_turn, service):
    sent = []

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
        sent.append(0)
        for _ in range(4096):
            connection.sendall(piece)
            sent[-1] += 65_536

    server = raw_server(flood)
    process = make_process(**{service: {"base_url": server.url}})
    a_turn(process)
    assert sent
    # What the client keeps at most, and what lies in the buffers of both ends.
    assert max(sent) < 16 * 1024 * 1024
