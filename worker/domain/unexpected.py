"""What a background loop does with an unexpected error: it logs each kind once and continues."""

from __future__ import annotations

import logging
from pathlib import Path
from traceback import extract_tb


class UnexpectedErrors:
    """The unexpected errors of one background loop. ``loop``: what the loop does, for the log.

    A loop that a worker depends on must outlive any error of a single round. The log gets a kind of error (its type
    and its place in the code) once, because a fault of this sort comes with every round. The text of the error stays
    out of the log: it may quote content.
    """

    def __init__(self, log: logging.Logger, loop: str) -> None:
        self._log = log
        self._loop = loop
        self._logged: set[tuple[str, str]] = set()

    def note(self, error: Exception) -> None:
        """Log this error unless one of its kind was logged before."""
        kind = type(error).__name__, _place(error)
        if kind not in self._logged:
            self._logged.add(kind)
            self._log.error(
                "unexpected error in the %s: %s at %s. It continues and logs this kind only once. Please report it.",
                self._loop,
                *kind,
            )


def _place(error: Exception) -> str:
    frames = extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
