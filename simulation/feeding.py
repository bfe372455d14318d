"""How a producer of Parley enqueues what leads write."""

from __future__ import annotations

import time
from collections.abc import Iterable
from itertools import islice

from simulation.judge.log import Sent
from simulation.messages import Message
from worker.domain.events import ChannelContext, InboundChat
from worker.pipeline.producer import Producer

BATCH = 200


def event_of(message: Message) -> InboundChat:
    """A message as a producer of Parley enqueues it."""
    persona, target, session_id, channel, text = message
    context = ChannelContext(session_id=session_id, metadata=channel)
    return InboundChat(persona=persona, target=target, message=text, channel=context)


def enqueue(producer: Producer, events: Iterable[InboundChat], batch: int = BATCH) -> list[Sent]:
    """Enqueue in order, in batches. Returns the producer's log. Raises the first refusal, or ``StoreError``."""
    sent, left = [], iter(events)
    while chats := list(islice(left, batch)):
        for result in producer.enqueue_many(chats):
            if isinstance(result, Exception):
                raise result
        now = time.time()
        sent += [Sent(chat.persona, chat.target, chat.message, now) for chat in chats]
    return sent
