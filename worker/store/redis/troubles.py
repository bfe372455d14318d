"""What an error of Redis or of another broker means to an operator, and what to do: pure.

The text of such an error is never shown: it can name keys and arguments.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

FULL = "OOM"


@dataclass(frozen=True, slots=True)
class Trouble:
    """``code``: what tells troubles apart, such as ``OOM`` or ``ConnectionError``. ``means``: a predicate, such as "is
    full". ``remedy``: what to do, or ''. ``answered``: the server answered, and refuses."""

    code: str
    means: str
    remedy: str = ""
    answered: bool = True

    def told(self, effect: str) -> str:
        """A sentence without its subject. ``effect``: what follows from it here."""
        return f"{self.means} ({self.code}): {effect}" + (f"; to do: {self.remedy}" if self.remedy else "")


_ACCESS = "look at the rights of its user: docs/stores.md, users with few rights"
_LOGIN = "correct user and password in PARLEY_REDIS_URL or PARLEY_BROKER_URL, or on the server"
_WAITS_FOR_MASTER = "wait for the fail-over to end, or correct the address: redis-cli INFO replication"

_KNOWN = (
    Trouble(FULL, "is full", "make room or raise its maxmemory: redis-cli INFO memory"),
    Trouble("NOREPLICAS", "has too few replicas to write", "start its replica, or see min-replicas-to-write"),
    Trouble("MISCONF", "cannot write to its disk", "look at disk space and its log: redis-cli INFO persistence"),
    Trouble("READONLY", "is a replica", _WAITS_FOR_MASTER),
    Trouble("UNBLOCKED", "became a replica", _WAITS_FOR_MASTER),
    Trouble("MASTERDOWN", "is a replica that misses its master", _WAITS_FOR_MASTER),
    Trouble("CLUSTERDOWN", "misses a part of its cluster", "redis-cli CLUSTER INFO"),
    Trouble("LOADING", "loads its data", "wait until it has started"),
    Trouble("BUSY", "runs a script of somebody else for long", "redis-cli SCRIPT KILL"),
    Trouble("NOPERM", "does not permit a command to us", _ACCESS),
    Trouble("NOAUTH", "wants another password", _LOGIN),
    Trouble("WRONGPASS", "wants another password", _LOGIN),
)
_BY_CODE = {trouble.code: trouble for trouble in _KNOWN}
# redis-py takes the code off the text of the errors that it has a class for.
_BY_CLASS = {
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "MasterDownError": "MASTERDOWN",
    "ClusterDownError": "CLUSTERDOWN",
    "BusyLoadingError": "LOADING",
    "NoPermissionError": "NOPERM",
    "AuthenticationError": "NOAUTH",
    "AccessRefused": "NOPERM",
}
# What a script was refused says so in the middle of its text, in Redis 6.2 all of it.
_CODE = re.compile(rf"(?:^|\s-?)({'|'.join(_BY_CODE)})\s")
# The client's own word when no node of a cluster can be reached.
_NO_NODE = "Redis Cluster cannot be connected"
# They say that something failed; the error behind them says what.
_WRAPPERS = ("SchedulingError", "OperationalError")
_ACL = re.compile(r"no permissions? to run the|executing the script can't run this|No permissions to access")


def trouble_of(error: BaseException) -> Trouble:
    """What an error of a store or broker means. One that is not known is told by the name of its class."""
    behind = error.__cause__ or error.__context__
    if _NO_NODE in str(error):
        return Trouble(type(error).__name__, "cannot be reached", answered=False)
    if type(error).__name__ in _WRAPPERS and behind is not None:
        return trouble_of(behind)
    for kind in type(error).__mro__:
        if kind.__name__ in _BY_CLASS:
            return _BY_CODE[_BY_CLASS[kind.__name__]]
    text = str(error)
    if found := _CODE.search(text):
        return _BY_CODE[found[1]]
    if _ACL.search(text):
        return _BY_CODE["NOPERM"]
    name = type(error).__name__
    if any(kind.__name__ == "ResponseError" for kind in type(error).__mro__):
        return Trouble(name, "refuses a command", "parley check")
    return Trouble(name, "cannot be reached", answered=False)


class Saying:
    """When to say a trouble that lasts: at once, then at intervals that double. Safe for threads.

    ``first_seconds``: until it is said a second time. ``limit_seconds``: longest interval.
    """

    def __init__(
        self,
        first_seconds: float = 10.0,
        limit_seconds: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_seconds = first_seconds
        self._limit_seconds = limit_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._began_at: float | None = None
        self._next: dict[str, tuple[float, float]] = {}

    @property
    def lasts(self) -> bool:
        """Whether there is trouble, as far as was told."""
        return self._began_at is not None

    def now(self, trouble: Trouble) -> bool:
        """It is there (still). True when it is to be said now."""
        with self._lock:
            at = self._clock()
            if self._began_at is None:
                self._began_at = at
            due_at, interval = self._next.get(trouble.code, (at, self._first_seconds))
            if at < due_at:
                return False
            self._next[trouble.code] = (at + interval, min(2 * interval, self._limit_seconds))
            return True

    def over(self) -> float | None:
        """All is well. Returns how many seconds the trouble lasted, None when there was none."""
        if self._began_at is None:
            return None
        with self._lock:
            began_at, self._began_at = self._began_at, None
            self._next.clear()
            return None if began_at is None else self._clock() - began_at
