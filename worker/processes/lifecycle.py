"""What worker and scheduler processes do when they start, are ready, stop and end: handlers of Celery's signals."""

from __future__ import annotations

import atexit
import gc
import logging
import os
import threading
from typing import Any

from celery import signals
from celery.worker import state

from config import settings as configuration
from worker import bootstrap
from worker.observability import logs, metrics, tracing
from worker.observability.endpoint import Endpoint
from worker.observability.health import BeatHealth, WorkerHealth
from worker.observability.store_metrics import StoreFigures
from worker.processes.cpu_affinity import OneCore
from worker.processes.signs import Signs
from worker.processes.start_up import StartUpCheck, examine_layout
from worker.processes.watchdog import Watchdog
from worker.store import Store, encryption
from worker.store.heartbeats import Served

_log = logging.getLogger("parley.worker")

# Beat sends its tasks several times a second, but a slow broker may delay it.
_BEAT_SILENT_SECONDS = 30.0
_BEAT_SIGN_SECONDS = 5.0
_HAND_OVER_SECONDS = 1.0
# Looks at the young objects for each look at all of them; Python's default is 10.
_YOUNG_LOOKS_FOR_GARBAGE = 40

_health = WorkerHealth()
_signs: list[Signs] = []


def connect() -> None:
    """Have Celery's signals call these handlers in this process. Twice is as once."""
    signals.worker_ready.connect(_ready)
    signals.worker_shutting_down.connect(_stopping)
    signals.worker_process_shutdown.connect(_forked_process_ended)
    signals.beat_init.connect(_beat_begins)
    signals.celeryd_after_setup.connect(_check_store)
    signals.setup_logging.connect(_configure_logging)
    atexit.register(_leave)


def _ready(sender: Any, **_: Any) -> None:
    _log.info("worker ready")
    metrics.slots(sender.pool.limit)
    if configuration.load().worker.one_core and _pool_of(sender) == "thread":
        OneCore().start()
    _health.takes_messages(_watch(sender), lambda: sender.connection is not None)
    _look_less_for_garbage()


def _leave() -> None:
    for signs in _signs:
        signs.end()


def _look_less_for_garbage() -> None:
    # With 1100 turns that wait, a full garbage collection stops all threads for 0.2 s, and one was due every 2 s. What
    # exists when the worker begins stays, so it is excluded (docs/decisions/0009).
    gc.collect()
    gc.freeze()
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _YOUNG_LOOKS_FOR_GARBAGE)


def _stopping(sig: str, **_: Any) -> None:
    seconds = configuration.load().worker.stop_seconds
    _log.info("worker stopping on %s: turns under way have %.0f s to finish", sig, seconds)
    _health.stops()
    bootstrap.stop()
    timer = threading.Timer(seconds, _hand_over)
    timer.daemon = True
    timer.start()


def _hand_over() -> None:
    _log.warning("worker stops now: turns still under way are handed over")
    # An unreachable store must not keep this process running: the leases then run out, as after a crash.
    giving = threading.Thread(target=bootstrap.hand_over, daemon=True)
    giving.start()
    giving.join(_HAND_OVER_SECONDS)
    _leave()
    logging.shutdown()
    os._exit(0)


def _watch(consumer: Any) -> Watchdog:
    settings = configuration.load()
    # A connection of its own, so that it does not wait for turns. A parent must not use those of its forked workers.
    store = Store(settings, connections=1)
    queues = [queue.name for queue in consumer.task_consumer.queues]

    serves = Served(tuple(settings.personas), settings.captivate.name)

    signs = Signs(store.processes, "worker", lambda: watchdog.look_seconds, serves)
    _signs.append(signs)

    # The parent of forked workers runs no task: taking one counts as progress, and only its supervisor may end it.
    forks = _pool_of(consumer) == "prefork"
    if not forks:
        bootstrap.parts()
    watchdog = Watchdog(
        lambda: store.doorbells.backlog(queues),
        settings.worker.stuck_seconds,
        None if forks else os._exit,
        sign=signs.give,
    )

    def progress(**_: Any) -> None:
        watchdog.progress()

    for signal in (signals.task_received,) if forks else (signals.task_prerun, signals.task_postrun):
        signal.connect(progress, weak=False)
    watchdog.start()
    return watchdog


def _pool_of(consumer: Any) -> str:
    return type(consumer.pool).__module__.rpartition(".")[2]


def _forked_process_ended(pid: int | None = None, **_: Any) -> None:
    metrics.process_ended(pid or os.getpid())


def _beat_begins(sender: Any, **_: Any) -> None:
    settings = configuration.load(role="scheduler")
    store = Store(settings, connections=1)
    every_seconds = settings.metrics.measure_seconds
    StartUpCheck(settings, _refuse_to_schedule, only=examine_layout).begin()

    figures = StoreFigures(
        store.measures.take,
        list(settings.personas),
        every_seconds,
        patience_seconds=settings.metrics.patience_seconds,
    )
    silent_seconds = max(_BEAT_SILENT_SECONDS, 4 * settings.agenda.tick_seconds)
    health = BeatHealth(
        lambda: sender.scheduler.ticked_at,
        figures.store_answers,
        lambda: sender.scheduler.broker_answers,
        silent_seconds,
    )
    # Over a connection of its own: to measure takes long when much is stored.
    signs = Signs(Store(settings, connections=1).processes, "beat", lambda: min(_BEAT_SIGN_SECONDS, every_seconds))
    _signs.append(signs)
    signs.start(lambda: health.live().good)

    def sent(sender: str, **_: Any) -> None:
        metrics.beat_sent(sender)

    signals.after_task_publish.connect(sent, weak=False)
    figures.start()
    Endpoint.start(settings.metrics, metrics.beat_registry(figures), health)


def _check_store(**_: Any) -> None:
    settings = configuration.load()
    if fault := tracing.fault(settings.tracing) or encryption.fault(settings.encryption):
        _refuse_to_work(fault)
    check = StartUpCheck(settings, _refuse_to_work)
    check.begin()
    _health.checks_store(check.passed)
    Endpoint.start(settings.metrics, metrics.worker_registry(), _health)


def _refuse_to_work(reason: str) -> None:
    _log.critical("worker ends: %s", reason)
    # Celery's own loop reads it, and only that loop may end a running worker.
    state.should_stop = 1  # type: ignore[assignment]
    if threading.current_thread() is threading.main_thread():
        raise SystemExit(1)


def _refuse_to_schedule(reason: str) -> None:
    _log.critical("beat ends: %s", reason)
    if threading.current_thread() is threading.main_thread():
        raise SystemExit(1)
    # A scheduler has nothing to store or to finish.
    logging.shutdown()
    os._exit(1)


def _configure_logging(**_: Any) -> None:
    settings = configuration.load(role="scheduler")
    logs.configure(settings.worker, settings.privacy)
