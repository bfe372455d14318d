"""Conversations at rest, any number: what one real turn has left in the store, copied under other names.

Names, event ids and session ids of the copies are their own and as long as those of the first one, so a copy takes what
a real one takes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.leads import message
from simulation.until import until
from worker.domain.conversation import Conversation
from worker.pipeline.producer import Producer
from worker.store import Store

_AT_ONCE = 2000


def known_lead(number: int) -> Conversation:
    """The conversation of this number; 0 is the real one. All names are of one length."""
    return Conversation("ava", f"@known-{number:08d}")


def answer_first(producer: Producer, store: Store) -> None:
    """Have the message of lead 0 answered, of which ``copy`` makes the others. Raises ``TimeoutError``."""
    producer.enqueue(message(known_lead(0).target))
    until(lambda: not store.inbox.waiting(known_lead(0)), "the first turn is settled; see the worker's log")


def copy(store: Store, number: int) -> None:
    """Make the leads 1 to ``number`` from lead 0, whose only event has ended and who has a follow-up planned."""
    connection: Any = store.redis.connection_pool.get_connection()
    first, event_id = known_lead(0), _event_id(store, known_lead(0))
    commands = list(_commands(store, first))
    template = b"".join(connection.pack_commands(commands))
    for start in range(1, number + 1, _AT_ONCE):
        leads = [known_lead(one) for one in range(start, min(start + _AT_ONCE, number + 1))]
        packed = []
        for lead in leads:
            # All of one length, so what stands before each part about its length stays true.
            own = template.replace(first.target.encode(), lead.target.encode())
            own = own.replace(event_id.encode(), uuid.uuid4().hex.encode())
            packed.append(own.replace(store.keys.of(first).key("").encode(), store.keys.of(lead).key("").encode()))
        connection.send_packed_command(packed)
        for _ in range(len(leads) * len(commands)):
            connection.read_response()
    store.redis.connection_pool.release(connection)


def memory_by_kind(store: Store, lead: Conversation) -> Mapping[str, int]:
    """Bytes of each key of a conversation with one event, by the kind of the key."""
    shard = store.keys.of(lead)
    keys = {
        "conversation": shard.conversation(lead),
        "journal": shard.journal(lead, _event_id(store, lead)),
        "timeline": shard.timeline(lead),
    }
    return {kind: int(store.redis.memory_usage(key, samples=0) or 0) for kind, key in keys.items()}


def _event_id(store: Store, lead: Conversation) -> str:
    accepted = [moment for moment in store.timeline.of(lead) if moment.word == "accepted"]
    return str(accepted[-1].details[1])


def _commands(store: Store, lead: Conversation) -> Iterator[tuple[Any, ...]]:
    redis: Any = store.redis
    shard = store.keys.of(lead)
    for key in (shard.conversation(lead), shard.journal(lead, _event_id(store, lead))):
        yield ("HSET", key, *(part for pair in redis.hgetall(key).items() for part in pair))
        yield ("PEXPIRE", key, redis.pttl(key))
    key = shard.timeline(lead)
    yield ("RPUSH", key, *redis.lrange(key, 0, -1))
    yield ("PEXPIRE", key, redis.pttl(key))
    yield ("ZADD", shard.conversations, redis.zscore(shard.conversations, lead.name), lead.name)
    yield ("ZADD", shard.follow_ups, redis.zscore(shard.follow_ups, lead.name), lead.name)
