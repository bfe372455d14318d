"""Every fault, as a client meets it on the wire, and what it leaves behind on the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from simulation.upstreams.control import SimulatedUpstreams
from simulation.upstreams.faults import FaultKind, FaultRule

Exchange = Callable[[str, bytes], bytes]
ChatRequest = Callable[[str, str], bytes]
SendRequest = Callable[[object], bytes]
Eventually = Callable[..., Any]

# The event loop of the doubles counts in whole milliseconds.
TIMER_SECONDS = 0.002


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


def chat(
    upstreams: SimulatedUpstreams, target: str = "@lead", message: str = "hi", key: str = "ft_sk_ava"
) -> httpx.Response:
    fields = {"target": target, "message": message}
    url = f"{upstreams.fluidtalk_url}/api/v1/bot/chat"
    # Nothing here speaks TLS, and each call would read the certificates of the machine.
    return httpx.post(url, data=fields, headers={"X-API-Key": key}, timeout=30, verify=False)


def outcome(upstreams: SimulatedUpstreams) -> tuple[bool, int | None, str | None]:
    (call,) = upstreams.calls()
    return call.acted, call.status, call.fault


@pytest.mark.parametrize(("kind", "acted"), [(FaultKind.DROP, False), (FaultKind.ACT_THEN_DROP, True)])
def test_a_dropped_connection_carries_not_a_single_byte(
    kind: FaultKind, acted: bool, upstreams: SimulatedUpstreams, exchange_bytes: Exchange, chat_request: ChatRequest
) -> None:
    upstreams.add_fault(FaultRule(kind=kind, first=1))

    assert exchange_bytes(upstreams.fluidtalk_url, chat_request("@lead", "hi")) == b""

    assert outcome(upstreams) == (acted, None, kind.value)
    chat(upstreams)
    assert upstreams.calls()[1].turn == (2 if acted else 1)


@pytest.mark.parametrize(("kind", "delivered"), [(FaultKind.DROP, 0), (FaultKind.ACT_THEN_DROP, 1)])
def test_captivate_drops_before_or_after_the_delivery(
    kind: FaultKind,
    delivered: int,
    upstreams: SimulatedUpstreams,
    exchange_bytes: Exchange,
    send_request: SendRequest,
    captivate_body: dict[str, object],
) -> None:
    upstreams.add_fault(FaultRule(kind=kind, service="captivate"))

    assert exchange_bytes(upstreams.captivate_url, send_request(captivate_body)) == b""

    assert len(upstreams.deliveries("session-1")) == delivered
    assert outcome(upstreams) == (bool(delivered), None, kind.value)


def test_half_an_answer_stops_in_the_middle_of_its_body(
    upstreams: SimulatedUpstreams, exchange_bytes: Exchange, chat_request: ChatRequest
) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.HALF_ANSWER))

    answer = exchange_bytes(upstreams.fluidtalk_url, chat_request("@lead", "hi"))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    announced = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    assert len(body) == announced // 2
    assert body.startswith(b'{"reply":"You said: hi"')
    assert outcome(upstreams) == (True, 200, "half_answer")


def test_another_status_with_its_body_and_headers(upstreams: SimulatedUpstreams) -> None:
    upstreams.add_fault(
        FaultRule(kind=FaultKind.ANSWER, status=418, body={"error": "ü"}, headers={"X-Trace": "7"}, nth=1)
    )
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=503, body="<h1>busy</h1>", first=1))
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=402))

    first, second, third = chat(upstreams), chat(upstreams), chat(upstreams)

    assert (first.status_code, first.json(), first.headers["x-trace"]) == (418, {"error": "ü"}, "7")
    assert (second.status_code, second.text) == (503, "<h1>busy</h1>")
    assert second.headers["content-type"] == "text/plain; charset=utf-8"
    assert (third.status_code, third.json()) == (402, {"detail": "Payment Required"})
    assert [call.acted for call in upstreams.calls()] == [False, False, False]


def test_a_server_can_act_and_fail_all_the_same(upstreams: SimulatedUpstreams) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=500, acts=True))

    assert chat(upstreams).status_code == 500
    assert outcome(upstreams) == (True, 500, "answer")


def test_retry_after_in_seconds_and_as_a_date(upstreams: SimulatedUpstreams) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=429, retry_after_seconds=7, nth=1))
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=429, retry_after_seconds=90, retry_after_as_date=True))

    assert chat(upstreams).headers["retry-after"] == "7"
    date = parsedate_to_datetime(chat(upstreams).headers["retry-after"])
    assert 80 < date.timestamp() - time.time() <= 91


def test_a_late_answer_is_the_right_one(upstreams: SimulatedUpstreams) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.DELAY, delay_seconds=0.2))
    began = time.monotonic()

    assert chat(upstreams).json()["replies"] == ["You said: hi"]

    assert time.monotonic() - began >= 0.2 - TIMER_SECONDS
    (call,) = upstreams.calls()
    assert call.end_monotonic - call.start_monotonic >= 0.2 - TIMER_SECONDS
    assert outcome(upstreams) == (True, 200, "delay")


def test_a_page_instead_of_json(upstreams: SimulatedUpstreams) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.NOT_JSON))

    answer = chat(upstreams)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()
    assert outcome(upstreams) == (True, 200, "not_json")


def test_an_empty_answer_has_neither_body_nor_length(
    upstreams: SimulatedUpstreams, exchange_bytes: Exchange, chat_request: ChatRequest
) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.EMPTY))
    request = chat_request("@lead", "hi").replace(b"Host:", b"Connection: close\r\nHost:")

    head, _, body = exchange_bytes(upstreams.fluidtalk_url, request).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 204 ")
    assert b"content-length" not in head.lower()
    assert b"transfer-encoding" not in head.lower()
    assert body == b""
    assert outcome(upstreams) == (True, 204, "empty")


def test_a_huge_answer_is_json_of_the_size_asked_for(upstreams: SimulatedUpstreams) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.HUGE, body_bytes=6_000_000))

    answer = chat(upstreams)

    assert len(answer.content) == 6_000_000
    assert list(answer.json()) == ["filler"]
    assert outcome(upstreams) == (True, 200, "huge")


def test_a_redirect_names_its_location(upstreams: SimulatedUpstreams) -> None:
    location = f"{upstreams.captivate_url}/elsewhere"
    upstreams.add_fault(FaultRule(kind=FaultKind.REDIRECT, location=location, nth=1))
    upstreams.add_fault(FaultRule(kind=FaultKind.REDIRECT, location=location, status=302))

    first, second = chat(upstreams), chat(upstreams)

    assert (first.status_code, first.headers["location"]) == (307, location)
    assert (second.status_code, second.headers["location"]) == (302, location)
    assert not any(call.acted for call in upstreams.calls())


def in_flight(upstreams: SimulatedUpstreams) -> int:
    return upstreams.summary()["fluidtalk"].in_flight


def hanging_call(
    upstreams: SimulatedUpstreams, background: ThreadPoolExecutor, eventually: Eventually
) -> Future[httpx.Response]:
    waiting = background.submit(chat, upstreams)
    eventually(lambda: in_flight(upstreams) == 1, "the call is under way")
    return waiting


def test_a_hanging_call_waits_until_it_is_released(
    upstreams: SimulatedUpstreams, background: ThreadPoolExecutor, eventually: Eventually
) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.HANG, target="@lead"))
    waiting = hanging_call(upstreams, background, eventually)
    upstreams.clear_faults()
    assert chat(upstreams, "@other").status_code == 200
    assert not waiting.done()

    upstreams.release()

    assert isinstance(waiting.exception(5), httpx.RemoteProtocolError)
    hung = upstreams.calls()[-1]
    assert (hung.target, hung.acted, hung.status, hung.fault) == ("@lead", False, None, "hang")
    assert not hung.client_gone


def test_a_hanging_call_ends_when_the_client_leaves(upstreams: SimulatedUpstreams, eventually: Eventually) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.HANG, acts=True))
    fields = {"target": "@lead", "message": "hi"}
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(
            f"{upstreams.fluidtalk_url}/api/v1/bot/chat", data=fields, headers={"X-API-Key": "ft_sk_ava"}, timeout=0.1
        )

    (call,) = eventually(upstreams.calls, "the call ends")

    assert (call.acted, call.status, call.client_gone) == (True, None, True)
    assert in_flight(upstreams) == 0


def test_a_hanging_call_ends_after_its_time(upstreams: SimulatedUpstreams) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.HANG, delay_seconds=0.1))

    with pytest.raises(httpx.RemoteProtocolError):
        chat(upstreams)

    (call,) = upstreams.calls()
    assert 0.1 - TIMER_SECONDS <= call.end_monotonic - call.start_monotonic < 2


def test_a_reset_lets_go_of_hanging_calls(
    upstreams: SimulatedUpstreams, background: ThreadPoolExecutor, eventually: Eventually
) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.HANG))
    waiting = hanging_call(upstreams, background, eventually)

    upstreams.reset()

    assert isinstance(waiting.exception(5), httpx.RemoteProtocolError)
    assert chat(upstreams).status_code == 200
    assert [call.fault for call in upstreams.calls()] == [None]


MATCHING = {
    "everything": ({}, True),
    "its service": ({"service": "fluidtalk"}, True),
    "another service": ({"service": "captivate"}, False),
    "its path": ({"path": "/api/v1/bot/action"}, True),
    "another path": ({"path": "/api/v1/bot/chat"}, False),
    "its action": ({"action": "OUTREACH"}, True),
    "another action": ({"action": "FOLLOW_UP"}, False),
    "its persona": ({"persona": "ava"}, True),
    "another persona": ({"persona": "bea"}, False),
    "its target": ({"target": "@lead"}, True),
    "another target": ({"target": "@other"}, False),
    "a session": ({"session_id": "session-1"}, False),
    "all but one": ({"persona": "ava", "target": "@other"}, False),
}


@pytest.mark.parametrize(("which", "hit"), MATCHING.values(), ids=MATCHING)
def test_a_rule_concerns_only_what_it_names(which: dict[str, Any], hit: bool, upstreams: SimulatedUpstreams) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=500, **which))

    answer = httpx.post(
        f"{upstreams.fluidtalk_url}/api/v1/bot/action",
        data={"target": "@lead", "action": "OUTREACH"},
        headers={"X-API-Key": "ft_sk_ava"},
    )

    assert answer.status_code == (500 if hit else 200)


def test_a_rule_can_concern_one_captivate_session(
    upstreams: SimulatedUpstreams, captivate_body: dict[str, object]
) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=500, session_id="session-1"))
    url = f"{upstreams.captivate_url}/api/channel/v2/sendMessage"

    assert httpx.post(url, json=captivate_body).status_code == 500
    assert httpx.post(url, json={**captivate_body, "session_id": "session-2"}).status_code == 200


@pytest.mark.parametrize(
    ("which", "expected"),
    [({"nth": 2}, [200, 500, 200, 200]), ({"first": 2}, [500, 500, 200, 200]), ({}, [500, 500, 500, 500])],
)
def test_a_rule_counts_the_calls_it_matches(
    which: dict[str, int], expected: list[int], upstreams: SimulatedUpstreams
) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=500, target="@lead", **which))

    statuses = []
    for _ in range(4):
        assert chat(upstreams, "@other").status_code == 200
        statuses.append(chat(upstreams).status_code)

    assert statuses == expected


def test_chance_is_the_same_for_the_same_seed(upstreams: SimulatedUpstreams) -> None:
    runs = []
    for seed in (1, 1, 2):
        upstreams.reset()
        upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=500, probability=0.3, seed=seed))
        runs.append([chat(upstreams).status_code for _ in range(40)])

    assert runs[0] == runs[1]
    assert runs[0] != runs[2]
    assert 3 <= runs[0].count(500) <= 24


def test_faults_stop_when_they_are_cleared(upstreams: SimulatedUpstreams) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=500))
    assert chat(upstreams).status_code == 500
    upstreams.clear_faults()
    assert chat(upstreams).status_code == 200


def test_a_fault_comes_before_the_key_is_looked_at(upstreams: SimulatedUpstreams) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=503, nth=1))

    assert [chat(upstreams, key="ft_sk_wrong").status_code for _ in range(2)] == [503, 401]


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ({"kind": "answer"}, "needs a status"),
        ({"kind": "redirect"}, "needs a location"),
        ({"kind": "drop", "nth": 1, "first": 1}, "nth or first"),
        ({"kind": "delay", "acts": False}, "must take effect"),
        ({"kind": "half_answer", "acts": False}, "must take effect"),
        ({"kind": "explode"}, "kind"),
        ({"kind": "drop", "nth": 0}, "nth"),
        ({"kind": "drop", "probability": 1.5}, "probability"),
        ({"kind": "drop", "target_": "@lead"}, "target_"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        FaultRule(**rule)
