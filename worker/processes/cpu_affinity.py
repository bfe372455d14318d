"""Keeps the threads of a worker on one core at a time.

The interpreter runs one thread at a time anyway. By default the kernel spreads hundreds of threads over all cores, and
moving the interpreter lock from core to core at each read and write costs as much as a turn (docs/decisions/0008). The
choice is checked once a second: when others need this core and another one is idle, all threads move there.
"""

from __future__ import annotations

import errno
import logging
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

_log = logging.getLogger("parley.worker")

_LOOK_SECONDS = 1.0
# A core that works for this part of the time has no room; what others take of it, or leave of another one, is worth
# moving for when it is more than that.
_FULL = 0.9
_MUCH = 0.1

_THREADS = Path("/proc/self/task")
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def best_core(here: int | None, busy: Mapping[int, float], own: float) -> int:
    """Choose a core: ``here`` while it has room, or while no other one has more.

    ``busy``: for each core that may be used, the share of time that it was busy. ``own``: the share that this process
    used of ``here``. ``here`` None: no core was chosen yet. Workers that share a core do not all leave it: each one
    decides at random.
    """
    better = list(busy)
    if here is not None and here in busy:
        crowded = busy[here] > _FULL and busy[here] - own > _MUCH
        better = [core for core in busy if busy[core] < busy[here] - _MUCH]
        if not crowded or not better or random.random() < 0.5:
            return here
    least = min(busy[core] for core in better)
    return random.choice([core for core in better if busy[core] < least + _MUCH])


class OneCore:
    """Chooses a core about once a second, in a thread of its own. Does nothing on one core, or without ``/proc/stat``.

    Workers of one machine (one network namespace) take different cores. A worker that finds no free one runs on all.

    ``claim``: takes a core, or finds that another worker has it. ``worked``: for how many seconds each core has worked
    since the machine started.
    """

    def __init__(
        self,
        look_seconds: float = _LOOK_SECONDS,
        claim: Callable[[int], socket.socket | None] | None = None,
        worked: Callable[[], Mapping[int, float]] | None = None,
    ) -> None:
        self._look_seconds = look_seconds
        self._claim_core = claim or claim_core
        self._worked = worked or seconds_worked
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="parley-one-core", daemon=True)
        self._here: int | None = None
        self._claim: socket.socket | None = None

    def start(self) -> None:
        """Begin to choose."""
        self._thread.start()

    def stop(self) -> None:
        """Stop, and let the threads run wherever they could before."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        allowed = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
        pause = self._look_seconds / 5
        try:
            worked, own, at = self._worked(), time.process_time(), time.monotonic()
            while len(allowed) > 1 and not self._stopped.wait(pause):
                before, own_before, at_before = worked, own, at
                worked, own, at = self._worked(), time.process_time(), time.monotonic()
                seconds = at - at_before
                busy = {core: (worked[core] - before[core]) / seconds for core in allowed}
                self._move(busy, (own - own_before) / seconds)
                # At random, so that workers of different containers that found the same idle core do not look together.
                pause = self._look_seconds * random.uniform(0.5, 1.5)
        except (OSError, LookupError, ValueError) as error:
            # The system does not show the load, or forbids to pin threads. So the kernel decides, as before.
            _log.info("threads stay on all cores (%s)", type(error).__name__)
        finally:
            if self._claim is not None:
                with suppress(OSError):
                    _pin(allowed)
                self._claim.close()

    def _move(self, busy: dict[int, float], own: float) -> None:
        while busy and (core := best_core(self._here, busy, own)) != self._here:
            claim = self._claim_core(core)
            if claim is not None:
                if self._claim is not None:
                    self._claim.close()
                self._here, self._claim = core, claim
                # A thread that is started later begins on the core of the thread that starts it.
                _pin({core})
                return
            del busy[core]


def claim_core(core: int, group: str = "parley worker") -> socket.socket | None:
    """Take a core; the claim ends when it is closed, or with the process. None: a process of ``group`` has it."""
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        # A name without a file: who has it has the core.
        claim.bind(f"\0{group} on core {core}")
    except OSError as error:
        claim.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return claim


def seconds_worked(stat: Path = Path("/proc/stat")) -> dict[int, float]:
    """For how many seconds each core has worked since the machine started. Raises ``OSError`` or ``ValueError`` where
    the system does not tell."""
    found = {}
    for line in stat.read_text().splitlines():
        name, *ticks = line.split()
        if name.startswith("cpu") and name != "cpu":
            user, nice, system, _, _, interrupts, soft_interrupts, stolen = map(int, ticks[:8])
            found[int(name[3:])] = (user + nice + system + interrupts + soft_interrupts + stolen) / _TICKS_PER_SECOND
    return found


def _pin(cores: set[int]) -> None:
    for thread in _THREADS.iterdir():
        # Some threads end meanwhile.
        with suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), cores)
