"""Keeps the leases of this process alive: one loop, one round trip for all of them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType

from redis.exceptions import RedisError

from worker.store.leases import Grant

_log = logging.getLogger("parley.lease")


class Lease:
    """What a running turn knows of its lease. ``held()`` is a promise only to itself: the store has the last word.

    ``called``: whether the outside may have been called since the last step that is stored.
    """

    def __init__(self, keeper: LeaseKeeper, grant: Grant, valid_until: float) -> None:
        self._keeper = keeper
        self.grant = grant
        self._begun_at = time.monotonic()
        self.valid_until = valid_until
        self.lost = False
        self.called = False

    def may_call(self) -> bool:
        """``held``, asked right before a call to the outside."""
        self.called = self.held()
        return self.called

    def held(self) -> bool:
        """Whether this turn may still start an outside call: no loss was seen and the last renewal is fresh enough."""
        return not self.lost and time.monotonic() < self.valid_until

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

    ``renew(grants)`` returns the lost ones and may raise ``redis.RedisError``; then nothing is renewed and the leases
    run out by themselves, which is what must happen when the store is away. The thread starts with the first lease.
    """

    def __init__(self, renew: Callable[[list[Grant]], list[Grant]], ttl_seconds: float, renew_seconds: float) -> None:
        self._renew = renew
        self.ttl_seconds = ttl_seconds
        self._renew_seconds = renew_seconds
        self._leases: dict[str, Lease] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def keep(self, grant: Grant, asked_at: float) -> Lease:
        """Keep this lease until it is released. ``asked_at``: the monotonic time before it was asked for."""
        lease = Lease(self, grant, asked_at + self.ttl_seconds)
        with self._lock:
            self._leases[grant.token] = lease
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="parley-leases", daemon=True)
                self._thread.start()
        return lease

    def release(self, lease: Lease) -> None:
        """Renew it no longer."""
        with self._lock:
            self._leases.pop(lease.grant.token, None)

    def stop(self) -> None:
        """End the loop."""
        self._stopped.set()

    def let_go(self) -> list[Grant]:
        """End the loop and tell all turns under way that their leases are lost. Returns what they held."""
        self._stopped.set()
        with self._lock:
            leases = list(self._leases.values())
        for lease in leases:
            lease.lost = True
        return [lease.grant for lease in leases]

    def renew_once(self) -> None:
        """One round over all leases."""
        with self._lock:
            leases = list(self._leases.values())
        if not leases:
            return
        asked_at = time.monotonic()
        try:
            lost = {grant.token for grant in self._renew([lease.grant for lease in leases])}
        except RedisError as error:
            _log.warning("leases not renewed: store away (%s)", type(error).__name__)
            return
        for lease in leases:
            if lease.grant.token in lost:
                lease.lost = True
            else:
                lease.renewed(asked_at)

    def _run(self) -> None:
        while not self._stopped.wait(self._renew_seconds):
            self.renew_once()
