"""The Celery app: ``celery -A worker worker`` and ``celery -A worker beat`` find it here.

Options are read from the settings when Celery first needs one, so that importing this module reads nothing.
"""

from __future__ import annotations

import logging
import os
import threading
from functools import cached_property
from typing import Any

from celery import Celery, signals
from celery.apps.worker import Worker
from celery.worker import state
from celery.worker.consumer import Consumer

from config import logging as logs
from config import settings as configuration
from worker import bootstrap
from worker.start_up import StartUpCheck
from worker.watchdog import Watchdog

_log = logging.getLogger("parley.worker")


class QuietWorker(Worker):
    """A worker that does not talk to its neighbours: the store knows all that they would tell each other.

    Mingle delays the start by a second, gossip and heartbeats cost each worker work for every other one. Heartbeats
    stay when task events are on, because Flower tells from them which workers are alive.
    """

    def prepare_args(self, **kwargs: Any) -> dict[str, Any]:
        """Celery's own hook: the options of the command line, before they are used."""
        heard = bool(kwargs.get("task_events")) or bool(self.app.conf.worker_send_task_events)
        return {**kwargs, "without_mingle": True, "without_gossip": True, "without_heartbeat": not heard}


class CarefulConsumer(Consumer):
    """Throws a message away that Celery stumbles over, where Celery would end the worker and put the message back."""

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Any:
        """Celery's own hook: what takes each message."""
        handle = super().create_task_handler(*args, **kwargs)

        def take(message: Any) -> None:
            try:
                handle(message)
            except (TypeError, ValueError, LookupError, AttributeError, RecursionError) as error:
                self.on_invalid_task(None, message, error)

        return take


class Parley(Celery):
    """Celery with our worker."""

    @cached_property
    def Worker(self) -> Any:  # noqa: N802 - the name that Celery looks for
        """What ``celery worker`` starts."""
        return self.subclass_with_self(QuietWorker)


app = Parley("parley", include=["tasks.turns", "tasks.schedule"])
app.config_from_object("config.broker:celery_options")


@signals.worker_ready.connect
def _ready(sender: Any, **_: Any) -> None:
    _log.info("worker ready")
    # The parent of forked workers runs no task, so it cannot tell whether there is progress.
    if "prefork" not in type(sender.pool).__module__:
        _watch([queue.name for queue in sender.task_consumer.queues])


@signals.worker_shutting_down.connect
def _stopping(sig: str, **_: Any) -> None:
    seconds = configuration.load().worker.stop_seconds
    _log.info("worker stopping on %s: turns under way have %.0f s to finish", sig, seconds)
    bootstrap.stop()
    timer = threading.Timer(seconds, _hand_over)
    timer.daemon = True
    timer.start()


def _hand_over() -> None:
    # Exactly what a crash would do, but announced: the leases run out, other workers go on from the journals.
    _log.warning("worker stops now: turns still under way are handed over by their leases")
    logging.shutdown()
    os._exit(0)


def _watch(queues: list[str]) -> None:
    parts = bootstrap.parts()
    watchdog = Watchdog(lambda: parts.store.doorbells.backlog(queues), parts.settings.worker.stuck_seconds)

    def progress(**_: Any) -> None:
        watchdog.progress()

    for signal in (signals.task_prerun, signals.task_postrun):
        signal.connect(progress, weak=False)
    watchdog.start()


@signals.celeryd_after_setup.connect
def _check_store(**_: Any) -> None:
    StartUpCheck(configuration.load(), _refuse_to_work).begin()


def _refuse_to_work(reason: str) -> None:
    _log.critical("worker ends: %s", reason)
    # Read by Celery's own loop, which is the only one that may end it once it runs.
    state.should_stop = 1  # type: ignore[assignment]
    if threading.current_thread() is threading.main_thread():
        raise SystemExit(1)


@signals.setup_logging.connect
def _configure_logging(**_: Any) -> None:
    logs.configure(configuration.load().worker)
