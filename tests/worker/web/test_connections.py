"""Senders that are slow, silent, many or large do no harm: they are cut off, and others are served meanwhile."""

from __future__ import annotations

import json

import pytest

from tests.worker.web.raw_http import CHAT, HEAD, TOKEN, answer_of, drip


@pytest.mark.parametrize("first", [b"", b"POST /v1/ev", HEAD], ids=["nothing", "a line", "headers"])
def test_a_silent_sender_is_cut_off(connect, first):
    connection = connect()
    connection.sendall(first)
    assert answer_of(connection) == b""


def test_a_head_that_drips_is_cut_off(connect):
    connection = connect()
    connection.sendall(HEAD + b"X-Slow: ")
    drip(connection, b"x")


@pytest.mark.parametrize(
    ("first", "then"), [(HEAD + b"X-Slow: ", b"x"), (b"", b"\r\n")], ids=["a header", "line breaks"]
)
def test_the_second_head_of_a_connection_has_no_more_time_than_the_first(connect, first, then):
    connection = connect()
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    connection.sendall(first)
    drip(connection, then)


def test_a_body_that_does_not_come_is_408(connect):
    connection = connect()
    connection.sendall(HEAD + b"Content-Length: 100\r\n\r\n{")
    assert answer_of(connection).startswith(b"HTTP/1.1 408")


def test_a_stranger_cannot_hold_a_connection_with_a_body_that_drips(connect):
    connection = connect()
    connection.sendall(HEAD.replace(TOKEN.encode(), b"wrong") + b"Content-Length: 100000\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 401")
    drip(connection, b"x")


def test_an_idle_connection_is_closed(connect):
    connection = connect()
    connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer_of(connection).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "large", [b"X: " + b"x" * 20_000, b"\r\n".join(b"X-%d: x" % number for number in range(3000))], ids=["one", "many"]
)
def test_too_large_a_head_is_431(connect, large):
    connection = connect()
    connection.sendall(HEAD + large + b"\r\n\r\n")
    assert answer_of(connection).startswith(b"HTTP/1.1 431")


def test_what_is_no_http_is_400_and_not_logged(strict, connect):
    connection = connect()
    connection.sendall(b"SECRET\r\n\r\n")
    assert answer_of(connection).startswith(b"HTTP/1.1 400")
    assert "SECRET" not in strict.log.read_text()
    assert "Invalid HTTP" not in strict.log.read_text()


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_too_large_a_body_is_413_and_the_sender_sees_it(strict, store, announced):
    body = json.dumps({**CHAT, "message": "x" * 300_000}).encode()
    answer = strict.post("/v1/events", body) if announced else _in_chunks(strict, body)
    assert answer.status_code == 413
    assert answer.json()["detail"].startswith("the limit is 200000 bytes")


def test_a_new_sender_gets_a_place_when_silent_ones_have_taken_all(strict, connect):
    for _ in range(60):
        connect()
    answer = strict.post("/v1/events", CHAT)
    assert answer.status_code == 202


def _in_chunks(web, body):
    import httpx

    def parts():
        for at in range(0, len(body), 50_000):
            yield body[at : at + 50_000]

    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    return httpx.post(web.origin + "/v1/events", content=parts(), headers=headers, timeout=30)
