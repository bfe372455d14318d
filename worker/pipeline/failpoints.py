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


def arm(crash_at: str | None) -> None:
    """Choose where this process dies: ``after ask`` the first time, ``after ask:3`` the third time; None: nowhere.

    Raises ``ValueError`` for an unknown place.
    """
    global _armed, _passes_left
    name, _, nth = (crash_at or "").partition(":")
    if crash_at is not None and name not in CRASH_POINTS:
        raise ValueError(f"WORKER__CRASH_AT: there is no crash point {name!r}; choose one of {', '.join(CRASH_POINTS)}")
    with _lock:
        _armed, _passes_left = name or None, int(nth or 1)


def reached(point: CrashPoint) -> None:
    """The work is here. Ends the process with SIGKILL if this is the place and the time to die; else does nothing."""
    global _passes_left
    if _armed != point:
        return
    with _lock:
        _passes_left -= 1
        if _passes_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
