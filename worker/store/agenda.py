"""What is due: the one mechanism behind retries, crash recovery, lost doorbells, quiet waits and parked work."""

from __future__ import annotations

from config.settings import Settings
from worker.conversation import Conversation, Lane, lane_of
from worker.store.keys import Keys
from worker.store.scripts import Scripts


class Agenda:
    """Finds due conversations and moves each to the time of its next ring."""

    def __init__(self, keys: Keys, scripts: Scripts, settings: Settings) -> None:
        self._keys = keys
        self._ring = scripts.ring
        self._limit = settings.agenda.ring_limit
        self._grace_ms = int(settings.agenda.grace_seconds * 1000)
        self._grace_limit_ms = int(settings.agenda.grace_limit_seconds * 1000)

    def claim_due(self) -> list[tuple[Conversation, Lane]]:
        """Conversations to ring for, each with the lane of its head, the longest due first.

        Several callers share the work between them.
        """
        arguments = [max(1, self._limit // len(self._keys.shards)), self._grace_ms, self._grace_limit_ms]
        answers = self._ring.many(
            [
                ([shard.agenda, shard.conversation_prefix, shard.inbox_prefix, shard.journal_prefix], arguments)
                for shard in self._keys.shards
            ]
        )
        due = [
            (float(answer[i + 2]), Conversation.of_name(answer[i]), lane_of(answer[i + 1]))
            for answer in answers
            for i in range(0, len(answer), 3)
        ]
        return [(conversation, lane) for _, conversation, lane in sorted(due)]
