"""When failures in a row are enough to close an upstream's gate."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

from worker.pipeline.circuit_breaker import Circuit


def fail(circuit: Circuit, upstream: str = "ava", lead: int = 0, begun_at: float | None = None) -> bool:
    """One failed call."""
    return circuit.failed(upstream, f"{upstream}:@{lead}", time.monotonic() if begun_at is None else begun_at)


def test_it_closes_at_the_limit_and_counts_again_from_there():
    circuit = Circuit(failures=3)
    assert [fail(circuit, lead=lead) for lead in range(7)] == [False, False, True, False, False, True, False]


def test_one_conversation_alone_may_be_the_cause_of_its_own_failures():
    circuit = Circuit(failures=2)
    assert not any(fail(circuit) for _ in range(20))
    assert fail(circuit, lead=1)


def test_a_single_failure_can_be_enough():
    assert fail(Circuit(failures=1))


def test_any_answer_starts_the_count_again():
    circuit = Circuit(failures=2)
    fail(circuit)
    circuit.succeeded("ava")
    assert not fail(circuit)
    assert fail(circuit, lead=1)


def test_a_call_that_began_before_the_last_answer_tells_nothing_new():
    circuit = Circuit(failures=2)
    begun_at = time.monotonic() - 60
    circuit.succeeded("ava")
    assert not any(fail(circuit, lead=lead, begun_at=begun_at) for lead in range(20))


def test_upstreams_are_counted_each_by_itself():
    circuit = Circuit(failures=2)
    fail(circuit, "ava")
    assert not fail(circuit, "bea", lead=1)
    circuit.succeeded("bea")
    assert fail(circuit, "ava", lead=1)


def test_threads_lose_no_count():
    circuit = Circuit(failures=1000)
    with ThreadPoolExecutor(16) as pool:
        closed = list(pool.map(lambda lead: fail(circuit, lead=lead), range(1000)))
    assert closed.count(True) == 1
