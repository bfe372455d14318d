"""Planned follow-ups that are due."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from worker.conversation import Conversation
from worker.store.connection import clock_ms
from worker.store.keys import Keys


@dataclass(frozen=True, slots=True)
class DueFollowUp:
    """A follow-up whose time has come. ``plan`` must still be the conversation's plan when it is accepted."""

    conversation: Conversation
    plan: int
    step: int

    @property
    def event_id(self) -> str:
        """The same for everybody who dispatches it, so that several beats make one event."""
        return f"follow-up-{self.plan}-{self.step}"


class FollowUpIndex:
    """Reads what is due. An entry leaves the index in the step that accepts its event, so a crash loses none."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    def due(self, limit: int) -> list[DueFollowUp]:
        """At most ``limit`` follow-ups that are due by the store's clock, each shard's oldest first."""
        now_ms = clock_ms(self._redis)
        with self._redis.pipeline(transaction=False) as pipeline:
            for shard in self._keys.shards:
                pipeline.zrangebyscore(shard.follow_ups, "-inf", now_ms, start=0, num=limit)
            names = [str(name) for found in pipeline.execute() for name in found][:limit]
        conversations = [Conversation.of_name(name) for name in names]
        with self._redis.pipeline(transaction=False) as pipeline:
            for conversation in conversations:
                pipeline.hmget(self._keys.of(conversation).conversation(conversation), "plan", "plan_step")
            states = pipeline.execute()
        return [
            DueFollowUp(conversation, int(plan or 0), int(step or 0))
            for conversation, (plan, step) in zip(conversations, states, strict=True)
        ]

    def drop(self, conversation: Conversation) -> None:
        """Plan nothing more for this conversation until it goes on."""
        self._redis.zrem(self._keys.of(conversation).follow_ups, conversation.name)
