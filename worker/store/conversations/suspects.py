"""What is counted against events whose turns are tried alone, in a process of their own."""

from __future__ import annotations

from worker.store.conversations.turn_steps import Grant
from worker.store.keys import Keys
from worker.store.redis.scripts import Scripts


class Suspects:
    """The evidence against suspects. It may be told again with the same values."""

    def __init__(self, keys: Keys, scripts: Scripts) -> None:
        self._keys = keys
        self._killed_alone = scripts.killed_alone

    def killed(self, grant: Grant) -> int:
        """The process died that worked on the head alone. Returns how many such processes did so far; 0 = the lease is
        lost, and nothing was counted. Raises ``redis.RedisError``."""
        keys = self._keys.conversation(grant.conversation)
        journal = keys.journal(grant.head.event_id)
        count: int = self._killed_alone.run(keys, journal=journal, token=grant.token, fence=grant.fence)
        return count
