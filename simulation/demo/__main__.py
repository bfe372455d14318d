"""``python -m simulation.demo [--forever]``: the main job on embedded defaults, in about half a minute.

A real Redis with an append-only file, a real Celery worker, a real beat and a real web process as processes of their
own; both upstreams are simulated. What leads do comes through both doors, the producer and the ingress. Scripted leads
show what can happen, a small crowd gives the figures. With ``--forever`` the console runs, too. Exit status: 0 if every
check holds, 1 if one fails or a process dies, 130 if it was interrupted before it could tell.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from redis.exceptions import RedisError

from simulation.demo.console import made_in
from simulation.demo.director import Director
from simulation.demo.interruption import Interruption, held_back
from simulation.demo.leads import PERSONAS, SETTINGS
from simulation.demo.processes import ProcessDied, keep_logs, processes
from simulation.demo.screen import Screen
from simulation.demo.summary import Summary, show, show_verdict
from simulation.extra import need
from simulation.feeding import settings_of
from simulation.ingress_client import IngressFailed
from simulation.servers.embedded_redis import EmbeddedRedisFailed
from simulation.servers.redis_binary import NoRedisBinary
from simulation.servers.system import RunningSystem, SystemFailed
from simulation.upstreams.control import SimulationFailed
from worker.store import Store

THINK_SECONDS = (0.3, 0.9)
PASSED, FAILED, INTERRUPTED = 0, 1, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m simulation.demo", description=__doc__)
    parser.add_argument("--forever", action="store_true", help="new leads in rounds until Ctrl-C, then the summary")
    forever: bool = parser.parse_args(arguments).forever
    need("python -m simulation.demo", "standardwebhooks", "cryptography", "argon2", "itsdangerous", "jinja2")
    screen = Screen(time.time())
    logs = Path(tempfile.mkdtemp(prefix="parley-demo-"))
    status = FAILED
    screen.introduction()
    try:
        with Interruption() as interruption:
            status = _run(screen, interruption, logs, forever=forever)
    except KeyboardInterrupt:
        status = INTERRUPTED
    except (SystemFailed, SimulationFailed, EmbeddedRedisFailed, NoRedisBinary) as error:
        screen.remark(f"The demo cannot start: {error}", "bold red")
    if status == FAILED:
        screen.remark(f"The logs are kept in {logs}", "bold")
    else:
        shutil.rmtree(logs, ignore_errors=True)
    return status


def _run(screen: Screen, interruption: Interruption, logs: Path, *, forever: bool) -> int:
    console = made_in(logs) if forever else None
    settings = {**SETTINGS, **(console.settings if console else {})}
    system = RunningSystem(personas=PERSONAS, webs=1, latency_seconds=THINK_SECONDS, settings=settings, logs=logs)
    try:
        with held_back(signal.SIGINT):
            system.__enter__()
        if console:
            screen.remark(console.told, "bold")
        status = _perform(system, screen, interruption, forever=forever)
        if status == FAILED:
            keep_logs(system, logs)
        return status
    finally:
        with held_back(signal.SIGINT, signal.SIGTERM):
            system.stop()


def _perform(system: RunningSystem, screen: Screen, interruption: Interruption, *, forever: bool) -> int:
    settings = settings_of(system)
    try:
        with closing(Store(settings, connections=8)) as store:
            running = processes(system, settings, store.redis)
            screen.running(running)
            summary = Director(system, settings, store, running, screen, interruption).play(forever=forever)
    except ProcessDied as death:
        screen.remark(f"\n{death}", "bold red")
        return FAILED
    except (SimulationFailed, IngressFailed, RedisError) as error:
        screen.remark(f"\nThe demo cannot go on, although all its processes run: {type(error).__name__}", "bold red")
        return FAILED
    if summary is None:
        screen.remark("\nInterrupted: nothing was judged.", "bold")
        return INTERRUPTED
    return _verdict(summary, screen)


def _verdict(summary: Summary, screen: Screen) -> int:
    show(summary, screen)
    show_verdict(summary, screen)
    return FAILED if summary.failed else PASSED


if __name__ == "__main__":
    sys.exit(main())
