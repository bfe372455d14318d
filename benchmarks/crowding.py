"""What one conversation in which thousands of events wait does to the others."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from benchmarks.leads import ONE_BY_ONE, message
from simulation.feeding import enqueue, settings_of
from simulation.servers.system import RunningSystem
from simulation.until import until
from worker.domain.conversation import Conversation
from worker.pipeline.producer import Producer
from worker.store import Store

_LEADS = 300
_BURST = 900
_PER_SECOND = 40.0
_SECONDS = 4.0
_BATCH = 300
_DEADLINE_SECONDS = 120.0

_numbers = count()


@dataclass(frozen=True, slots=True)
class Others:
    """How the other leads fare. ``per_second``: answers to a burst; ``added``: seconds from acceptance to the Captivate
    request of each message of an even load."""

    per_second: float
    added: Sequence[float]


def measure(rounds: int, waiting: int) -> tuple[list[Others], list[Others]]:
    """Without and with a conversation in which so many events wait; the one with so many is never through before the
    end. All leads are those of one persona."""
    settings = {**ONE_BY_ONE, "PARLEY_LIMITS__INBOX_EVENTS": str(2 * waiting)}
    with RunningSystem(settings=settings) as system:
        own = settings_of(system)
        store = Store(own, connections=4)
        with Producer(own, store=store) as producer:
            _others(system, store, producer)
            alone = [_others(system, store, producer) for _ in range(rounds)]
            beside = []
            for _ in range(rounds):
                _fill_up(store, producer, waiting)
                beside.append(_others(system, store, producer))
                if not store.inbox.waiting(_BUSY):
                    raise RuntimeError("the busy conversation was through before the others: give it more events")
        store.close()
    return alone, beside


_BUSY = Conversation("ava", "@busy")


def _fill_up(store: Store, producer: Producer, waiting: int) -> None:
    events = [message(_BUSY.target) for _ in range(waiting - store.inbox.waiting(_BUSY))]
    enqueue(producer, events, _BATCH)


def _others(system: RunningSystem, store: Store, producer: Producer) -> Others:
    system.upstreams.reset()
    per_second = _burst(store, producer)
    called_at = {}
    started_at = time.monotonic()
    for number in range(int(_PER_SECOND * _SECONDS)):
        target = f"@even-{next(_numbers)}"
        event = message(target)
        time.sleep(max(0.0, started_at + number / _PER_SECOND - time.monotonic()))
        called_at[target] = time.monotonic()
        producer.enqueue(event)
    _await_settled(store, list(called_at))
    sent_at = _sent_at(system)
    return Others(per_second, [sent_at[target] - at for target, at in called_at.items()])


def _burst(store: Store, producer: Producer) -> float:
    leads = [f"@burst-{next(_numbers)}" for _ in range(_LEADS)]
    events = [message(leads[number % _LEADS]) for number in range(_BURST)]
    started_at = time.monotonic()
    enqueue(producer, events, _BATCH)
    _await_settled(store, leads)
    return _BURST / (time.monotonic() - started_at)


def _await_settled(store: Store, targets: Sequence[str]) -> None:
    left = [Conversation("ava", target) for target in targets]

    def settled() -> bool:
        with store.redis.pipeline(transaction=False) as pipeline:
            for lead in left:
                pipeline.exists(store.keys.of(lead).inbox(lead))
            left[:] = [lead for lead, waits in zip(left, pipeline.execute(), strict=True) if waits]
        return not left

    until(settled, "all conversations are settled", _DEADLINE_SECONDS)


def _sent_at(system: RunningSystem) -> Mapping[str | None, float]:
    return {call.session_id: call.start_monotonic for call in system.upstreams.calls() if call.service == "captivate"}
