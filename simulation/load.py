"""Many leads at once against a running system, and the judge's verdict on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from config.settings import Settings
from simulation.feeding import enqueue, event_of
from simulation.judge.checker import Verdict, judge
from simulation.messages import messages as texts
from simulation.servers.system import RunningSystem
from worker.pipeline.producer import Producer
from worker.store import Store


@dataclass(frozen=True, slots=True)
class Run:
    """One run: its verdict, seconds from the first receipt to the last settled turn, and what the books lack."""

    verdict: Verdict
    seconds: float
    unexplained: int
    waiting: int

    @property
    def turns_per_second(self) -> float:
        """Answered turns for each second of the run."""
        return self.verdict.turns / self.seconds


def run_load(
    system: RunningSystem,
    settings: Settings,
    *,
    messages: int,
    conversations: int,
    burst: int = 1,
    timeout_seconds: float = 120.0,
    meanwhile: Callable[[], None] | None = None,
) -> Run:
    """Send ``messages`` over ``conversations`` of all personas and wait until all are settled.

    ``burst``: so many messages of one conversation come in a row. ``meanwhile`` is called again and again while
    waiting. The call log of the system must be empty or hold only what came before this run's texts.
    """
    since = max((call.seq for call in system.upstreams.calls()), default=0)
    store = Store(settings, connections=4)
    before = {account.persona: account for account in store.books.accounts()}
    batch = texts(f"{time.time_ns():x}", messages, conversations, burst, sorted(settings.personas))
    events = list(map(event_of, batch))
    started_at = time.monotonic()
    with Producer(settings, store=store) as producer:
        sent = enqueue(producer, events)
    deadline = time.monotonic() + timeout_seconds
    while (waiting := sum(account.waiting for account in store.books.accounts())) and time.monotonic() < deadline:
        if meanwhile:
            meanwhile()
        time.sleep(0.05)
    seconds = time.monotonic() - started_at
    accounts = store.books.accounts()
    accepted = sum(account.accepted for account in accounts) - sum(account.accepted for account in before.values())
    store.close()
    return Run(
        verdict=judge(sent, system.upstreams.calls(since)),
        seconds=seconds,
        unexplained=sum(account.unexplained for account in accounts) + (messages - accepted),
        waiting=waiting,
    )
