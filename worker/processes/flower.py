"""``make flower``: Flower over Parley's Celery app, as it may be left open on an operator's screen.

It demands a password, and listens on loopback by default. Flower's HTTP API is removed, because it can run tasks and
stop workers. Its buttons are hidden, and its tasks survive a restart. A task is a doorbell: it shows a conversation and
the result of its turn, never content.
"""

from __future__ import annotations

import atexit
import logging
import secrets
import signal
import sys
from importlib.util import find_spec
from types import FrameType
from typing import Any

from config.settings import Settings, SettingsError, load
from worker.observability import logs

_log = logging.getLogger("parley.flower")

# Flower's own metrics have no authentication; those of Parley say more.
CLOSED = ("/api/", "/metrics")
COLUMNS = "name,args,state,result,received,runtime,worker,uuid"
SAVE_MILLISECONDS = 30_000


def main() -> int:
    """Serve until a signal. Returns the exit status: 2 for settings that cannot be used."""
    if find_spec("flower") is None:
        print("Flower is not installed: pip install 'parley-worker[flower]'", file=sys.stderr)
        return 2
    try:
        settings = load(role="scheduler")
    except SettingsError as error:
        print(error, file=sys.stderr)
        return 2
    if settings.flower.password is None:
        print(
            "Flower needs a password, there is no default: set PARLEY_FLOWER__PASSWORD, "
            "or PARLEY_FLOWER__PASSWORD_FILE to a file that holds it",
            file=sys.stderr,
        )
        return 2
    logs.configure(settings.worker, settings.privacy)
    serve(settings)
    return 0


def serve(settings: Settings) -> None:
    """Start Flower and block until SIGTERM or Ctrl-C. Raises ``OSError`` when the address cannot be used."""
    # Imported here, because a worker needs neither.
    from celery.app.utils import find_app
    from flower import urls
    from flower.app import Flower
    from tornado.options import options

    assert settings.flower.password  # noqa: S101 - main asks for it
    login = f"{settings.flower.user}:{settings.flower.password.get_secret_value()}"
    for name, value in _options(settings, login).items():
        setattr(options, name, value)
    urls.handlers[:] = [handler for handler in urls.handlers if not _pattern(handler).startswith(CLOSED)]
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    flower = Flower(
        capp=find_app("worker"), options=options, **{**urls.settings, "cookie_secret": secrets.token_urlsafe(64)}
    )
    atexit.register(flower.stop)
    signal.signal(signal.SIGTERM, _stop)
    port = flower.start_http_server()
    _log.info("flower at http://%s:%d, user %s", settings.flower.address, port, settings.flower.user)
    try:
        flower.start()
    except (KeyboardInterrupt, SystemExit):
        _log.info("flower stops")


def _options(settings: Settings, login: str) -> dict[str, Any]:
    own = settings.flower
    return {
        "address": own.address,
        "port": own.port,
        "basic_auth": [login],
        "read_only": True,
        "persistent": True,
        "db": str(own.database),
        "state_save_interval": SAVE_MILLISECONDS,
        "max_tasks": own.tasks_kept,
        "purge_offline_workers": 3600,
        "tasks_columns": COLUMNS,
        "format_task": readable,
    }


def readable(task: Any) -> Any:
    """A task as Flower lists it: how it went in plain words, also when that is a failure."""
    told = task.exception or task.result
    if told and told.startswith("DeadLetter("):
        told = told.removeprefix("DeadLetter(").removesuffix(")")
    task.result = told.strip("'\"") if told else told
    return task


def _pattern(handler: Any) -> str:
    return str(handler.regex.pattern if hasattr(handler, "regex") else handler[0])


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
