"""What Parley adds to the persona's time when nothing else goes on, and how late it is for what falls due.

    python -m benchmarks.latency --rounds 5

Added: from the call of ``enqueue`` to the arrival of the Captivate request, minus the persona's time, both by the
machine's one clock. One worker, one message at a time, each from a new lead, after random pauses; the first messages,
with which connections are made, are not counted. Late: leads write at an even rate; each message waits for its settle
time, then for a 429 with Retry-After, then for a second send after a 503. Late is the time from the end of each wait to
the beginning of the turn, both as the timeline has them.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator, Sequence

from benchmarks.leads import ONE_BY_ONE, message
from benchmarks.report import Goal, Section, Table, run
from benchmarks.samples import median_percentile, ms
from simulation.feeding import settings_of
from simulation.servers.system import RunningSystem
from simulation.until import until
from simulation.upstreams.call_log import Call
from simulation.upstreams.faults import FaultKind, FaultRule
from worker.domain.conversation import Conversation
from worker.pipeline.producer import Producer
from worker.store import Store
from worker.store.views.timeline import Moment

GOAL_P50_SECONDS = 0.003
GOAL_P95_SECONDS = 0.005
GOAL_LATE_SECONDS = 0.5

_PERSONAS_THINK = {0.0: 300, 0.2: 100}  # seconds, and how many messages of a round
_WARM_UP = 30
_SHARES = (0.5, 0.95, 0.99)

_SETTLE_SECONDS = 0.3
_RETRY_AFTER_SECONDS = 1.0
# A 429 closes the gate of its persona: so many that it opens before the persona's next lead writes.
_PERSONAS = 16
_LATE_PER_SECOND = 7.3
_LATE_MESSAGES = 110
_FAILS_ONE_IN = 3
_KINDS = ("settle time of joining", "429 with Retry-After", "send again after a 503")


def section(rounds: int) -> Section:
    """Measure, so many rounds."""
    added = {seconds: [_added(seconds, number) for _ in range(rounds)] for seconds, number in _PERSONAS_THINK.items()}
    late = [_late() for _ in range(rounds)]
    by_kind = {kind: [one[kind] for one in late] for kind in _KINDS}
    tables = [
        Table(
            ("persona answers in", "messages a round", "p50 ms added", "p95 ms", "p99 ms"),
            [
                (f"{seconds:g} s", str(_PERSONAS_THINK[seconds]), *(ms(median_percentile(of, s)) for s in _SHARES))
                for seconds, of in added.items()
            ],
        ),
        Table(
            ("what falls due", "a round", "p50 ms late", "p95 ms", "p99 ms"),
            [
                (kind, str(len(of[0])), *(ms(median_percentile(of, share)) for share in _SHARES))
                for kind, of in by_kind.items()
            ],
        ),
    ]
    p50 = max(median_percentile(of, 0.5) for of in added.values())
    p95 = max(median_percentile(of, 0.95) for of in added.values())
    latest = max(median_percentile(of, 0.95) for of in by_kind.values())
    return Section(
        title="Latency",
        about="Added time when idle: `enqueue` to the Captivate request, minus the persona's time; one worker, one "
        "message at a time, joining off. Lateness: from the moment a wait ends to the beginning of its turn. "
        f"Median of {rounds} rounds.",
        command=f"python -m benchmarks.latency --rounds {rounds}",
        tables=tables,
        goals=(
            _added_goal("p50", p50, GOAL_P50_SECONDS),
            _added_goal("p95", p95, GOAL_P95_SECONDS),
            Goal(
                "due until the turn begins, p95 of the latest kind",
                f"≤ {GOAL_LATE_SECONDS:g} s",
                f"{latest:.2f} s",
                latest <= GOAL_LATE_SECONDS,
            ),
        ),
    )


def _added_goal(percentile: str, seconds: float, most: float) -> Goal:
    figure = f"added latency, idle, {percentile}"
    return Goal(figure, f"≤ {ms(most)} ms", f"{ms(seconds)} ms", seconds <= most, price=True)


def _added(latency_seconds: float, messages: int) -> list[float]:
    called_at = {}
    with RunningSystem(latency_seconds=latency_seconds, settings=ONE_BY_ONE) as system:
        with Producer(settings_of(system)) as producer:
            for number in range(_WARM_UP + messages):
                target = f"@lead-{number}"
                event = message(target)
                if number >= _WARM_UP:
                    called_at[target] = time.monotonic()
                producer.enqueue(event)
                time.sleep(latency_seconds + random.uniform(0.02, 0.12))
        _await_calls(system, _WARM_UP + messages)
        return added_seconds(called_at, system.upstreams.calls())


def added_seconds(called_at: dict[str, float], calls: Sequence[Call]) -> list[float]:
    """For each target: from the moment given to its Captivate request, minus the persona's time, in seconds."""
    persona = {call.target: call.end_monotonic - call.start_monotonic for call in calls if call.service == "fluidtalk"}
    sent_at = {call.session_id: call.start_monotonic for call in calls if call.service == "captivate"}
    return [sent_at[target] - at - persona[target] for target, at in called_at.items()]


