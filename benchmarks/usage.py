"""What a process used of the machine, from the kernel's own books."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes and their children, in seconds. Children that have ended count too."""
    return sum(sum(map(int, one[11:15])) for one in _statistics(pids)) / _TICKS_PER_SECOND


def kernel_seconds(pids: Iterable[int]) -> float:
    """The part of it that the kernel took for them."""
    return sum(int(one[12]) + int(one[14]) for one in _statistics(pids)) / _TICKS_PER_SECOND


def resident_mb(pids: Iterable[int]) -> float:
    """Resident memory of these processes and their living children, in megabytes of 1 000 000 bytes."""
    return sum(int(one[21]) for one in _statistics(pids)) * _PAGE_BYTES / 1e6


def _statistics(pids: Iterable[int]) -> list[list[str]]:
    found = []
    for pid in pids:
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            # It may end at any moment; then its time is its parent's, which is read afterwards.
            with suppress(FileNotFoundError, ProcessLookupError):
                found.append(_stat(int(child)))
        found.append(_stat(pid))
    return found


def _stat(pid: int) -> list[str]:
    # The name may hold spaces and brackets; what follows its last bracket does not.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
