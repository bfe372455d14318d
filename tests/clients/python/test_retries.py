"""What is repeated and when, and what becomes of an answer that is none: with servers that fail as they are told."""

from __future__ import annotations

import json
import pickle
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from parley_client import (
    BadAnswer,
    InboundChat,
    InboxFull,
    ParleyError,
    Problem,
    Receipt,
    TooFast,
    TooLarge,
    Unavailable,
    Unreachable,
)
from parley_client.calls import Calls
from parley_client.credentials import NoCredentials
from parley_client.messages import Answer, Lost, Pause, Request
from tests.http_server import Handler, serving
from tests.socket_server import Server

RECEIPT = {"receipt": "abc", "event_id": "m-1", "status": "accepted", "position": 1}
PROBLEM = "application/problem+json"
WORDS = "the-words-of-the-lead"


def chat(**fields):
    return InboundChat(**{"persona": "ava", "target": "@john", "message": WORDS, **fields})


def problem(kind, status, headers=None, members=None):
    common = {"type": f"/problems/{kind}", "status": status, "title": WORDS, "detail": WORDS, "cure": WORDS}
    body = json.dumps({**common, **(members or {})})
    return Answer(status, {"content-type": PROBLEM, **(headers or {})}, body.encode())


def good(value=None):
    return Answer(202, {"content-type": "application/json"}, json.dumps(value or RECEIPT).encode())


class Play:
    """Carries out a flow with answers that are given: no time passes but that of its pauses and tries."""

    def __init__(self, retry_seconds=30.0, try_seconds=0.0):
        self.time = 100.0
        self.try_seconds = try_seconds
        self.requests: list[Request] = []
        self.pauses: list[float] = []
        self.calls = Calls("http://parley", NoCredentials(), retry_seconds, now=lambda: self.time)

    def run(self, flow, answers):
        """``answers``: one for each request; the last one again and again."""
        answers = list(answers)
        try:
            step = next(flow)
            while True:
                if isinstance(step, Pause):
                    self.pauses.append(step.seconds)
                    self.time += step.seconds
                    step = next(flow)
                else:
                    self.requests.append(step)
                    self.time += self.try_seconds
                    step = flow.send(answers.pop(0) if len(answers) > 1 else answers[0])
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize(
    "answer", [Lost("ReadTimeout"), *(Answer(status, {}) for status in (408, 425, 429, 500, 502, 503, 504))]
)
def test_what_may_be_over_soon_is_repeated_with_the_same_event(answer):
    play = Play()
    receipt = play.run(
        play.calls.send({"kind": "ai_opener", "persona": "ava", "target": "@john"}), [answer, answer, good()]
    )
    assert receipt == Receipt(**RECEIPT)
    bodies = {request.body for request in play.requests}
    assert len(play.requests) == 3
    assert len(bodies) == 1
    assert json.loads(bodies.pop())["event_id"]


@pytest.mark.parametrize("status", [300, 302, 400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 501])
def test_what_stays_wrong_is_not_repeated(status):
    play = Play()
    with pytest.raises((Problem, BadAnswer)):
        play.run(play.calls.send(chat()), [Answer(status, {"retry-after": "1"} if status != 409 else {})])
    assert len(play.requests) == 1


def test_a_full_inbox_is_tried_again_when_the_ingress_says_when():
    play = Play()
    full = problem("inbox-full", 409, {"retry-after": "5"})
    assert play.run(play.calls.send(chat()), [full, good()]).status == "accepted"
    assert play.pauses == [5.0]
    with pytest.raises(InboxFull):
        play.run(play.calls.send(chat()), [full])


@pytest.mark.parametrize("form", ["7", "7.0", "date"])
def test_retry_after_is_honoured(form):
    play = Play()
    at = format_datetime(datetime.now(UTC) + timedelta(seconds=8), usegmt=True) if form == "date" else form
    play.run(play.calls.send(chat()), [Answer(503, {"retry-after": at}), good()])
    assert 6 <= play.pauses[0] <= 8


@pytest.mark.parametrize("odd", ["", "soon", "-5", "nan", "inf", "Sun, 99 Nov 2026", "1e400", "9" * 5000])
def test_a_retry_after_that_says_nothing_is_left_out(odd):
    play = Play()
    play.run(play.calls.send(chat()), [Answer(503, {"retry-after": odd}), good()])
    assert play.pauses[0] < 1


