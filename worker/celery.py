"""The Celery app: ``celery -A worker worker`` and ``celery -A worker beat`` find it here.

Options are read from the settings when Celery first needs one, so that importing this module reads nothing.
"""

from __future__ import annotations

from typing import Any

from celery import Celery, signals

from config import logging as logs
from config import settings as configuration

app = Celery("parley", include=["tasks.turns", "tasks.schedule"])
app.config_from_object("config.broker:celery_options")


@signals.setup_logging.connect
def _configure_logging(**_: Any) -> None:
    logs.configure(configuration.load().worker)
