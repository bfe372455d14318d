"""Keeps the leases of this process alive: one loop, one round trip for all of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType

from redis.exceptions import RedisError

from worker.domain.unexpected import UnexpectedErrors
from worker.store.conversations.process_leases import SOONER, ProcessLeases
from worker.store.conversations.turn_steps import Grant

_log = logging.getLogger("parley.lease")


# The longest pause between two renewals of what is renewed with the leases.
_BESIDE_SECONDS = 2.0


class Lease:
    """What a running turn knows of its lease. ``held()`` is a promise only to itself: the store has the last word.

    ``called``: whether the outside may have been called since the last step that is stored. ``ends``: the step that
    gives the lease back is under way, so that the store may not know it any more.
    """

    def __init__(self, keeper: LeaseKeeper, grant: Grant, valid_until: float) -> None:
        self._keeper = keeper
        self.grant = grant
        self._begun_at = time.monotonic()
        self.valid_until = valid_until
        self.lost = False
        # A place for a call with the persona's key, renewed with the lease.
        self.has_place = False
        self.called = False
        self.ends = False

    def may_call(self) -> bool:
        """``held``, asked right before a call to the outside."""
        self.called = self.held()
        return self.called

    def held(self) -> bool:
        """Whether this turn may still start an outside call: no loss was seen, the last renewal is fresh enough, and so
        is the last sign of the process."""
        # It may be found lost meanwhile.
        return self._keeper.lives() and not self.lost and time.monotonic() < self.valid_until

    def now(self) -> int:
        """Milliseconds of the store's clock, as far as this process can tell: a little behind, never ahead."""
        return self.grant.now + int((time.monotonic() - self._begun_at) * 1000)

    def renewed(self, asked_at: float) -> None:
        """The store has just renewed it by another step. ``asked_at``: the monotonic time before that step."""
        self.valid_until = max(self.valid_until, asked_at + self._keeper.ttl_seconds)

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._keeper.release(self)


class LeaseKeeper:
    """Renews all leases of the process every ``renew_seconds`` from one background thread.

    ``renew(grants)`` returns the lost ones and may raise ``redis.RedisError``; then nothing is renewed, the next round
    comes soon, and the leases run out by themselves, which is what must happen when the store is unreachable. Any other
    error costs one round and is logged. The thread starts with the first lease. ``beside(leases)`` is called every two
    seconds, or as often as the leases are renewed if that is more often, for what is renewed or noted with them.
    ``process``: its signs; while it is taken for dead, no lease is held.
    """

    def __init__(
        self,
        renew: Callable[[list[Grant]], list[Grant]],
        ttl_seconds: float,
        renew_seconds: float,
        beside: Callable[[list[Lease]], None] = lambda _: None,
        process: ProcessLeases | None = None,
    ) -> None:
        self._renew = renew
        self._process = process
        if process is not None:
            process.checked_by(self.check)
        self._beside = beside
        self.ttl_seconds = ttl_seconds
        self._renew_seconds = renew_seconds
        self._renew_at = 0.0
        self._leases: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._unanswered = False
        self._unexpected = UnexpectedErrors(_log, "lease renewal")

    def keep(self, grant: Grant, asked_at: float) -> Lease:
        """Keep this lease until it is released. ``asked_at``: the monotonic time before it was asked for."""
        lease = Lease(self, grant, asked_at + self.ttl_seconds)
        with self._lock:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="parley-leases", daemon=True)
                # A system without room for a thread fails this turn; the next one tries again.
                thread.start()
                self._thread = thread
            self._leases[grant.token] = lease
        return lease

    def release(self, lease: Lease) -> None:
        """Renew it no longer."""
        with self._lock:
            self._leases.pop(lease.grant.token, None)

    def stop(self) -> None:
        """End the loop."""
        self._stopped.set()

    def let_go(self) -> list[Lease]:
        """End the loop and tell all turns under way that their leases are lost. Returns what they held."""
        self._stopped.set()
        with self._lock:
            leases = list(self._leases.values())
        for lease in leases:
            lease.lost = True
        return leases

    def lives(self) -> bool:
        """Whether the store has heard of this process lately."""
        return self._process is None or self._process.lives()

    def check(self) -> bool:
        """Renew all leases, and so find those that are lost. False when the store did not answer."""
        leases = self._held()
        return not leases or self._renew_all(leases)

    def renew_once(self) -> bool:
        """One round over all leases, and over what is beside them. False when the store did not answer."""
        return self.check() and self._renew_beside()

    def _held(self) -> list[Lease]:
        with self._lock:
            return list(self._leases.values())

    def _renew_beside(self) -> bool:
        leases = self._held()
        try:
            self._beside(leases)
        except RedisError as error:
            _log.warning("places not renewed: store unreachable (%s)", type(error).__name__)
            return False
        return True

    def _renew_all(self, leases: list[Lease]) -> bool:
        asked_at = time.monotonic()
        try:
            lost = {grant.token for grant in self._renew([lease.grant for lease in leases])}
        except RedisError as error:
            if not self._unanswered:
                _log.warning("leases not renewed: store unreachable (%s)", type(error).__name__)
            self._unanswered = True
            return False
        self._unanswered = False
        self._renew_at = asked_at + self._renew_seconds
        for lease in leases:
            if lease.grant.token in lost:
                lease.lost = True
            else:
                lease.renewed(asked_at)
        # A turn that has ended meanwhile has lost nothing.
        still = sum(lease.grant.token in lost and not lease.ends for lease in self._held())
        if still:
            _log.warning("leases lost: %d; this process was silent for too long, and others continue", still)
        return True

    def _run(self) -> None:
        usual = min(self._renew_seconds, _BESIDE_SECONDS)
        pause = usual
        while not self._stopped.wait(pause):
            try:
                due = time.monotonic() + usual / 2 > self._renew_at
                answered = self.renew_once() if due else self._renew_beside()
            except Exception as error:
                self._unexpected.note(error)
                answered = False
            # An outage that ends before the leases do must not cost them because the next round is far away.
            pause = usual if answered else usual / SOONER
