"""What a process used of the machine, from the kernel's own books."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes and their living children, in seconds."""
    fields = [_stat(process) for process in _families(pids)]
    return sum(int(one[11]) + int(one[12]) for one in fields) / _TICKS_PER_SECOND


def resident_mb(pids: Iterable[int]) -> float:
    """Resident memory of these processes and their living children, in megabytes of 1 000 000 bytes."""
    return sum(int(_stat(process)[21]) for process in _families(pids)) * _PAGE_BYTES / 1e6


def _families(pids: Iterable[int]) -> list[int]:
    found = []
    for pid in pids:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        found += [pid, *map(int, children)]
    return found


def _stat(pid: int) -> list[str]:
    # The name may hold spaces and brackets; what follows its last bracket does not.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
