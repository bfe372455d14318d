"""Tries a suspect alone: one turn in a child process, which nothing else depends on (``worker/processes/trial.py``)."""

from __future__ import annotations

import json
import logging
import os
import pickle
import random
import signal
import subprocess
import sys
import threading
from typing import Literal, NamedTuple

from config.settings import Settings
from worker.domain.decisions import Wait
from worker.domain.suspicion import KILLS_ALONE, lost_in_trials
from worker.domain.vocabulary import Cause, figures
from worker.pipeline.turn_result import TurnResult
from worker.store.conversations.journal import Entry
from worker.store.conversations.turn_steps import Grant

_log = logging.getLogger("parley.turn")

# Between two times at which a suspect is to be tried: when it was not, after a child was killed (memory may be short
# for another reason), and after a worker was, longer each time.
_AGAIN_SECONDS = 2.0
_AFTER_A_KILL_SECONDS = 20.0
_MOST_SECONDS = 600.0
# A supervisor or a terminal sends these to all processes of a service. They are for the worker, which ends its child.
_FOR_THE_WORKER = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
# Waiting is counted in steps, so that a worker that stands still meanwhile does not count that time.
_STEP_SECONDS = 1.0
_CHILD = "worker.processes.trial"


class Task(NamedTuple):
    """What a child process is told over its standard input, which no other process can read: settings have keys.

    ``token``: of the turn, whose lease the parent holds. ``ahead``: as in ``Store``.
    """

    settings: Settings
    conversation: str
    token: str
    ahead: bool


Verdict = TurnResult | Literal["killed", "no room", "not tried", "stopped"]


class Trials:
    """Tries one suspect at a time. The others wait, because each needs a process, and any one of them may be the
    cause."""

    def __init__(self, settings: Settings, *, ahead: bool = False) -> None:
        self._settings = settings
        self._ahead = ahead
        self._one = threading.Lock()
        self._stopped = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None

    def run(self, grant: Grant) -> Verdict:
        """Run the turn of a grant in a child process. Returns its result when it came to an end.

        ``killed``: the child died of a signal, or did not end within ``worker.stuck_seconds``, while this process
        lives and runs. ``no room``: another one is being tried. ``not tried``: no child could be started, or it failed
        before it began. ``stopped``: this process ends.
        """
        if not self._one.acquire(blocking=False):
            return "no room"
        try:
            return self._run(grant)
        finally:
            self._child = None
            self._one.release()

    def stop(self) -> None:
        """This process ends: so does the child, and that is no evidence."""
        self._stopped.set()
        child = self._child
        if child is not None:
            child.kill()

    def _run(self, grant: Grant) -> Verdict:
        task = pickle.dumps(Task(self._settings, grant.conversation.name, grant.token, self._ahead))
        try:
            child = _start()
        except OSError as error:
            return self._untried(grant, type(error).__name__)
        self._child = child
        if self._stopped.is_set():
            child.kill()
        with child:
            try:
                said = _talk(child, task, self._settings.worker.stuck_seconds)
            except subprocess.TimeoutExpired:
                child.kill()
                said = b""
        if self._stopped.is_set():
            return "stopped"
        if child.returncode < 0:
            return "killed"
        try:
            return _result(said)
        except (ValueError, KeyError):
            return self._untried(grant, f"exit status {child.returncode}")

    def _untried(self, grant: Grant, why: str) -> Literal["not tried"]:
        _log.error("suspect not tried alone: %s", why, extra={"conversation": grant.conversation.name})
        return "not tried"


def _start() -> subprocess.Popen[bytes]:
    # A child has the blocked signals of the thread that starts it, from its first moment on.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _FOR_THE_WORKER)
    try:
        return subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, "-m", _CHILD, str(os.getpid())], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _talk(child: subprocess.Popen[bytes], task: bytes, seconds: float) -> bytes:
    told: bytes | None = task
    while True:
        step = min(_STEP_SECONDS, seconds)
        try:
            said, _ = child.communicate(told, timeout=step)
        except subprocess.TimeoutExpired:
            told, seconds = None, seconds - step
            if seconds <= 0:
                raise
        else:
            return said


def of_trial(
    head: Entry, verdict: Literal["killed", "no room", "not tried", "worker lost"], jitter: random.Random
) -> Wait:
    """Decide what follows when a suspect was to be tried and no result came of it. ``head``: as it is by now.

    ``worker lost``: the turn before this one was such a trial, and its worker vanished.
    """
    killed = verdict == "killed"
    seconds = _AGAIN_SECONDS
    if killed:
        # The last one: the next turn buries it, in the step that it has by then.
        seconds = _AFTER_A_KILL_SECONDS if head.killed_alone < KILLS_ALONE else 0.0
    elif verdict == "worker lost":
        seconds = min(_MOST_SECONDS, _AGAIN_SECONDS * 2.0 ** min(lost_in_trials(head) - 1, 32))
    detail = figures(times=max(head.asks_vanished, head.sends_vanished), killed=head.killed_alone or None)
    return Wait(seconds * jitter.uniform(0.5, 1.5), Cause.SUSPECT, detail, unknown=killed, asked=killed)


def told(result: TurnResult) -> str:
    """What a child says of its turn: without content, like all that a result says."""
    return json.dumps(result._asdict())


def _result(said: bytes) -> TurnResult:
    # Libraries may have said something before.
    fields = json.loads(said.decode().splitlines()[-1] if said else "")
    cause = fields.pop("cause")
    return TurnResult(cause=None if cause is None else Cause(cause), **fields)
