"""A store's clock that runs ahead, for tests and simulations: weeks pass in seconds, on a real server.

The lead is a key of the store, so that all processes and all scripts of one simulation agree. The key can also hold the
time itself: then the clock stands still, and a run is the same each time. Production never asks for it: then no script
mentions the key.
"""

from __future__ import annotations

from redis import Redis

KEY = "parley:ahead"

# Put behind the prelude: from here on `clock` is the one that runs ahead.
LUA = f"""
local server_clock = clock
clock = function()
  local lead = redis.call('GET', '{KEY}') or '0'
  local standing = string.match(lead, '^=(%d+)$')
  return standing and tonumber(standing) or server_clock() + tonumber(lead)
end
"""


class AheadRedis(Redis):
    """A client whose ``time`` runs ahead as that of the scripts does."""

    def time(self, **options: object) -> tuple[int, int]:
        """The server's seconds and microseconds, plus the lead; or the time at which the clock stands."""
        lead = str(self.get(KEY) or "0")
        if lead.startswith("="):
            at_ms = int(lead[1:])
            return at_ms // 1000, at_ms % 1000 * 1000
        seconds, microseconds = super().time(**options)
        lead_ms = int(lead)
        total = int(seconds) * 1_000_000 + int(microseconds) + lead_ms * 1000
        return total // 1_000_000, total % 1_000_000


def stand_at(redis: Redis, at_ms: int) -> None:
    """Let the clock of the scripts stand at this time, in milliseconds, until it is set again."""
    redis.set(KEY, f"={at_ms}")


def advance(redis: Redis, seconds: float) -> None:
    """Let the clock run ahead by so much more. Expiry of keys goes by the server's own clock, which stays."""
    redis.incrby(KEY, int(seconds * 1000))
