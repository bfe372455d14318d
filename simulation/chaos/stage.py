"""The system under chaos: which workers run, which are frozen, what the upstreams are told to do, what comes next."""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence

from redis import Redis

from simulation.chaos.incidents import ENDED_BY_ITSELF, Incidents
from simulation.chaos.outages import Outage
from simulation.chaos.push import Push
from simulation.chaos.subjects import Subject
from simulation.chaos.versions import Version
from simulation.servers.embedded_redis import EmbeddedRedis
from simulation.servers.system import RunningSystem, wrong_clock
from simulation.upstreams.call_log import Service
from simulation.upstreams.control import SimulationFailed
from simulation.upstreams.faults import FaultRule
from worker.pipeline.failpoints import CRASH_POINTS

_CLOCK_SHIFTS_SECONDS = (3600, -3600, 90, -86_400, 86_400)
_MOST_PASSES = 60
_LAST_LINES = 20
_LEASES_LOST = re.compile(r"leases lost: (\d+)")

_log = logging.getLogger(__name__)


class Stage:
    """Changes the system and writes each change down. Used by one thread.

    ``crash_points`` and ``clocks``: whether some of the workers that are started die at a step, or have a wrong clock.
    ``old``: another version, which all workers and one beat have until ``roll_out`` has replaced them, or with ``back``
    those that replace them; their clocks are right, so that what breaks is the version's doing. ``replica``: of the
    store's server.
    """

    def __init__(
        self,
        system: RunningSystem,
        subject: Subject,
        seed: int,
        *,
        workers: int,
        crash_points: bool,
        clocks: bool,
        old: Version | None = None,
        back: bool = False,
        replica: EmbeddedRedis | None = None,
    ) -> None:
        self.system = system
        self.subject = subject
        self.incidents = Incidents()
        self.dice = random.Random(f"stage {seed}")
        self.frozen: set[int] = set()
        self._ever_frozen: set[int] = set()
        # Monotonic time at which the last call that outlives three leases has ended.
        self.long_calls_until = 0.0
        # Of upstreams: those that are over, whether one lasts, which come next.
        self.outages: list[Outage] = []
        self.outage_lasts = self.storms = False
        self.outages_to_come: Iterator[tuple[Service, str]] = iter(())
        self.replica = replica
        # Who pushes notices, and to whom; None = nobody does.
        self.push: Push | None = None
        # Whether the server of the store runs and does what it is asked to; a connection that does not wait for it.
        self.store_is_well = True
        self.admin = Redis.from_url(system.redis.url, socket_timeout=2, retry=None)
        self._workers = workers
        self._crash_points, self._clocks = crash_points, clocks
        self._points = itertools.cycle(self.dice.sample(CRASH_POINTS, len(CRASH_POINTS)))
        self._shifts = itertools.cycle(_CLOCK_SHIFTS_SECONDS)
        self._deaths_at: dict[int, str] = {}
        self._counted: set[int] = set()
        self._stopped: set[int] = set()
        self._old_version, self._back = old, back
        # Of the version that is replaced: how many workers it has left, its processes.
        self._left = workers if old else 0
        self._leaving = {process.pid for process in (*system.beats, *system.workers)} if back else set()
        self._rules: dict[str, list[FaultRule]] = {}
        self._later: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()

    def later(self, seconds: float, act: Callable[[], object]) -> None:
        """Do something when ``seconds`` are over."""
        heapq.heappush(self._later, (time.monotonic() + seconds, next(self._numbers), act))

    def look(self) -> None:
        """Do what is due, and put a new worker in the place of each dead one."""
        while self._later and self._later[0][0] <= time.monotonic():
            heapq.heappop(self._later)[2]()
        for worker in self.system.workers:
            if worker.poll() is not None and worker.pid not in self._counted:
                self._bury(worker)
        running = sum(worker.poll() is None and not self.is_stopping(worker) for worker in self.system.workers)
        for _ in range(self._workers - running):
            self._start()
        if self.push:
            self.push.look()

    def roll_out(self, seconds: float) -> None:
        """Replace the workers of one version one by one within ``seconds``, its beat with the last of them."""
        if self._left:
            self.start_beat()
        for number in range(self._left):
            self.later(seconds * (number + 1) / (self._workers + 1), self._replace_one)

    def living(self) -> list[subprocess.Popen[bytes]]:
        """Workers that run and are not frozen."""
        return [worker for worker in self.system.workers if worker.poll() is None and worker.pid not in self.frozen]

    def somebody_works(self) -> bool:
        """Whether a worker that is neither frozen nor stopping takes messages."""
        at_work = {worker.pid for worker in self.living() if not self.is_stopping(worker)}
        return any(
            worker.pid in at_work and self.system.is_ready(number) for number, worker in enumerate(self.system.workers)
        )

    def kill(self, worker: subprocess.Popen[bytes]) -> None:
        """SIGKILL."""
        worker.kill()
        worker.wait()
        self._counted.add(worker.pid)
        self.incidents.note("worker killed (kill -9)")

    def stop(self, worker: subprocess.Popen[bytes]) -> None:
        """SIGTERM: it may finish what it has begun; its successor starts at once."""
        worker.terminate()
        self._stopped.add(worker.pid)
        self.incidents.note("worker stopped (SIGTERM)")

    def is_stopping(self, worker: subprocess.Popen[bytes]) -> bool:
        """Whether it got its SIGTERM."""
        return worker.pid in self._stopped

    def leases_lost(self) -> int:
        """How many leases living workers have lost, by their own logs; those that were frozen aside."""
        logs = [
            self.system.log_of("worker", number)
            for number, worker in enumerate(self.system.workers)
            if worker.pid not in self._ever_frozen
        ]
        return sum(int(lost) for log in logs for lost in _LEASES_LOST.findall(log))

    def start_beat(self) -> None:
        """One more beat; of the version that is replaced while that has workers and no beat."""
        running = {beat.pid for beat in self.system.beats if beat.poll() is None}
        leaves = bool(self._left) and running.isdisjoint(self._leaving)
        version = self._version(leaves=leaves)
        beat = self.system.start_beat({"PYTHONPATH": str(version.root)} if version else {})
        if leaves:
            self._leaving.add(beat.pid)

    def freeze(self, worker: subprocess.Popen[bytes], seconds: float) -> None:
        """SIGSTOP now, SIGCONT after so long."""
        os.kill(worker.pid, signal.SIGSTOP)
        self.frozen.add(worker.pid)
        self._ever_frozen.add(worker.pid)
        self.incidents.note("worker frozen (SIGSTOP for three leases)")

        def thaw() -> None:
            if worker.poll() is None:
                os.kill(worker.pid, signal.SIGCONT)
                self.incidents.note("thawed")
            self.frozen.discard(worker.pid)

        self.later(seconds, thaw)

    def tell_upstreams(self, name: str, rules: Sequence[FaultRule]) -> bool:
        """Put fault rules in force under a name; none takes those of that name away. The newest name goes first.

        Returns whether they are in force; if not, it is tried again.
        """
        self._rules.pop(name, None)
        if rules:
            self._rules = {name: list(rules), **self._rules}
        try:
            self.system.upstreams.clear_faults()
            for rule in itertools.chain.from_iterable(self._rules.values()):
                self.system.upstreams.add_fault(rule.model_copy(update={"seed": self.dice.randrange(2**32)}))
        except SimulationFailed:
            self.later(0.5, lambda: self.tell_upstreams(name, rules))
            return False
        return True

    def heal(self) -> None:
        """End of the trouble: everything that was to end later ends now, and nothing goes wrong any more."""
        while self._later:
            heapq.heappop(self._later)[2]()
        self._crash_points = self._clocks = False
        for name in list(self._rules):
            self.tell_upstreams(name, [])
        self.system.upstreams.release()
        self.admin.close()

    def _bury(self, worker: subprocess.Popen[bytes]) -> None:
        self._counted.add(worker.pid)
        point = self._deaths_at.get(worker.pid)
        if worker.returncode == -signal.SIGKILL and point:
            self.incidents.note("worker killed at a step", point)
        elif worker.pid not in self._stopped or worker.returncode not in (0, -signal.SIGTERM):
            self.incidents.note(f"{ENDED_BY_ITSELF} (exit status {worker.returncode})")
            number = self.system.workers.index(worker)
            last = self.system.log_of("worker", number).splitlines()[-_LAST_LINES:]
            # The run goes on, and its logs end with it.
            _log.error("worker-%d ended by itself, and said last:\n%s", number, "\n".join(last))

    def _start(self) -> None:
        leaves = len(self._not_replaced()) < self._left
        version = self._version(leaves=leaves)
        settings = {"PYTHONPATH": str(version.root)} if version else self._perhaps_wrong_clock()
        point = next(self._points) if self._crash_points and self.dice.random() < 0.5 else None
        if point and (version is None or version.has_crash_point(point)):
            settings["PARLEY_WORKER__CRASH_AT"] = f"{point}:{self.dice.randint(1, _MOST_PASSES)}"
        worker = self.system.start_worker(settings, wait=False)
        if leaves:
            self._leaving.add(worker.pid)
        if self._old_version:
            self.incidents.note(f"worker of the {'old' if version else 'new'} version started")
        if point:
            self._deaths_at[worker.pid] = point

    def _perhaps_wrong_clock(self) -> dict[str, str]:
        if not self._clocks or self.dice.random() >= 0.5:
            return {}
        seconds = next(self._shifts)
        self.incidents.note("worker with a wrong clock", f"{seconds:+d} s")
        return wrong_clock(seconds)

    def _version(self, *, leaves: bool) -> Version | None:
        return self._old_version if leaves != self._back else None

    def _not_replaced(self) -> list[subprocess.Popen[bytes]]:
        return [
            worker
            for worker in self.system.workers
            if worker.poll() is None and worker.pid in self._leaving and not self.is_stopping(worker)
        ]

    def _replace_one(self) -> None:
        self._left -= 1
        staying = self._not_replaced()
        if len(staying) > self._left:
            self.stop(self.dice.choice(staying))
        for beat in self.system.beats:
            if not self._left and beat.pid in self._leaving and beat.poll() is None:
                beat.terminate()
                self.start_beat()
