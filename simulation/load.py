"""Many leads at once against a running system, and the judge's verdict on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from config.settings import Settings
from simulation.judge.checker import Verdict, judge
from simulation.judge.log import Sent
from simulation.servers.system import RunningSystem
from worker.domain.events import InboundChat
from worker.pipeline.producer import Producer
from worker.store import Store

BATCH = 200


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
    events = list(_events(sorted(settings.personas), messages, conversations, burst))
    sent: list[Sent] = []
    started_at = time.monotonic()
    with Producer(settings, store=store) as producer:
        for start in range(0, len(events), BATCH):
            batch = events[start : start + BATCH]
            producer.enqueue_many(batch)
            now = time.time()
            sent += [Sent(event.persona, event.target, event.message, now) for event in batch]
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


def _events(personas: list[str], messages: int, conversations: int, burst: int) -> list[InboundChat]:
    stamp = f"{time.time_ns():x}"
    events = []
    for number in range(messages):
        lead = (number // burst) % conversations
        target = f"@lead-{stamp}-{lead}"
        channel = {
            "session_id": f"session-{stamp}-{lead}",
            "metadata": {"internal": {"channelMetadata": {"channelMetadata": {"channel": "custom-channel"}}}},
            "hasLivechat": False,
        }
        events.append(
            InboundChat.model_validate(
                {
                    "persona": personas[lead % len(personas)],
                    "target": target,
                    "message": f"message {stamp} {number}",
                    "channel": channel,
                }
            )
        )
    return events
