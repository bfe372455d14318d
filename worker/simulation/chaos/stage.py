"""The system under chaos: which workers run, which are frozen, what the upstreams are told to do, what comes next."""

from __future__ import annotations

import heapq
import itertools
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from worker.crash_points import CRASH_POINTS
from worker.simulation.chaos.incidents import Incidents
from worker.simulation.chaos.subjects import Subject
from worker.simulation.control import SimulationFailed
from worker.simulation.faults import FaultRule
from worker.simulation.system import RunningSystem

_SHIFTED_CLOCK = Path(__file__).absolute().parents[1] / "shifted_clock"
_CLOCK_SHIFTS_SECONDS = (3600, -3600, 90, -86_400, 86_400)
# An image is never hosted and a hold is rare in such a run; tests/acceptance/test_crash_points.py reaches all of them.
_DEADLY = tuple(point for point in CRASH_POINTS if point != "after hosting an image")
_MOST_PASSES = 60


class Stage:
    """Changes the system and writes each change down. Used by one thread.

    ``crash_points`` and ``clocks``: whether some of the workers that are started die at a step, or have a wrong clock
    (one at a time: beat's tasks carry a wall-clock expiry, so somebody has to share beat's idea of the time).
    """

    def __init__(
        self, system: RunningSystem, subject: Subject, seed: int, *, workers: int, crash_points: bool, clocks: bool
    ) -> None:
        self.system = system
        self.subject = subject
        self.incidents = Incidents()
        self.dice = random.Random(f"stage {seed}")
        self.frozen: set[int] = set()
        self._workers = workers
        self._crash_points, self._clocks = crash_points, clocks
        self._points = itertools.cycle(self.dice.sample(_DEADLY, len(_DEADLY)))
        self._shifts = itertools.cycle(_CLOCK_SHIFTS_SECONDS)
        self._deaths_at: dict[int, str] = {}
        self._counted: set[int] = set()
        self._wrong_clocks: set[int] = set()
        self._rules: dict[str, list[FaultRule]] = {}
        self._later: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something when ``seconds`` are over."""
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), act))

    def look(self) -> None:
        """Do what is due, and put a new worker in the place of each dead one."""
        while self._later and self._later[0][0] <= time.monotonic():
            heapq.heappop(self._later)[2]()
        for worker in self.system.workers:
            if worker.poll() is not None and worker.pid not in self._counted:
                self._bury(worker)
        running = sum(worker.poll() is None for worker in self.system.workers)
        for _ in range(self._workers - running):
            self._start()

    def living(self) -> list[subprocess.Popen[bytes]]:
        """Workers that run and are not frozen."""
        return [worker for worker in self.system.workers if worker.poll() is None and worker.pid not in self.frozen]

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """SIGKILL."""
        worker.kill()
        worker.wait()
        self._counted.add(worker.pid)
        self.incidents.note("worker killed (kill -9)")

    def freeze(self, worker: subprocess.Popen[bytes], seconds: float) -> None:
        """SIGSTOP now, SIGCONT after so long."""
        os.kill(worker.pid, signal.SIGSTOP)
        self.frozen.add(worker.pid)
        self.incidents.note("worker frozen (SIGSTOP for three leases)")

        def thaw() -> None:
            if worker.poll() is None:
                os.kill(worker.pid, signal.SIGCONT)
                self.incidents.note("thawed")
            self.frozen.discard(worker.pid)

        self.later(seconds, thaw)

    def tell_upstreams(self, name: str, rules: Sequence[FaultRule]) -> None:
        """Put fault rules in force under a name; none takes those of that name away. The newest name goes first."""
        self._rules.pop(name, None)
        if rules:
            self._rules = {name: list(rules), **self._rules}
        try:
            self.system.upstreams.clear_faults()
            for rule in itertools.chain.from_iterable(self._rules.values()):
                self.system.upstreams.add_fault(rule.model_copy(update={"seed": self.dice.randrange(2**32)}))
        except SimulationFailed:
            self.later(0.5, lambda: self.tell_upstreams(name, rules))

    def heal(self) -> None:
        """End of the trouble: everything that was to end later ends now, and nothing goes wrong any more."""
        while self._later:
            heapq.heappop(self._later)[2]()
        self._crash_points = self._clocks = False
        for name in list(self._rules):
            self.tell_upstreams(name, [])
        self.system.upstreams.release()

    def _bury(self, worker: subprocess.Popen[bytes]) -> None:
        self._counted.add(worker.pid)
        point = self._deaths_at.get(worker.pid)
        if worker.returncode == -signal.SIGKILL and point:
            self.incidents.note("worker killed at a step", point)
        else:
            self.incidents.note("worker ended by itself", f"exit status {worker.returncode}")

    def _start(self) -> None:
        settings: dict[str, str] = {}
        point = None
        if self._crash_points and self.dice.random() < 0.5:
            point = next(self._points)
            settings["PARLEY_WORKER__CRASH_AT"] = f"{point}:{self.dice.randint(1, _MOST_PASSES)}"
        alive = {worker.pid for worker in self.system.workers if worker.poll() is None}
        wrong_clock = self._clocks and alive.isdisjoint(self._wrong_clocks) and self.dice.random() < 0.5
        if wrong_clock:
            settings |= self._wrong_clock()
        worker = self.system.start_worker(settings, wait=False)
        if wrong_clock:
            self._wrong_clocks.add(worker.pid)
        if point:
            self._deaths_at[worker.pid] = point

    def _wrong_clock(self) -> Mapping[str, str]:
        seconds = next(self._shifts)
        self.incidents.note("worker with a wrong clock", f"{seconds:+d} s")
        path = os.pathsep.join((str(_SHIFTED_CLOCK), str(_SHIFTED_CLOCK.parents[2])))
        return {"SHIFTED_CLOCK_SECONDS": str(seconds), "PYTHONPATH": path}
