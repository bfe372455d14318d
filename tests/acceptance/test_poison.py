"""A message that really kills its worker ends as poison, and what was beside it in the dead workers is answered."""

from __future__ import annotations

import signal

import pytest

from tests.acceptance.quick_recovery import QUICK_RECOVERY
from worker.domain.events import InboundChat
from worker.domain.suspicion import KILLS_ALONE, SUSPECT_AFTER
from worker.pipeline.producer import Producer
from worker.store import Store

pytestmark = [pytest.mark.acceptance, pytest.mark.slow]

COMPANIONS = 6


@pytest.mark.timeout(400)
def test_a_message_that_kills_its_worker_is_buried_and_its_companions_are_answered(start, channel, eventually):
    system, settings = start(
        settings={**QUICK_RECOVERY, "PARLEY_WORKER__CRASH_AT": "before ask@boom"}, workers=2, latency_seconds=(0.5, 1.0)
    )
    with Producer(settings) as producer:
        producer.enqueue_many(
            [
                InboundChat(persona="ava", target=f"@{name}", message=name, event_id=name, channel=channel)
                for name in ("boom", *(f"companion-{number}" for number in range(COMPANIONS)))
            ]
        )
    store = Store(settings)

    def over():
        # As a supervisor does.
        if sum(worker.poll() is None for worker in system.workers) < 2:
            system.start_worker()
        return sum(account.waiting for account in store.books.accounts()) == 0

    try:
        eventually(over, "nothing waits", 300)
        letters = [(letter.event_id, letter.cause) for letter in store.dead_letters.newest()]
        fates = store.books.accounts()
    finally:
        store.close()
    ((event_id, cause),) = letters
    assert event_id == "boom"
    assert cause.startswith("poison_asking ")
    assert cause.endswith(f" killed={KILLS_ALONE}")
    assert (sum(one.answered for one in fates), sum(one.dead for one in fates)) == (COMPANIONS, 1)
    dead = [worker.returncode for worker in system.workers if worker.poll() is not None]
    assert set(dead) == {-signal.SIGKILL}
    # A busy machine may make a living worker lose the message, which costs another one.
    assert SUSPECT_AFTER <= len(dead) <= SUSPECT_AFTER + 1, "the children died alone"
    assert "boom" not in {call.fields.get("message") for call in system.upstreams.calls() if call.acted}
