"""Tells the store that this process lives, for all turns that it runs: a few words for each shard, however many turns.

A process that is silent for longer than ``lease.process_ttl_seconds`` is taken for dead, and other processes continue
its turns. So nothing here waits for a turn: the signs have a thread and a connection of their own.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from redis.exceptions import RedisError

from worker.domain.unexpected import UnexpectedErrors
from worker.store.keys import Shard

_log = logging.getLogger("parley.lease")

# After a round without an answer, the pause before the next round is divided by this.
SOONER = 5
# A shard gets no more signs this long after its last turn.
_LEFT_SECONDS = 10.0


class ProcessLeases:
    """The signs of one process. The thread starts with the first turn.

    ``keep(name, shards)`` gives a sign in each of these shards and says for each whether the process was known there;
    it may raise ``redis.RedisError``. ``name``: what the tokens of the turns begin with, up to a ``-``.
    """

    def __init__(
        self,
        keep: Callable[[str, Sequence[Shard]], Sequence[bool]],
        ttl_seconds: float,
        renew_seconds: float,
        close: Callable[[], object] = lambda: None,
    ) -> None:
        self.name = uuid.uuid4().hex
        self._keep = keep
        self._ttl_seconds = ttl_seconds
        self._renew_seconds = renew_seconds
        self._close = close
        self._check: Callable[[], bool] = lambda: True
        self._valid_until = 0.0
        self._turns: Counter[Shard] = Counter()
        # Shards that get signs, to the time when a turn was last there.
        self._signed: dict[Shard, float] = {}
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._unchecked = self._unanswered = False
        self._unexpected = UnexpectedErrors(_log, "signs of this process")

    def checked_by(self, check: Callable[[], bool]) -> None:
        """``check()`` finds out which leases are lost, and returns whether the store answered. It is called when this
        process was taken for dead although it lives."""
        self._check = check

    def lives(self) -> bool:
        """Whether the store has heard of this process lately, so that no other one takes it for dead.

        Where the loop is late, the store is asked: a process that starves must not drop what it can still do.
        Threads that ask at the same time wait for that answer.
        """
        if time.monotonic() < self._valid_until:
            return True
        with self._asking:
            says_nothing = self._stopped.is_set() or not self._signed
            return time.monotonic() < self._valid_until or (not says_nothing and self._renew())

    def turn_in(self, shard: Shard) -> AbstractContextManager[None]:
        """While this lasts, the process gives signs in the shard. Entering raises ``redis.RedisError`` when it cannot
        give the first one: then no turn can begin there either."""
        return _Turn(self, shard)

    def begin_in(self, shard: Shard) -> None:
        """A turn begins. Raises ``redis.RedisError``; then it has not begun."""
        with self._lock:
            self._turns[shard] += 1
            is_new = shard not in self._signed
        if is_new:
            try:
                self._enter(shard)
            except BaseException:
                self.end_in(shard)
                raise

    def end_in(self, shard: Shard) -> None:
        """A turn has ended."""
        with self._lock:
            self._turns[shard] -= 1
            if shard in self._signed:
                self._signed[shard] = time.monotonic()

    def renew_once(self) -> bool:
        """One round over all shards with turns. False when the store did not answer."""
        with self._asking:
            return self._renew()

    def _renew(self) -> bool:
        with self._lock:
            left_at = time.monotonic() - _LEFT_SECONDS
            for shard in [one for one, at in self._signed.items() if at < left_at and not self._turns[one]]:
                del self._signed[shard], self._turns[shard]
            shards = list(self._signed)
        asked_at = time.monotonic()
        try:
            known = self._keep(self.name, shards) if shards else ()
        except RedisError as error:
            if not self._unanswered:
                _log.warning("signs of this process not given: store unreachable (%s)", type(error).__name__)
            self._unanswered = True
            return False
        self._unanswered = False
        self._unchecked = self._unchecked or not all(known)
        if self._unchecked:
            # Before any turn may go on: some have been continued by others.
            self._unchecked = not self._check()
        if not self._unchecked:
            self._valid_until = max(self._valid_until, asked_at + self._ttl_seconds)
        return not self._unchecked

    def stop(self) -> None:
        """Give no more signs."""
        self._stopped.set()
        self._close()

    def _enter(self, shard: Shard) -> None:
        asked_at = time.monotonic()
        self._keep(self.name, [shard])
        with self._lock:
            if not self._signed and not self._unchecked:
                self._valid_until = max(self._valid_until, asked_at + self._ttl_seconds)
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="parley-signs-of-turns", daemon=True)
                # A system without room for a thread fails this turn; the next one tries again.
                thread.start()
                self._thread = thread
            self._signed[shard] = time.monotonic()

    def _run(self) -> None:
        pause = self._renew_seconds
        while not self._stopped.wait(pause):
            try:
                answered = self.renew_once()
            except Exception as error:
                self._unexpected.note(error)
                answered = False
            # An outage that ends in time must not cost the turns their leases because the next round is far away.
            pause = self._renew_seconds if answered else self._renew_seconds / SOONER


class _Turn(AbstractContextManager[None]):
    __slots__ = ("_process", "_shard")

    def __init__(self, process: ProcessLeases, shard: Shard) -> None:
        self._process = process
        self._shard = shard

    def __enter__(self) -> None:
        self._process.begin_in(self._shard)

    def __exit__(self, *_: object) -> None:
        self._process.end_in(self._shard)
