"""What has to be done for a persona or a channel at a time, by whichever process looks first.

An errand lives in its owner's home shard: ``probe`` a closed gate, ``open`` the gate everywhere, look at ``places``.
One about ``consent`` lives where the lead has said something: tell it to the lead's other personas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from worker.store.keys import Keys, Shard
from worker.store.redis.scripts import Scripts

_AT_MOST = 100
# An errand that was taken and not finished is taken by another process after so long.
_AGAIN_MS = 5_000


@dataclass(frozen=True, slots=True)
class Errand:
    """``what``: probe, open, places or consent. ``gate``: of which gate. ``owner``: name of a persona, an environment
    or a conversation."""

    what: str
    gate: str
    owner: str


class Errands:
    """Takes errands that are due."""

    def __init__(self, keys: Keys, scripts: Scripts) -> None:
        self._keys = keys
        self._errands = scripts.errands

    def take(self, shards: Sequence[Shard] | None = None) -> list[Errand]:
        """Errands that are due, each for this process. ``shards``: where to look; None = everywhere."""
        looked_at = self._keys.shards if shards is None else shards
        if not looked_at:
            return []
        calls = [self._errands.call(shard, most=_AT_MOST, again_ms=_AGAIN_MS) for shard in looked_at]
        answers = self._errands.many(calls)
        return [Errand(*text.split(" ", 2)) for answer in answers for text in answer]
