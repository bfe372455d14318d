"""What a campaign does to leads who write: the time from acceptance to the Captivate request, alone and beside openers.

    python -m benchmarks.campaign
    python -m benchmarks.campaign --openers 50000 --rate 30 --pairs 12 --seconds 5 --workers 1

Leads write at an even rate, each to a conversation of its own, on one system: first while another process enqueues the
campaign, all at once; then in pairs of short phases, one without outreach (beats are stopped, so nobody rings for an
opener) and one with it. So what else the machine does falls on both alike. Once without a ramp and once with one. Goal:
p95 beside the campaign no more than 20 % higher than alone; exit status 1 when it is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from config.settings import Settings, load
from simulation.feeding import event_of, settings_of
from simulation.judge.percentile import percentile
from simulation.messages import metadata
from simulation.servers.system import RunningSystem
from worker.domain.events import AiOpener, ChannelContext
from worker.pipeline.producer import Producer

GOAL = 1.2

_WARM_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Phase:
    """Seconds from acceptance to the Captivate request; ``unanswered``: messages that got none."""

    seconds: list[float]
    unanswered: int

    def percentile(self, share: float) -> float:
        """Seconds within which this share was sent."""
        return percentile(self.seconds, share)


@dataclass(frozen=True, slots=True)
class Case:
    """Leads alone, while the campaign is accepted, and beside it; how long acceptance took; openers asked a second."""

    alone: Phase
    accepting: Phase
    beside: Phase
    accept_seconds: float
    openers_a_second: float

    @property
    def ratio(self) -> float:
        """p95 beside the campaign to p95 alone."""
        return self.beside.percentile(0.95) / self.alone.percentile(0.95)


def measure(options: argparse.Namespace, ramp: dict[str, str]) -> Case:
    """One case on a system of its own. ``ramp``: further variables of all processes."""
    settings = {
        "PARLEY_JOIN__SETTLE_SECONDS": str(options.settle),
        "PARLEY_WORKER__LOG_LEVEL": "WARNING",
        **ramp,
    }
    alone: dict[str, float] = {}
    beside: dict[str, float] = {}
    with (
        RunningSystem(latency_seconds=options.latency, settings=settings, workers=options.workers) as system,
        Producer(settings_of(system)) as producer,
    ):
        _write(producer, "warm", options.rate, _WARM_SECONDS)
        command = [sys.executable, "-m", "benchmarks.campaign", "--enqueue", str(options.openers)]
        campaign = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, **system.environment})
        accepting: dict[str, float] = {}
        while campaign.poll() is None:
            accepting |= _write(producer, f"accepting-{len(accepting)}", options.rate, 1.0)
        printed, _ = campaign.communicate()
        for number in range(options.pairs):
            _signal(system, signal.SIGSTOP)
            _write(producer, f"calms-down-{number}", options.rate, options.latency + 1)
            alone |= _write(producer, f"alone-{number}", options.rate, options.seconds)
            _signal(system, signal.SIGCONT)
            _write(producer, f"starts-{number}", options.rate, options.latency + 1)
            beside |= _write(producer, f"beside-{number}", options.rate, options.seconds)
        _signal(system, signal.SIGSTOP)
        time.sleep(options.latency + 3)
        calls = system.upstreams.calls()
        _signal(system, signal.SIGCONT)
    sent_at = {call.session_id: call.start_wall for call in calls if call.service == "captivate"}
    openers = sum(call.action == "OUTREACH" for call in calls)
    ringing_seconds = len(accepting) / options.rate + options.pairs * (options.seconds + options.latency + 1)
    times = float(json.loads(printed)), openers / ringing_seconds
    return Case(_phase(alone, sent_at), _phase(accepting, sent_at), _phase(beside, sent_at), *times)


def _signal(system: RunningSystem, number: signal.Signals) -> None:
    for beat in system.beats:
        beat.send_signal(number)


def enqueue(openers: int, settings: Settings) -> float:
    """Enqueue a campaign all at once. Returns the seconds until the last receipt."""
    # It stands for a producer on another machine: what it costs to make events must not be taken from the workers.
    os.nice(10)
    events = [
        AiOpener(
            persona="ava",
            target=f"@cold-{number}",
            channel=ChannelContext(session_id=f"cold-{number}", metadata=metadata()),
        )
        for number in range(openers)
    ]
    with Producer(settings) as producer:
        started_at = time.monotonic()
        producer.enqueue_many(events)
        return time.monotonic() - started_at


def _write(producer: Producer, stamp: str, rate: float, seconds: float) -> dict[str, float]:
    accepted_at = {}
    for number in _evenly(rate, seconds):
        name = f"{stamp}-{number}"
        producer.enqueue(event_of(("ava", f"@{name}", name, metadata(), f"hey {name}")))
        accepted_at[name] = time.time()
    return accepted_at


def _evenly(rate: float, seconds: float) -> Iterator[int]:
    started_at = time.monotonic()
    for number in range(int(rate * seconds)):
        time.sleep(max(0.0, started_at + number / rate - time.monotonic()))
        yield number


def _phase(accepted_at: dict[str, float], sent_at: dict[str | None, float]) -> Phase:
    seconds = [sent_at[name] - at for name, at in accepted_at.items() if name in sent_at]
    return Phase(seconds, len(accepted_at) - len(seconds))


def _report(name: str, case: Case) -> None:
    print(f"| {name}: leads alone {_figures(case.alone)} |")
    print(f"| while {case.accept_seconds:.1f} s of acceptance {_figures(case.accepting)} |")
    print(f"| beside {case.openers_a_second:.0f} openers/s {_figures(case.beside)} |")
    print(f"| p95 beside / alone: **{case.ratio:.2f}** (goal {GOAL}) | | | | |", flush=True)


def _figures(phase: Phase) -> str:
    p50, p95 = phase.percentile(0.5), phase.percentile(0.95)
    return f"| {p50:.3f} | {p95:.3f} | {len(phase.seconds)} | {phase.unanswered}"


def main() -> int:
    """Run both cases and print their figures. 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--openers", type=int, default=50_000)
    parser.add_argument("--rate", type=float, default=30.0, help="messages of leads a second")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of each phase")
    parser.add_argument("--pairs", type=int, default=12, help="pairs of phases")
    parser.add_argument("--latency", type=float, default=0.5, help="seconds that the simulated persona thinks")
    parser.add_argument("--settle", type=float, default=0.0, help="JOIN__SETTLE_SECONDS; 0 shows every delay")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--per-hour", type=float, default=600.0, help="openers an hour of the ramp")
    parser.add_argument("--enqueue", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.enqueue is not None:
        print(json.dumps(enqueue(options.enqueue, load(env_file=None))))
        return 0
    load_of = f"{options.rate:g} messages/s, persona {options.latency:g} s"
    print(f"{os.cpu_count()} cores, {options.workers} worker(s), {load_of}")
    print("seconds from acceptance to the Captivate request\n")
    print("| phase | p50 | p95 | messages | unanswered |")
    print("| --- | --- | --- | --- | --- |")
    ramp = {"PARLEY_PERSONAS__AVA__OUTREACH__OPENERS_PER_HOUR": str(options.per_hour)}
    cases = {"no ramp": measure(options, {})}
    _report("no ramp", cases["no ramp"])
    cases["ramp"] = measure(options, ramp)
    _report("ramp", cases["ramp"])
    return int(max(case.ratio for case in cases.values()) > GOAL)


if __name__ == "__main__":
    sys.exit(main())
