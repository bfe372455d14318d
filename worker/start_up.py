"""What a worker checks when it starts: that the store will keep what it is given."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from config.settings import Settings
from worker import checks
from worker.checks import Finding
from worker.store import Store, StoreError, server

_log = logging.getLogger("parley.check")

_LOG_LEVELS = {"ok": logging.DEBUG, "warning": logging.WARNING, "failure": logging.ERROR}


def examine(settings: Settings, store: Store) -> tuple[list[Finding], bool]:
    """All findings, and whether the store answered."""
    address = server.address(store.redis)
    try:
        found = checks.of_store(address, server.facts(store.redis))
    except StoreError as error:
        return [*checks.of_settings(settings), checks.unreachable(address, type(error).__name__)], False
    return [*checks.of_settings(settings), *found], True


class StartUpCheck:
    """Examines the store once, as soon as it answers.

    ``refuse`` is called with the reason when accepted events are certain to be lost and
    ``worker.require_durable_store`` is on: before ``begin`` returns if the store answers at once, else later, from a
    thread of its own. Until then the worker waits for the store as it always does.
    """

    def __init__(
        self,
        settings: Settings,
        refuse: Callable[[str], None],
        again_seconds: float = 2.0,
    ) -> None:
        self._settings = settings
        self._refuse = refuse
        self._again_seconds = again_seconds
        self._stopped = threading.Event()

    def begin(self) -> None:
        """Check now, or from now on until the store answers."""
        if not self._look(first=True):
            threading.Thread(target=self._run, name="parley-check", daemon=True).start()

    def stop(self) -> None:
        """Look no longer."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._again_seconds):
            if self._look(first=False):
                return

    def _look(self, *, first: bool) -> bool:
        store = Store(self._settings, connections=1)
        try:
            found, answered = examine(self._settings, store)
        finally:
            store.close()
        if answered or first:
            for finding in found:
                remedy = f"; to do: {finding.remedy}" if finding.remedy else ""
                _log.log(_LOG_LEVELS[finding.level], "%s: %s%s", finding.check, finding.means, remedy)
        fatal = [finding for finding in found if finding.loses_data]
        if fatal and self._settings.worker.require_durable_store:
            self._refuse(
                "; ".join(f"{finding.check} {finding.means}" for finding in fatal)
                + ". PARLEY_WORKER__REQUIRE_DURABLE_STORE=false lets it work all the same"
            )
        return answered