def test_a_time_that_is_too_long_is_told_and_not_waited_for():
    play = Play(retry_seconds=30)
    with pytest.raises(TooFast) as caught:
        play.run(play.calls.send(chat()), [problem("too-fast", 429, {"retry-after": "31"})])
    assert (caught.value.retry_after, play.pauses) == (31.0, [])


@pytest.mark.parametrize("try_seconds", [0.0, 10.0])
@pytest.mark.parametrize(
    "answer", [Lost("ConnectTimeout"), Answer(503, {"retry-after": "0"}), problem("internal", 500)]
)
def test_retries_end(answer, try_seconds):
    play = Play(retry_seconds=30, try_seconds=try_seconds)
    with pytest.raises(ParleyError):
        play.run(play.calls.send(chat()), [answer])
    assert 2 <= len(play.requests) <= 40
    assert play.time <= 100 + 30 + try_seconds
    assert max(play.pauses) <= 5


def test_without_retries_there_is_one_try():
    play = Play(retry_seconds=0)
    with pytest.raises(Unreachable):
        play.run(play.calls.send(chat()), [Lost("ReadTimeout")])
    assert len(play.requests) == 1


def test_when_a_request_of_many_fails_what_is_left_can_be_sent_again():
    play = Play(retry_seconds=0)
    events = [chat(event_id=f"m-{number}") for number in range(2500)]
    events[5] = {"kind": "spam"}
    events[1200] = {"kind": "inbound_chat", "persona": "ava", "target": "@john", "message": "without an id"}
    events[2200] = "spam"
    arrays = [good({"results": [RECEIPT] * 1000}), Lost("ReadTimeout")]
    with pytest.raises(Unreachable) as caught:
        play.run(play.calls.send_many(events), arrays)
    error = caught.value
    assert len(play.requests) == 2
    assert len(error.results) + len(error.unsent) == 2500
    assert [type(result).__name__ for result in error.results[4:7]] == ["Receipt", "InvalidEvent", "Receipt"]
    sent = json.loads(play.requests[1].body)
    known = [event for event in error.unsent if event != "spam"]
    assert [event["event_id"] for event in sent] == [event.event_id for event in known[:1000]]


def test_an_array_that_is_too_large_is_halved_and_one_event_too_large_is_its_own_result():
    play = Play()
    events = [chat(event_id=str(number)) for number in range(4)]

    def answer(body):
        sent = json.loads(body)
        if len(sent) > 1 or sent[0]["event_id"] == "2":
            return problem("body-too-large", 413)
        return good({"results": [{**RECEIPT, "event_id": sent[0]["event_id"]}]})

    flow = play.calls.send_many(events)
    step = next(flow)
    results = None
    while results is None:
        try:
            step = flow.send(answer(step.body))
        except StopIteration as end:
            results = end.value
    assert [getattr(result, "event_id", None) for result in results] == ["0", "1", None, "3"]
    assert isinstance(results[2], TooLarge)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {"content-type": "text/html"}, b"<html>" + WORDS.encode()),
        Answer(202, {}, b"[" * 100_000),
        Answer(202, {}, b"\xff"),
        Answer(202, {}, b"[]"),
        Answer(202, {}, json.dumps({**RECEIPT, "position": WORDS}).encode()),
        Answer(404, {"content-type": "text/html"}, WORDS.encode()),
        Answer(422, {"content-type": PROBLEM}, WORDS.encode()),
        Answer(302, {"location": f"http://elsewhere/{WORDS}"}),
    ],
)
def test_an_answer_that_is_not_the_ingress_s_is_told_without_its_words(answer):
    play = Play()
    with pytest.raises(BadAnswer) as caught:
        play.run(play.calls.send(chat()), [answer])
    assert caught.value.status == answer.status
    assert WORDS not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize("results", [None, [], [RECEIPT] * 3, "two"])
def test_results_that_do_not_fit_the_events_are_no_results(results):
    play = Play()
    with pytest.raises(BadAnswer) as caught:
        play.run(play.calls.send_many([chat(), chat()]), [good({"results": results})])
    assert len(caught.value.unsent) == 2


