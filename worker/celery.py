"""The Celery application: ``celery -A worker worker`` and ``celery -A worker beat`` find it here.

Options are read from the settings when Celery first needs one, so that importing this module reads nothing.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from celery import Celery
from celery.apps.worker import Worker

from config import settings as configuration
from config.settings import SettingsError
from worker.processes import lifecycle


class QuietWorker(Worker):
    """A worker without Celery's exchange between workers, because the store has all that they would exchange.

    Mingle delays the start by a second, and gossip and heartbeats cost each worker work for every other one. Heartbeats
    stay on with task events, because Flower uses them to see which workers run.
    """

    def prepare_args(self, **kwargs: Any) -> dict[str, Any]:
        """Celery's own hook: the options of the command line, before they are used. Ends the process when its settings
        are not those of a worker."""
        try:
            configuration.load()
        except SettingsError as error:
            raise SystemExit(str(error)) from None
        heard = bool(kwargs.get("task_events")) or bool(self.app.conf.worker_send_task_events)
        return {**kwargs, "without_mingle": True, "without_gossip": True, "without_heartbeat": not heard}


class Parley(Celery):
    """Celery with our worker."""

    @cached_property
    def Worker(self) -> Any:  # noqa: N802 - the name that Celery looks for
        """What ``celery worker`` starts."""
        return self.subclass_with_self(QuietWorker)


app = Parley("parley", include=["tasks.turns", "tasks.scheduled"])
app.config_from_object("config.celery:celery_options")
lifecycle.connect()
