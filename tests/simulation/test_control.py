"""The doubles as a process: how it starts, obeys and ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from fluidtalk import FluidTalk

from simulation.upstreams.call_log import Call
from simulation.upstreams.control import SimulatedUpstreams, SimulationControl, SimulationFailed
from simulation.upstreams.faults import FaultKind, FaultRule

Eventually = Callable[..., Any]
ROOT = Path(__file__).parents[2]


# The event loop of the doubles counts in whole milliseconds.
TIMER_SECONDS = 0.002


def taken_by(call: Call) -> float:
    return call.end_monotonic - call.start_monotonic


def is_listening(url: str) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


def test_the_most_particular_latency_holds(ava: FluidTalk, bea: FluidTalk, upstreams: SimulatedUpstreams) -> None:
    # The clients wait 10 s: a call that takes a minute fails.
    upstreams.set_latency(60.0)
    upstreams.set_latency(0.1, persona="bea")
    bea.inbound_chat("@lead", "hi")
    upstreams.set_latency(60.0, persona="bea")
    upstreams.set_latency(0.2, target="@quick")
    bea.inbound_chat("@quick", "hi")
    upstreams.set_latency(0.3)
    ava.inbound_chat("@lead", "hi")

    of_persona, of_target, general = (taken_by(call) for call in upstreams.calls())
    assert of_persona >= 0.1 - TIMER_SECONDS
    assert of_target >= 0.2 - TIMER_SECONDS
    assert general >= 0.3 - TIMER_SECONDS


def test_a_range_of_latencies_is_drawn_from(ava: FluidTalk, upstreams: SimulatedUpstreams) -> None:
    upstreams.set_latency(0.0, 0.05, service="fluidtalk")
    for _ in range(10):
        ava.inbound_chat("@lead", "hi")

    taken = [taken_by(call) for call in upstreams.calls()]
    assert len({round(seconds, 3) for seconds in taken}) > 3


def test_the_latency_of_a_captivate_session(upstreams: SimulatedUpstreams, captivate_body: dict[str, object]) -> None:
    url = f"{upstreams.captivate_url}/api/channel/v2/sendMessage"
    # The client waits 10 s for an answer.
    upstreams.set_latency(60.0, service="captivate")
    upstreams.set_latency(0.2, session_id="session-1")
    httpx.post(url, json=captivate_body, timeout=10)
    upstreams.set_latency(0.1, session_id="session-1")
    httpx.post(url, json=captivate_body, timeout=10)

    first, second = (taken_by(call) for call in upstreams.calls())
    assert first >= 0.2 - TIMER_SECONDS
    assert second >= 0.1 - TIMER_SECONDS


def test_many_calls_are_held_at_once(
    upstreams: SimulatedUpstreams, chat_request: Callable[..., bytes], eventually: Eventually
) -> None:
    upstreams.add_fault(FaultRule(kind=FaultKind.HANG))
    port = int(upstreams.fluidtalk_url.rpartition(":")[2])
    # Many systems let a process open no more than 1024 files.
    connections = [socket.create_connection(("127.0.0.1", port), timeout=30) for _ in range(500)]
    try:
        for number, connection in enumerate(connections):
            connection.sendall(chat_request(f"@lead_{number}", "hi"))
        eventually(lambda: upstreams.summary()["fluidtalk"].in_flight == 500, "all are under way")
        upstreams.release()
        assert [connection.recv(65536) for connection in connections] == [b""] * 500
    finally:
        for connection in connections:
            connection.close()

    assert upstreams.summary()["fluidtalk"].max_in_flight == 500


def test_a_reset_is_a_fresh_start(ava: FluidTalk, upstreams: SimulatedUpstreams) -> None:
    ava.inbound_chat("@lead", "hi")
    upstreams.seal("ava", "@lead")
    upstreams.set_credits("ava", 0)
    upstreams.set_latency(60.0)

    upstreams.reset()

    # The client waits 10 s.
    ava.ai_opener("@lead")
    assert [(call.turn, call.status) for call in upstreams.calls()] == [(1, 200)]


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        (lambda control: control.seal("eve", "@lead"), "no persona eve; there are ava, bea"),
        (lambda control: control.own_elsewhere("eve", "@lead"), "no persona eve"),
        (lambda control: control.set_credits("ava", -1), "starts"),
        (lambda control: control.set_latency(2.0, 1.0), "0 <= low <= high"),
        (lambda control: control.set_latency(1.0, service="elsewhere"), "service"),
        (lambda control: control.set_latency(1.0, target="@lead", session_id="s"), "name one of them"),
        (lambda control: control.set_latency(1.0, target="@lead", service="captivate"), "name one of them"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(
    order: Callable[[SimulationControl], object], reason: str, upstreams: SimulatedUpstreams
) -> None:
    with pytest.raises(SimulationFailed, match=reason):
        order(upstreams)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nothing", b"", 404),
        ("GET", "reset", b"", 404),
        ("POST", "faults", b"{", 422),
        ("POST", "faults", b'{"kind": "answer"}', 422),
        ("POST", "seal", b"[]", 422),
        ("GET", "calls?since=x", b"", 422),
    ],
)
def test_an_unreadable_order_is_refused(
    method: str, path: str, body: bytes, status: int, upstreams: SimulatedUpstreams
) -> None:
    answer = httpx.request(method, f"{upstreams.captivate_url}/_simulation/{path}", content=body)

    assert answer.status_code == status
    assert answer.json()["detail"]
    assert upstreams.calls() == []


def test_orders_to_a_double_that_is_not_there_fail_clearly() -> None:
    control = SimulationControl("http://127.0.0.1:9")
    with pytest.raises(SimulationFailed, match="did not answer summary: ConnectError"):
        control.summary()
    control.close()


def test_it_stops_on_sigterm_even_with_calls_under_way(upstreams: SimulatedUpstreams, eventually: Eventually) -> None:
    with SimulatedUpstreams(latency=60.0) as stopped, ThreadPoolExecutor(1) as pool:
        client = FluidTalk("ft_sk_ava", base_url=stopped.fluidtalk_url)
        waiting = pool.submit(client.inbound_chat, "@lead", "hi")
        eventually(lambda: stopped.summary()["fluidtalk"].in_flight == 1, "the call is under way")

        os.kill(stopped.pid, signal.SIGTERM)
        ending = os.waitid(os.P_PID, stopped.pid, os.WEXITED | os.WNOWAIT)
        assert ending is not None
        assert (ending.si_code, ending.si_status) == (os.CLD_EXITED, 0)
        assert waiting.exception(5) is not None
        assert not is_listening(stopped.fluidtalk_url)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_program_with_code_0_and_nothing_else_to_say(number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "simulation"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    ) as process:
        assert process.stdout
        addresses = json.loads(process.stdout.readline())
        assert all(is_listening(url) for url in addresses.values())
        process.send_signal(number)
        output, errors = process.communicate(timeout=10)

    assert list(addresses) == ["fluidtalk_url", "captivate_url"]
    assert (process.returncode, output, errors) == (0, b"", b"")


def test_it_comes_back_on_the_same_ports_after_a_kill(eventually: Eventually) -> None:
    with SimulatedUpstreams() as upstreams:
        addresses = (upstreams.fluidtalk_url, upstreams.captivate_url)
        FluidTalk("ft_sk_ava", base_url=upstreams.fluidtalk_url).inbound_chat("@lead", "hi")
        upstreams.kill()
        assert not any(is_listening(url) for url in addresses)

        upstreams.start()

        assert (upstreams.fluidtalk_url, upstreams.captivate_url) == addresses
        assert upstreams.calls() == []
        with pytest.raises(SimulationFailed, match="already runs"):
            upstreams.start()
    upstreams.stop()
    with pytest.raises(SimulationFailed, match="not running"):
        _ = upstreams.pid


def test_a_taken_port_is_reported(capfd: pytest.CaptureFixture[str], upstreams: SimulatedUpstreams) -> None:
    port = int(upstreams.captivate_url.rpartition(":")[2])
    second = SimulatedUpstreams(captivate_port=port)

    with pytest.raises(SimulationFailed, match="ended while starting, with code 1"):
        second.start()

    assert "the simulation cannot start" in capfd.readouterr().err
    second.stop()


@pytest.mark.parametrize("option", ["--latency=fast", "--latency=2:1", "--persona=ava", "--fluidtalk-port=x"])
def test_a_wrong_option_is_refused(option: str) -> None:
    finished = subprocess.run([sys.executable, "-m", "simulation", option], capture_output=True, cwd=ROOT, timeout=20)

    assert finished.returncode == 2
    assert option.partition("=")[0].encode() in finished.stderr


def test_it_dies_with_its_parent(eventually: Eventually) -> None:
    program = (
        "import sys\n"
        "from simulation.upstreams.control import SimulatedUpstreams\n"
        "upstreams = SimulatedUpstreams()\n"
        "upstreams.start()\n"
        "print(upstreams.fluidtalk_url, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    ) as parent:
        assert parent.stdout
        url = parent.stdout.readline().decode().strip()
        assert is_listening(url)
        os.kill(parent.pid, signal.SIGKILL)

    eventually(lambda: not is_listening(url), "the doubles end with their parent")