def _late() -> dict[str, list[float]]:
    personas = {f"ava{number}": f"ft_sk_{number}" for number in range(_PERSONAS)}
    settings = {**ONE_BY_ONE, "PARLEY_JOIN__MAX_EVENTS": "10", "PARLEY_JOIN__SETTLE_SECONDS": str(_SETTLE_SECONDS)}
    leads = [Conversation(f"ava{number % _PERSONAS}", f"@lead-{number}") for number in range(_LATE_MESSAGES)]
    with RunningSystem(personas=personas, settings=settings) as system:
        for lead in leads:
            system.upstreams.add_fault(_first_call(429, target=lead.target))
        # Were it all of them, it would be an outage of the channel, and its gate would close.
        failing = leads[::_FAILS_ONE_IN]
        for lead in failing:
            system.upstreams.add_fault(_first_call(503, session_id=lead.target))
        store = Store(settings_of(system), connections=2)
        with Producer(settings_of(system), store=store) as producer:
            for lead in leads:
                producer.enqueue(message(lead.target, persona=lead.persona))
                time.sleep(random.uniform(0.5, 1.5) / _LATE_PER_SECOND)
        _await_calls(system, len(leads) + len(failing))
        late: dict[str, list[float]] = {kind: [] for kind in _KINDS}
        for lead in leads:
            kinds = _KINDS if lead in failing else _KINDS[:-1]
            for kind, seconds in zip(kinds, late_seconds(store.timeline.of(lead), _SETTLE_SECONDS), strict=True):
                late[kind].append(seconds)
        store.close()
    return late


def _first_call(status: int, target: str | None = None, session_id: str | None = None) -> FaultRule:
    after = _RETRY_AFTER_SECONDS if status == 429 else None
    return FaultRule(
        kind=FaultKind.ANSWER,
        status=status,
        first=1,
        service="fluidtalk" if target else "captivate",
        target=target,
        session_id=session_id,
        retry_after_seconds=after,
    )


def late_seconds(moments: Sequence[Moment], settle_seconds: float) -> Iterator[float]:
    """Of one conversation's timeline: how long after the end of each wait the next step began, in seconds."""
    due: float | None = None
    for moment in moments:
        at = moment.at.timestamp()
        if due is not None:
            yield at - due
            due = None
        if moment.word == "accepted":
            due = at + settle_seconds
        elif moment.word == "held":
            due = moment.details[1] / 1000


def _await_calls(system: RunningSystem, captivate_calls: int) -> None:
    done = f"{captivate_calls} sends; see the worker's log"
    until(lambda: system.upstreams.summary()["captivate"].calls >= captivate_calls, done)
    # The last turns settle.
    time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(run("latency", __doc__, section))
