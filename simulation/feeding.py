"""How a producer of Parley, in this process, enqueues what leads write to a running system."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from itertools import islice
from unittest.mock import patch

from config.settings import Settings, load
from simulation.judge.log import Sent
from simulation.messages import Message
from simulation.servers.system import RunningSystem
from worker.domain.events import ChannelContext, InboundChat
from worker.pipeline.producer import Producer

BATCH = 200


def settings_of(system: RunningSystem) -> Settings:
    """The settings that all processes of a system have. What is set outside does not count."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PARLEY_")}
    with patch.dict(os.environ, {**outside, **system.environment}, clear=True):
        return load(env_file=None)


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
