"""One trial: messages go into a contender, the judge reads the services' logs, the kernel says what it cost."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.peers.contenders import Contender, Latency, Running, running
from benchmarks.peers.feeder import Feeder
from benchmarks.usage import cpu_seconds
from simulation.judge.checker import Verdict, judge
from simulation.judge.log import Sent
from simulation.messages import messages
from simulation.servers.system import SystemFailed
from simulation.upstreams.call_log import Call

WARM_UP = 50

_WARM_UP_SECONDS = 30.0
_POLL_SECONDS = 0.1
# Nothing waits any more and nothing was sent for so long: what is not there by now will not come.
_QUIET_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Case:
    """What all contenders are given. ``latency``: seconds that the persona thinks. ``seconds``: when the trial ends."""

    title: str
    latency: Latency
    messages: int
    conversations: int
    burst: int = 1
    seconds: float = 40.0

    @property
    def quickest_seconds(self) -> float:
        """How long the persona thinks at least."""
        return min(self.latency) if isinstance(self.latency, tuple) else self.latency


@dataclass(frozen=True, slots=True)
class Trial:
    """What came of it.

    ``seconds``: from the first message sent to the last answer delivered, or to the end of the time. ``in_time``:
    whether it ended by itself. ``cpu``: processor seconds of each party meanwhile. ``busy``: processor seconds of the
    whole machine, others included, of ``available`` ones.
    """

    verdict: Verdict
    seconds: float
    in_time: bool
    cpu: Mapping[str, float]
    busy: float
    available: float

    @property
    def answered(self) -> int:
        """Messages whose answer was delivered."""
        return self.verdict.messages - self.verdict.undelivered

    @property
    def turns_per_second(self) -> float:
        """Answered messages for each second."""
        return self.answered / self.seconds

    def cpu_ms_per_turn(self, party: str) -> float:
        """Processor time of a party for each answered message, in milliseconds."""
        return 1000 * self.cpu.get(party, 0.0) / max(self.answered, 1)

    def share(self, party: str) -> float:
        """What a party had of the machine, 0 to 1."""
        return self.cpu.get(party, 0.0) / self.available

    @property
    def busy_share(self) -> float:
        """How much of the machine was in use, 0 to 1, by whomever."""
        return self.busy / self.available


def attempt(case: Case, contender: Contender) -> Trial:
    """One trial on processes of its own. Start-up and the first messages are not counted.

    Raises ``SystemFailed`` when a process does not come up or the first messages are not answered.
    """
    with running(contender, case.latency) as system, Feeder(contender.module, system.environment) as feeder:
        warm = feeder.send("warm", WARM_UP, WARM_UP, 1)
        if not _await_answers(system, feeder, warm.began_at, WARM_UP, _WARM_UP_SECONDS):
            raise SystemFailed(f"{contender.name} did not answer {WARM_UP} messages in {_WARM_UP_SECONDS:g} s")
        since = max((call.seq for call in system.upstreams.calls()), default=0)
        before = _delivered(system)
        with _metered(system) as meter:
            fed = feeder.send("trial", case.messages, case.conversations, case.burst)
            in_time = _await_answers(system, feeder, fed.began_at, before + case.messages, case.seconds)
            over_at = time.time()
        calls = system.upstreams.calls(since)
    batch = messages("trial", case.messages, case.conversations, case.burst)
    verdict = judge([Sent(persona, target, text, fed.ended_at) for persona, target, _, _, text in batch], calls)
    ended_at = max(_delivery_times(calls), default=over_at) if in_time else over_at
    cpu = {**meter.cpu, "producer": fed.cpu_seconds}
    return Trial(verdict, ended_at - fed.began_at, in_time, cpu, meter.busy, meter.available)


@dataclass(slots=True)
class _Meter:
    cpu: dict[str, float] = field(default_factory=dict)
    busy: float = 0.0
    available: float = 0.0


@contextmanager
def _metered(system: Running) -> Iterator[_Meter]:
    meter = _Meter()
    before = {party: cpu_seconds(pids) for party, pids in system.parties.items()}
    own, busy, began_at = time.process_time(), machine_seconds(), time.monotonic()
    yield meter
    meter.cpu = {party: cpu_seconds(pids) - before[party] for party, pids in system.parties.items()}
    meter.cpu["this measurement"] = time.process_time() - own
    meter.busy = machine_seconds() - busy
    meter.available = (time.monotonic() - began_at) * (os.cpu_count() or 1)


def machine_seconds() -> float:
    """Processor seconds that the whole machine has used since it started, what others took of it (steal) included."""
    # user, nice, system, idle, iowait, irq, softirq, steal, and two that are in user and nice already.
    words = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    idle = {3, 4}
    used = sum(int(word) for place, word in enumerate(words) if place not in idle)
    return used / os.sysconf("SC_CLK_TCK")


def _await_answers(system: Running, feeder: Feeder, began_at: float, deliveries: int, seconds: float) -> bool:
    seen, changed_at = _delivered(system), time.time()
    while time.time() < began_at + seconds:
        delivered = _delivered(system)
        if delivered != seen:
            seen, changed_at = delivered, time.time()
        quiet = time.time() - changed_at > _QUIET_SECONDS
        # Answers that were sent twice must not stand for those that are still to come.
        if (delivered >= deliveries or quiet) and not feeder.waiting():
            return True
        time.sleep(_POLL_SECONDS)
    return False


def _delivered(system: Running) -> int:
    return system.upstreams.summary()["captivate"].acted


def _delivery_times(calls: list[Call]) -> list[float]:
    return [call.end_wall for call in calls if call.service == "captivate" and call.acted]
