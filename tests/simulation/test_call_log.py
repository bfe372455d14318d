"""The log tells what happened: order, overlaps, who left, and survives the death of the process in its file."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulation.upstreams.call_log import Call, CallLog
from simulation.upstreams.control import SimulatedUpstreams

Eventually = Callable[..., Any]


class Line:
    """A connection for the log."""

    def __init__(self) -> None:
        self.closed = False

    def is_closing(self) -> bool:
        return self.closed


def chat(upstreams: SimulatedUpstreams, target: str, message: str = "hi", timeout: float = 30.0) -> httpx.Response:
    # Nothing here speaks TLS, and each call would read the certificates of the machine.
    return httpx.post(
        f"{upstreams.fluidtalk_url}/api/v1/bot/chat",
        data={"target": target, "message": message},
        headers={"X-API-Key": "ft_sk_ava"},
        timeout=timeout,
        verify=False,
    )


@pytest.fixture
def log() -> Iterator[CallLog]:
    made = CallLog()
    yield made
    made.close()


def call_of(target: str | None = "@lead", service: Any = "fluidtalk") -> Call:
    return Call(service=service, method="POST", path="/", persona="ava", target=target)


def test_arrival_and_end_are_numbered_on_their_own(log: CallLog) -> None:
    slow, quick = call_of("@slow"), call_of("@quick")
    log.begin(slow, Line())
    log.begin(quick, Line())
    assert log.since(0, 10) == []

    log.end(quick)
    log.end(slow)
    log.end(slow)

    assert [(call.target, call.arrived, call.seq) for call in log.since(0, 10)] == [("@quick", 2, 1), ("@slow", 1, 2)]


def test_since_and_limit_page_through_the_log(log: CallLog) -> None:
    for _ in range(5):
        call = call_of()
        log.begin(call, Line())
        log.end(call)

    assert [call.seq for call in log.since(2, 2)] == [3, 4]
    assert [call.seq for call in log.since(4, 2)] == [5]
    assert log.since(5, 2) == []


def test_calls_of_one_conversation_overlap_only_while_the_client_is_there(log: CallLog) -> None:
    first_line = Line()
    log.begin(call_of(), first_line)
    second = call_of()
    log.begin(second, Line())
    assert second.overlaps == 1

    first_line.closed = True
    third = call_of()
    log.begin(third, Line())
    assert third.overlaps == 1
    log.end(second)
    log.end(third)

    fourth = call_of()
    log.begin(fourth, Line())
    assert fourth.overlaps == 0


@pytest.mark.parametrize("other", [call_of("@other"), call_of(None), Call(service="captivate", method="", path="")])
def test_calls_of_different_conversations_do_not_overlap(other: Call, log: CallLog) -> None:
    log.begin(call_of(), Line())
    log.begin(other, Line())
    assert other.overlaps == 0


def test_a_reset_forgets_calls_under_way_and_uses_no_number_twice(log: CallLog) -> None:
    before, under_way = call_of(), call_of()
    log.begin(before, Line())
    log.end(before)
    log.begin(under_way, Line())

    log.reset()
    assert log.summary["fluidtalk"].in_flight == 1
    log.end(under_way)
    after = call_of()
    log.begin(after, Line())
    log.end(after)

    assert [(call.arrived, call.seq) for call in log.since(0, 10)] == [(3, 2)]
    assert (log.summary["fluidtalk"].calls, log.summary["fluidtalk"].in_flight) == (1, 0)


def test_a_call_reads_back_as_it_was_written() -> None:
    call = Call(service="captivate", method="POST", path="/x", fields={"a": ["ü", "\ud800", None]}, status=200)
    line = call.to_json()

    assert "\n" not in line
    assert Call(**json.loads(line)) == call


def test_overlapping_calls_of_a_lead_are_counted(upstreams: SimulatedUpstreams) -> None:
    upstreams.set_latency(3.0)  # all three have begun by then, also on a busy machine
    targets = ["@lead", "@lead", "@other"]
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda target: chat(upstreams, target), targets))

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    overlaps = {(call.target, call.overlaps) for call in upstreams.calls()}
    assert overlaps == {("@lead", 0), ("@lead", 1), ("@other", 0)}
    assert sorted(call.turn or 0 for call in upstreams.calls() if call.target == "@lead") == [1, 2]
    counts = upstreams.summary()["fluidtalk"]
    assert (counts.max_in_flight, counts.in_flight) == (3, 0)


def test_a_call_whose_client_left_was_heard_and_does_not_overlap_the_next_one(
    upstreams: SimulatedUpstreams, eventually: Eventually
) -> None:
    upstreams.set_latency(0.5, target="@lead")
    with pytest.raises(httpx.ReadTimeout):
        chat(upstreams, "@lead", "first", timeout=0.1)
    upstreams.set_latency(0.0, target="@lead")

    assert chat(upstreams, "@lead", "second").status_code == 200

    second, first = eventually(lambda: calls if len(calls := upstreams.calls()) == 2 else None, "both calls end")
    assert (first.acted, first.turn, first.status, first.client_gone) == (True, 1, None, True)
    assert (second.turn, second.overlaps, second.status, second.client_gone) == (2, 0, 200, False)
    counts = upstreams.summary()["fluidtalk"]
    assert (counts.client_gone, counts.by_status) == (1, {"200": 1, "none": 1})


def test_the_log_is_complete_when_the_answer_is_there(upstreams: SimulatedUpstreams) -> None:
    for number in range(1, 51):
        chat(upstreams, "@lead", f"message {number}")
        assert len(upstreams.calls()) == number

    calls = upstreams.calls()
    assert [call.fields["message"] for call in calls] == [f"message {number}" for number in range(1, 51)]
    assert [call.turn for call in calls] == list(range(1, 51))
    assert [call.seq for call in upstreams.calls(since=calls[47].seq)] == [calls[48].seq, calls[49].seq]
    assert upstreams.summary()["fluidtalk"].acted == 50


def test_times_agree_with_the_clocks_of_the_client(upstreams: SimulatedUpstreams) -> None:
    wall, monotonic = time.time(), time.monotonic()
    chat(upstreams, "@lead")

    (call,) = upstreams.calls()
    assert wall <= call.start_wall <= call.end_wall <= time.time()
    assert monotonic <= call.start_monotonic <= call.end_monotonic <= time.monotonic()


def test_both_doubles_share_one_log(upstreams: SimulatedUpstreams, captivate_body: dict[str, object]) -> None:
    chat(upstreams, "@lead")
    httpx.post(f"{upstreams.captivate_url}/api/channel/v2/sendMessage", json=captivate_body)

    logs = [httpx.get(f"{url}/_simulation/calls").text for url in (upstreams.fluidtalk_url, upstreams.captivate_url)]
    assert logs[0] == logs[1]
    assert [json.loads(line)["service"] for line in logs[0].splitlines()] == ["fluidtalk", "captivate"]


def test_the_file_has_every_answered_call_even_after_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "calls.jsonl"
    with SimulatedUpstreams(personas={"ava": "ft_sk_ava"}, call_log=file) as upstreams:
        for number in range(20):
            chat(upstreams, "@lead", f"message {number}")
            assert len(file.read_text().splitlines()) == number + 1
        upstreams.kill()
        upstreams.start()
        chat(upstreams, "@lead", "after the kill")

    calls = [Call(**json.loads(line)) for line in file.read_text().splitlines()]
    assert [call.fields["message"] for call in calls] == [*(f"message {n}" for n in range(20)), "after the kill"]
    assert "ft_sk_ava" not in file.read_text()
