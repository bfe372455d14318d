"""Senders who mean harm, by hand: what they hold, and what they send beside a body, takes nothing from others."""

from __future__ import annotations

import asyncio
import itertools
import re
import socket

import pytest
import uvicorn
from uvicorn.server import ServerState

from config.ingress import Ingress
from tests.worker.web.raw_http import BODY, CHAT, HEAD, LENGTH, LIVE, SIGNED, TOKEN, answer_of, flood
from worker.web.connections import limited

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
MIB = 1 << 20


def test_who_only_looks_like_a_signer_keeps_nobody_out(strict, connect):
    for _ in range(60):
        connect().sendall(SIGNED + b"Content-Length: 3000\r\n\r\n" + b"x" * 1000)
    assert strict.post("/v1/events", CHAT).status_code == 202


class Transport(asyncio.Transport):
    """A connection of a sender who takes nothing; ``ended``: how it ended."""

    def __init__(self):
        super().__init__({"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)})
        self.ended = ""

    def write(self, data):
        """Keep nothing."""

    def is_closing(self):
        return bool(self.ended)

    def close(self):
        self.ended = self.ended or "closed"

    def abort(self):
        self.ended = "aborted"

    def pause_reading(self):
        """Nothing comes by itself."""

    def resume_reading(self):
        """Likewise."""


async def _busy(scope, receive, send):
    await asyncio.sleep(60)


@pytest.mark.parametrize("takes_nothing", [True, False])
def test_who_takes_no_answer_loses_its_place_and_who_waits_for_one_keeps_it(takes_nothing):
    async def two_senders():
        config = uvicorn.Config(_busy, log_config=None, access_log=False)
        config.load()
        protocol = limited(Ingress(connections=1))
        state = ServerState()
        first, second = Transport(), Transport()
        connections = [protocol(config=config, server_state=state, app_state={}) for _ in range(2)]
        connections[0].connection_made(first)
        connections[0].data_received(LIVE)
        if takes_nothing:
            connections[0].pause_writing()
        connections[1].connection_made(second)
        for each in connections:
            each.connection_lost(ConnectionResetError())
        for task in state.tasks:
            task.cancel()
        return first.ended, second.ended

    assert asyncio.run(two_senders()) == (("aborted", "") if takes_nothing else ("", "aborted"))


def test_who_sends_on_without_waiting_for_answers_gets_some_of_them_and_is_cut_off(connect):
    connection = connect()
    connection.sendall(LIVE * 400)
    assert 1 <= answer_of(connection).count(b"HTTP/1.1 200") < 40


@pytest.mark.parametrize("head", [HEAD, HEAD.replace(TOKEN.encode(), b"wrong")], ids=["source", "stranger"])
@pytest.mark.parametrize(
    ("first", "piece"),
    [(b"0\r\nX: ", b"x" * 65536), (b"1;x=", b"x" * 65536), (b"0\r\n", b"X: y\r\n" * 10_000)],
    ids=["a trailer", "a chunk extension", "many trailers"],
)
def test_what_goes_on_for_ever_beside_a_body_is_cut_off(connect, head, first, piece):
    connection = connect()
    connection.sendall(head + CHUNKED + first)
    assert flood(connection, piece, 200 * MIB) < 50 * MIB


def test_too_many_bodies_under_way_cost_the_slowest_one_and_no_other(connect):
    slow, other = connect(), connect()
    for each in (slow, other):
        each.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 150000\r\n\r\n")
        assert each.recv(65536).startswith(b"HTTP/1.1 100")
        each.sendall(b" " * 120_000)
    told = slow.recv(65536)
    assert told.startswith(b"HTTP/1.1 408")
    other.sendall(b" " * (30_000 - len(BODY)) + BODY)
    assert b"the slowest of the bodies" in told + slow.recv(65536)
    assert other.recv(65536).startswith(b"HTTP/1.1 202")


@pytest.mark.parametrize(
    "lines",
    [
        LENGTH + CHUNKED + b"0\r\n\r\n",
        LENGTH + LENGTH + b"\r\n" + BODY,
        LENGTH + b"Content-Length: 3\r\n\r\n" + BODY,
        b"Content-Length: +5\r\n\r\n" + BODY,
        b"Content-Length: -5\r\n\r\n" + BODY,
        b"Content-Length: " + b"9" * 40 + b"\r\n\r\n" + BODY,
        b"Transfer-Encoding: xchunked\r\n\r\n" + BODY,
        b"X: a\r\n b\r\n" + LENGTH + b"\r\n" + BODY,
        b"X : a\r\n" + LENGTH + b"\r\n" + BODY,
        b"X: a\0b\r\n" + LENGTH + b"\r\n" + BODY,
    ],
    ids=["two ways", "twice", "two lengths", "plus", "minus", "huge", "coding", "folded", "blank", "zero byte"],
)
def test_a_request_whose_end_two_servers_could_see_in_two_places_is_refused(connect, waiting, lines):
    connection = connect()
    connection.sendall(HEAD + lines)
    assert answer_of(connection).startswith(b"HTTP/1.1 400")
    assert waiting() == []


def test_what_comes_behind_a_request_takes_its_answer_from_nobody(connect, waiting):
    connection = connect()
    connection.sendall(HEAD + LENGTH + b"\r\n" + BODY + b"\0 no HTTP\r\n\r\n")
    assert answer_of(connection).startswith(b"HTTP/1.1 202")
    assert len(waiting()) == 1


def test_a_sender_that_says_it_sends_nothing_more_gets_its_answer(connect):
    connection = connect()
    connection.sendall(HEAD + LENGTH + b"\r\n" + BODY)
    connection.shutdown(socket.SHUT_WR)
    assert answer_of(connection).startswith(b"HTTP/1.1 202")
    half = connect()
    half.sendall(HEAD + LENGTH + b"\r\n" + BODY[:20])
    half.shutdown(socket.SHUT_WR)
    assert answer_of(half) == b""


def test_who_hangs_up_in_the_middle_writes_nothing_into_the_log(strict, connect):
    whole = HEAD + LENGTH + b"\r\n" + BODY
    for _ in range(30):
        connection = connect()
        connection.sendall(whole + HEAD + b"Content-Length: 100\r\n\r\n{")
        connection.shutdown(socket.SHUT_WR)
        answer_of(connection)
    assert strict.get("/health/live").status_code == 200
    assert "Traceback" not in strict.log.read_text()


@pytest.mark.parametrize("offer", [b"websocket", b"h2c"])
@pytest.mark.parametrize("cut", [b"", b"\r\nUpgra"])
def test_a_sender_that_offers_another_protocol_is_answered_in_this_one(connect, strict, waiting, offer, cut):
    # As Java's client does with each of its first requests.
    connection = connect()
    request = HEAD + b"Connection: Upgrade\r\nUpgrade: " + offer + b"\r\n" + LENGTH + b"\r\n" + BODY
    first, _, rest = request.partition(cut) if cut else (request, b"", b"")
    connection.sendall(first + cut)
    # What was sent before this is answered has been read.
    strict.get("/health/live")
    connection.sendall(rest)
    connection.sendall(LIVE.replace(b"Host", b"Connection: close\r\nHost"))
    assert re.findall(rb"HTTP/1.1 (\d+)", answer_of(connection)) == [b"202", b"200"]
    assert len(waiting()) == 1


OFFERS = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
WHOLE = HEAD + LENGTH + b"\r\n" + BODY
OFFERING = HEAD + OFFERS + LENGTH + b"\r\n" + BODY
OFFERING_IN_CHUNKS = HEAD + OFFERS + CHUNKED + b"%x\r\n" % len(BODY) + BODY + b"\r\n0\r\n\r\n"
LAST = LIVE.replace(b"Host", b"Connection: close\r\nHost")


@pytest.mark.parametrize("offering", [OFFERING, OFFERING_IN_CHUNKS], ids=["a length", "chunks"])
@pytest.mark.parametrize("cut", [0, len(HEAD + LENGTH), len(WHOLE) + 3, len(WHOLE + HEAD) + 20])
def test_an_offer_in_a_request_that_is_sent_ahead_is_answered_like_any_other(connect, strict, waiting, offering, cut):
    connection, sent = connect(), WHOLE + offering + offering + LAST
    connection.sendall(sent[:cut])
    # What was sent before this is answered has been read.
    strict.get("/health/live")
    connection.sendall(sent[cut:])
    assert re.findall(rb"HTTP/1.1 (\d+)", answer_of(connection)) == [b"202", b"202", b"202", b"200"]
    assert len(waiting()) == 3


def test_an_offer_without_a_body_takes_no_answer_from_what_is_sent_behind_it(connect):
    connection = connect()
    connection.sendall(LIVE + LIVE.replace(b"Host", OFFERS + b"Host") + LAST)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer_of(connection)) == [b"200"] * 3


def test_who_wants_a_tunnel_is_refused_and_takes_no_answer_from_the_request_before(connect, waiting):
    tunnel = b"CONNECT localhost:6379 HTTP/1.1\r\nHost: localhost:6379\r\n\r\n"
    connection = connect()
    connection.sendall(tunnel + LIVE)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer_of(connection)) == [b"400"]
    connection = connect()
    connection.sendall(WHOLE + tunnel + WHOLE)
    assert re.findall(rb"HTTP/1.1 (\d+)", answer_of(connection)) == [b"202"]
    assert len(waiting()) == 1


