"""What the log says of an endpoint: when it begins to fail, when it is well again, what it refuses. No address."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from worker.domain.unexpected import UnexpectedErrors
from worker.web.push.line import Trouble

_log = logging.getLogger("parley.notices")

# Refused notices are told at most so often.
_DROPPED_SECONDS = 60.0


class Reports:
    """Of one endpoint. ``clock``: monotonic seconds."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._clock = clock
        self._unexpected = UnexpectedErrors(_log, f"sender of notices to {name}")
        self._fails_since: float | None = None
        self._misfits: set[str] = set()
        self._dropped = 0
        self._dropped_at = float("-inf")

    def failed(self, said: str, trouble: Trouble, now: int) -> None:
        """A call failed. ``said``: how."""
        if self._fails_since is None:
            self._fails_since = self._clock()
            _log.warning("notice not taken by %s (%s): it is sent again", self._name, said)
        elif trouble.tries == 1 and trouble.until > now:
            _log.warning("notices not taken by %s (%s): it is tried at growing intervals", self._name, said)

    def answered(self, trouble: Trouble) -> None:
        """A call succeeded."""
        if self._fails_since is not None and not trouble.since and not trouble.tries:
            _log.warning("notices taken again by %s after %.0f s", self._name, self._clock() - self._fails_since)
            self._fails_since = None

    def dropped(self, said: str) -> None:
        """The receiver refused a notice for good."""
        self._dropped += 1
        if self._clock() >= self._dropped_at + _DROPPED_SECONDS:
            _log.warning(
                "notices refused for good by %s: %d, the last with %s; see parley notices endpoints %s",
                self._name,
                self._dropped,
                said,
                self._name,
            )
            self._dropped, self._dropped_at = 0, self._clock()

    def lost(self, notices: int) -> None:
        """Notices were dropped off their stream before they were sent."""
        _log.error(
            "notices lost to %s: %d were dropped before they were sent, for their age or for want of room "
            "(PARLEY_NOTICES__DAYS, PARLEY_NOTICES__BYTES)",
            self._name,
            notices,
        )

    def gave_up(self, said: str) -> None:
        """The endpoint is paused."""
        _log.error(
            "notices paused to %s: one was not taken for 3 days, the last answer was %s. "
            "Correct the receiver, then: parley notices resume %s",
            self._name,
            said,
            self._name,
        )

    def misfit(self, said: str) -> None:
        """The settings do not fit the store. ``said``: how; it is told once."""
        if said not in self._misfits:
            self._misfits.add(said)
            _log.error("notices held back from %s: %s", self._name, said)

    def unexpected(self, error: Exception) -> None:
        """An error of ours."""
        self._unexpected.note(error)
