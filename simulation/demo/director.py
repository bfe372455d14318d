"""Plays the demo over a running system: round after round, what happens on the screen, the dead noticed."""

from __future__ import annotations

import time

from redis.exceptions import RedisError

from config.settings import Settings
from simulation.demo.doors import Doors
from simulation.demo.interruption import Interruption
from simulation.demo.leads import SealedLead
from simulation.demo.lines import Line
from simulation.demo.notices import NoticeStream
from simulation.demo.processes import Process, ProcessDied
from simulation.demo.round import Round
from simulation.demo.screen import Screen
from simulation.demo.summary import Summary
from simulation.demo.totals import Totals
from simulation.ingress_client import IngressClient, IngressFailed
from simulation.servers.system import INGRESS_TOKEN, RunningSystem
from simulation.upstreams.control import SimulationFailed
from worker.pipeline.producer import Producer
from worker.store import Store
from worker.store.views.books import Account

_STEP_SECONDS = 0.1
_GLANCE_SECONDS = 0.5
_DRAIN_SECONDS = 20.0
# A connection breaks a moment before its process is known to be gone.
_DEATH_SECONDS = 2.0


class Director:
    """``running``: the processes that must stay alive while it plays."""

    def __init__(
        self,
        system: RunningSystem,
        settings: Settings,
        store: Store,
        running: list[Process],
        screen: Screen,
        interruption: Interruption,
    ) -> None:
        self._system = system
        self._settings = settings
        self._store = store
        self._producer = Producer(settings, store=store)
        self._ingress = IngressClient(system.ingresses[0], INGRESS_TOKEN)
        self._running = running
        self._screen = screen
        self._interruption = interruption
        self._totals = Totals()
        self._notices = NoticeStream(self._ingress, SealedLead.handle)
        self._glanced_at = 0.0

    def play(self, *, forever: bool) -> Summary | None:
        """Play one round, or with ``forever`` rounds until interrupted. None if a single round was cut short.

        Raises ``ProcessDied``; ``SimulationFailed``, ``IngressFailed`` or ``redis.RedisError`` if all are alive and
        yet do not answer.
        """
        number = 0
        accounts: list[Account] = []
        try:
            while number == 0 or (forever and not self._interruption.requested):
                number += 1
                stage = self._play_round(number)
                if self._interruption.requested and not forever:
                    return None
                accounts = self._drain(stage)
                self._totals.add(stage, self._settings)
                self._notices.pull()
        except (SimulationFailed, IngressFailed, RedisError):
            self._look_for_the_dead(_DEATH_SECONDS)
            raise
        finally:
            self._screen.end_of_story()
            self._ingress.close()
        return self._totals.summary(accounts, self._notices, self._settings)

    def _play_round(self, number: int) -> Round:
        if number > 1:
            self._system.upstreams.reset()
        doors = Doors(self._producer, self._ingress)
        stage = Round(number, self._system.upstreams, doors, self._store)
        while not stage.finished and not self._interruption.requested:
            self._show(stage.advance())
        return stage

    def _drain(self, stage: Round) -> list[Account]:
        if self._interruption.requested:
            self._screen.remark("Finishing what was begun; Ctrl-C again stops at once.", "bold")
        deadline = time.monotonic() + _DRAIN_SECONDS
        while True:
            self._show(stage.watch())
            accounts = self._store.books.accounts()
            if any(account.waiting for account in accounts) and time.monotonic() < deadline:
                continue
            for line in stage.close():
                self._screen.line(line)
            # Beat may have dispatched a follow-up in between; books and logs have to tell of the same moment.
            if accounts == self._store.books.accounts() or time.monotonic() >= deadline:
                return accounts

    def _show(self, lines: list[Line]) -> None:
        for line in lines:
            self._screen.line(line)
        self._look_for_the_dead()
        if time.monotonic() - self._glanced_at >= _GLANCE_SECONDS:
            self._glanced_at = time.monotonic()
            self._screen.status(self._store.books.accounts())
        time.sleep(_STEP_SECONDS)

    def _look_for_the_dead(self, seconds: float = 0.0) -> None:
        deadline = time.monotonic() + seconds
        while True:
            for process in self._running:
                if process.ended():
                    raise ProcessDied(process)
            if time.monotonic() >= deadline:
                return
            time.sleep(_STEP_SECONDS)
