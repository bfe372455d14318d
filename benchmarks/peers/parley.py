"""Parley itself, fed by its producer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from config.settings import load
from simulation.feeding import enqueue, event_of
from simulation.messages import Message
from worker.pipeline.producer import Producer
from worker.store import Store


def send(messages: Sequence[Message]) -> None:
    """Enqueue in order, in batches. Raises the first refusal, or ``StoreError``."""
    enqueue(_producer(), map(event_of, messages))


def waiting() -> int:
    """Accepted messages that have no fate yet. Raises ``StoreError``."""
    return sum(account.waiting for account in _store().books.accounts())


@cache
def _store() -> Store:
    return Store(load(env_file=None), connections=4)


@cache
def _producer() -> Producer:
    return Producer(load(env_file=None), store=_store())
