"""Parley itself, fed by its producer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from benchmarks.peers.messages import Message
from config.settings import load
from worker.domain.events import ChannelContext, InboundChat
from worker.pipeline.producer import Producer
from worker.store import Store

BATCH = 200


def send(messages: Sequence[Message]) -> None:
    """Enqueue in order, in batches. Raises the first refusal, or ``StoreError``."""
    for start in range(0, len(messages), BATCH):
        for receipt in _producer().enqueue_many([_event(message) for message in messages[start : start + BATCH]]):
            if isinstance(receipt, Exception):
                raise receipt


def waiting() -> int:
    """Accepted messages that have no fate yet. Raises ``StoreError``."""
    return sum(account.waiting for account in _store().books.accounts())


def _event(message: Message) -> InboundChat:
    persona, target, session_id, metadata, text = message
    channel = ChannelContext(session_id=session_id, metadata=metadata)
    return InboundChat(persona=persona, target=target, message=text, channel=channel)


@cache
def _store() -> Store:
    return Store(load(env_file=None), connections=4)


@cache
def _producer() -> Producer:
    return Producer(load(env_file=None), store=_store())
