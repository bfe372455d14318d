"""What the user of the store has to be allowed for notices, and what comes of it when a part is missing."""

from __future__ import annotations

from dataclasses import dataclass

from redis import Redis

from worker.store.keys import Shard
from worker.store.redis import rights


@dataclass(frozen=True, slots=True)
class Refused:
    """One command that notices need and that is refused. ``grant``: as ACL SETUSER wants it. ``means``: what does not
    work without it."""

    command: str
    grant: str
    means: str


_STREAM = "+@stream"
_NOT_WRITTEN = "no notice is written"
_NOT_BOUNDED = "old notices are not dropped"
_NOT_READ = "notices cannot be read or pushed"
# The command, its arguments behind the key, the right, what does not work.
_NEEDED = (
    ("XADD", ("NOMKSTREAM", "*", "n", ""), _STREAM, _NOT_WRITTEN),
    ("XINFO STREAM", (), _STREAM, "no notice is written after the store's clock has stepped back"),
    ("XTRIM", ("MAXLEN", "1"), _STREAM, _NOT_BOUNDED),
    ("XLEN", (), _STREAM, _NOT_BOUNDED),
    ("MEMORY USAGE", (), "+memory|usage", _NOT_BOUNDED),
    ("XRANGE", ("-", "+", "COUNT", "1"), _STREAM, _NOT_READ),
    ("XREVRANGE", ("+", "-", "COUNT", "1"), _STREAM, _NOT_READ),
    ("XREAD", ("0",), _STREAM, _NOT_READ),
    ("XDEL", ("0-1",), _STREAM, "notices of a lead who is forgotten are not erased"),
)
_BEFORE_KEY = {"XREAD": ("COUNT", "1", "STREAMS")}


def refused(redis: Redis, shard: Shard) -> list[Refused]:
    """The commands that this user may not use. Changes nothing. Raises ``StoreError``."""
    key = shard.key("nothing")
    tried = [(*name.split(), *_BEFORE_KEY.get(name, ()), key, *rest) for name, rest, _, _ in _NEEDED]
    missing = (_NEEDED[place] for place in rights.refused(redis, tried))
    return [Refused(name, grant, means) for name, _, grant, means in missing]
