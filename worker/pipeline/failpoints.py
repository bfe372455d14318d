"""Places in a turn, and around it, at which a test can let its process die, so that each is proved to be safe.

Off unless ``worker.crash_at`` names one. The steps are those of docs/ordering.md, section 7.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Literal, get_args

CrashPoint = Literal[
    "after begin",
    "after reserving",
    "after hosting an image",
    "before ask",
    "after ask",
    "after record",
    "before delivery",
    "after delivery",
    "before counting",
    "before settle",
    "after settle",
    "before hold",
    "after hold",
    "before acknowledging",
    "after acknowledging",
]
CRASH_POINTS: tuple[CrashPoint, ...] = get_args(CrashPoint)

_lock = threading.Lock()
_armed: str | None = None
_passes_left = 0
_event: str | None = None


def arm(crash_at: str | None) -> None:
    """Choose where this process dies: ``after ask`` the first time, ``after ask:3`` the third time, ``after ask@ID``
    each time that the head of the turn is the event ID; None: nowhere.

    Raises ``ValueError`` for an unknown place.
    """
    global _armed, _passes_left, _event
    place, _, event = (crash_at or "").partition("@")
    name, _, nth = place.partition(":")
    if crash_at is not None and name not in CRASH_POINTS:
        raise ValueError(f"WORKER__CRASH_AT: there is no crash point {name!r}; choose one of {', '.join(CRASH_POINTS)}")
    with _lock:
        _armed, _passes_left, _event = name or None, int(nth or 1), event or None


def arm_for_event(crash_at: str | None) -> None:
    """The same in a process that tries one event alone: what counts passes is meant for a whole worker."""
    arm(crash_at if crash_at and "@" in crash_at else None)


def reached(point: CrashPoint, event_id: str | None = None) -> None:
    """The work is here. Ends the process with SIGKILL if this is the place and the time to die; else does nothing.
    ``event_id``: of the head of the turn, where the place knows it."""
    global _passes_left
    if _armed != point or (_event is not None and _event != event_id):
        return
    with _lock:
        _passes_left -= 1
        if _passes_left == 0 or _event is not None:
            os.kill(os.getpid(), signal.SIGKILL)