def test_who_sends_offers_without_end_is_cut_off(connect):
    connection = connect()
    connection.sendall(LIVE.replace(b"Host", OFFERS + b"Host") * 400)
    assert 1 <= answer_of(connection).count(b"HTTP/1.1 200") < 40


UPGRADING = (
    b"POST /v1/events HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nUpgrade-Insecure-Requests: 1\r\n"
    + LENGTH
    + b"\r\n"
    + BODY
)
IN_HEAD = range(1, len(UPGRADING) - len(BODY) + 1)


@pytest.mark.parametrize(
    "cuts",
    [[(place,) for place in IN_HEAD], [(place, place + 1) for place in IN_HEAD], [IN_HEAD]],
    ids=["in two", "around each byte", "into bytes"],
)
def test_a_request_that_is_cut_anywhere_is_taken_as_a_whole_one(cuts):
    got = []

    async def note(scope, receive, send):
        body = b""
        while (message := await receive())["type"] == "http.request" and message["more_body"]:
            body += message["body"]
        got.append((dict(scope["headers"]), body + message["body"]))

    async def senders():
        config = uvicorn.Config(note, log_config=None, access_log=False)
        config.load()
        protocol, state = limited(Ingress()), ServerState()
        for places in cuts:
            connection = protocol(config=config, server_state=state, app_state={})
            connection.connection_made(Transport())
            for begin, end in itertools.pairwise((0, *places, len(UPGRADING))):
                connection.data_received(UPGRADING[begin:end])
            await asyncio.gather(*state.tasks)
            connection.connection_lost(None)

    asyncio.run(senders())
    assert [body for _, body in got] == [BODY] * len(cuts)
    for headers, _ in got:
        assert headers[b"upgrade-insecure-requests"] == b"1"
        assert b"upgrade" not in headers