def test_a_result_that_is_none_is_an_error_in_its_place():
    play = Play()
    odd = [RECEIPT, None, {"receipt": 5}, {"status": "x"}]
    results = play.run(play.calls.send_many([chat() for _ in odd]), [good({"results": odd})])
    assert [type(result).__name__ for result in results] == ["Receipt", "BadAnswer", "BadAnswer", "Problem"]


@pytest.mark.parametrize(
    "answer",
    [
        problem("refused", 422, members={"field": "target", "cause": "invalid_event"}),
        problem(WORDS, 422, members={"field": f"a {WORDS}", "cause": f"{WORDS} {WORDS}"}),
        problem("refused", 422, members={"status": WORDS, "field": [WORDS], "cause": {"a": WORDS}}),
        problem("internal", 500),
        Lost("ReadError"),
    ],
)
def test_no_words_in_an_error_or_what_is_logged_of_it(answer):
    play = Play(retry_seconds=0)
    with pytest.raises(ParleyError) as caught:
        play.run(play.calls.send(chat()), [answer])
    error = caught.value
    assert WORDS not in repr(error) + str(error)
    assert (error.__cause__, error.__suppress_context__ or error.__context__ is None) == (None, True)
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.unsent) == (type(error), str(error), error.unsent)


def test_each_problem_of_the_ingress_has_its_error():
    from worker.web.problems import KINDS

    play = Play(retry_seconds=0)
    for kind, meant in KINDS.items():
        with pytest.raises(Problem) as caught:
            play.run(play.calls.send(chat()), [problem(kind, meant.status)])
        assert (caught.value.kind, caught.value.status) == (kind, meant.status)
        if meant.status >= 500:
            assert type(caught.value) is Unavailable
        # What only a wrong use of HTTP gets has no error of its own: the client makes none.
        elif kind not in ("not-json", "not-found", "method-not-allowed", "media-type", "query"):
            assert type(caught.value) is not Problem


def test_a_connection_that_ends_in_the_middle_is_tried_again(connect):
    def half(connection: socket.socket) -> None:
        server.read_request(connection)
        if len(server.received) == 1:
            connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\n{")
            return
        body = json.dumps(RECEIPT).encode()
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    server = Server(half)
    try:
        assert connect(server.url).send(chat()) == Receipt(**RECEIPT)
        first, second = (request.partition(b"\r\n\r\n")[2] for request in server.received)
        assert first == second
    finally:
        server.close()


def test_nobody_there_is_told_as_such(connect):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match="ConnectError"):
        connect(f"http://127.0.0.1:{port}", retry_seconds=0.5).send(chat())


def test_an_answer_that_trickles_is_given_up_after_its_time(connect):
    over = threading.Event()

    def trickle(connection: socket.socket) -> None:
        server.read_request(connection)
        connection.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100000\r\n\r\n")
        while not over.wait(0.05):
            connection.sendall(b" ")

    server = Server(trickle)
    try:
        began_at = time.monotonic()
        with pytest.raises(Unreachable, match="TooLong"):
            connect(server.url, timeout=0.5, retry_seconds=0).send(chat())
        assert time.monotonic() - began_at > 0.4
    finally:
        over.set()
        server.close()


def test_an_answer_without_end_fills_no_memory(connect, monkeypatch):
    monkeypatch.setattr("parley_client.transport.MOST_ANSWER_BYTES", 100_000)

    class Endless(Handler):
        def respond(self) -> None:
            self.body()
            self.answer(202, b" " * 1_000_000)

    with serving(Endless) as origin, pytest.raises(Unreachable, match="TooLong"):
        connect(origin, retry_seconds=0).send(chat())


def test_a_redirect_is_not_followed_and_the_token_stays_here(connect):
    asked = []

    class Elsewhere(Handler):
        def respond(self) -> None:
            self.body()
            asked.append(self.path)
            self.answer(307, headers={"Location": "/elsewhere"})

    with serving(Elsewhere) as origin, pytest.raises(BadAnswer, match="307"):
        connect(origin).send(chat())
    assert asked == ["/v1/events"]