@pytest.mark.parametrize(
    "body",
    [
        BODY.decode().encode("utf-16"),
        BODY.replace(b"hi", b"\xc3"),
        BODY.replace(b"hi", b"\xed\xa0\x80"),
        b"\xff\xfe",
        b"",
    ],
    ids=["utf-16", "cut off", "half a character", "a mark", "nothing"],
)
def test_what_is_no_utf_8_is_400(strict, waiting, body):
    answer = strict.post("/v1/events", body)
    assert (answer.status_code, answer.json()["type"]) == (400, "/problems/not-json")
    assert waiting() == []


@pytest.mark.slow
def test_two_thousand_connections_held_open_keep_nobody_out(start_web, redis_server, store, need):
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] != resource.RLIM_INFINITY and before[1] < 2500:
        need("this user may not open 2500 files at once")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2500, before[1]))
    web = start_web(redis_server.url)
    port, held = int(web.origin.rpartition(":")[2]), []
    try:
        for number in range(2000):
            held.append(socket.create_connection(("127.0.0.1", port), timeout=20))
            held[-1].sendall((b"", b"POST /v1/ev", HEAD, HEAD + LENGTH + b"\r\n{")[number % 4])
        assert [web.post("/v1/events", CHAT).status_code for _ in range(20)] == [202] * 20
    finally:
        for each in held:
            each.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
