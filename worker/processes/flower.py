"""``make flower``: Flower over Parley's Celery app, as it may be left open on an operator's screen.

It demands a password, and listens on loopback by default. Flower's HTTP API is removed, because it can run tasks and
stop workers. Its buttons are hidden, and its tasks survive a restart. A task is a doorbell: it shows a conversation and
the result of its turn, never content. Below ``url_prefix`` a proxy may pass the whole path or strip the prefix.
"""

from __future__ import annotations

import atexit
import errno
import hmac
import logging
import os
import secrets
import signal
import sys
import unicodedata
from importlib.util import find_spec
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

from config.settings import Settings, SettingsError, load
from worker.observability import logs

_log = logging.getLogger("parley.flower")

# Flower's own metrics have no authentication; those of Parley say more.
CLOSED = ("/api/", "/metrics")
# The first one opens a turn. The styles count these columns, too (flower.css).
COLUMNS = "uuid,args,state,result,received,runtime,worker,name"
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
    try:
        _make_room(settings.flower.database)
    except OSError as error:
        print(
            f"Flower cannot keep its tasks in {settings.flower.database} ({error.strerror}): set "
            "PARLEY_FLOWER__DATABASE to a file that it may write",
            file=sys.stderr,
        )
        return 2
    logs.configure(settings.worker, settings.privacy)
    serve(settings)
    return 0


def serve(settings: Settings) -> None:
    """Start Flower and block until SIGTERM or Ctrl-C. Raises ``OSError`` when the address cannot be used."""
    # Imported here, because a worker needs none of them.
    from celery.app.utils import find_app
    from flower import urls, views
    from flower.app import Flower
    from tornado.options import options
    from tornado.web import RedirectHandler, url

    from worker.processes.flower_pages import Pages

    assert settings.flower.password  # noqa: S101 - main asks for it
    login = f"{settings.flower.user}:{settings.flower.password.get_secret_value()}"
    for name, value in _options(settings, login).items():
        setattr(options, name, value)
    urls.handlers[:] = [handler for handler in urls.handlers if not _pattern(handler).startswith(CLOSED)]
    prefix = settings.flower.url_prefix or ""
    if prefix:
        urls.handlers.insert(0, url("", RedirectHandler, {"url": f"{prefix}/"}))
    # Flower compares texts, and Python raises for two texts that are not ASCII.
    views.hmac = SimpleNamespace(compare_digest=same_login)
    logging.getLogger("tornado.access").setLevel(logging.ERROR)
    own = {
        "cookie_secret": secrets.token_urlsafe(64),
        "template_loader": Pages(urls.settings["template_path"]),
        "static_url_prefix": f"{prefix}/static/",
        "login_url": f"{prefix}/login",
    }
    flower = Flower(capp=find_app("worker"), options=options, **{**urls.settings, **own})
    if prefix:
        # For a proxy that strips the prefix, and for health checks that do not know it.
        flower.wildcard_router.add_rules([_unnamed(handler) for handler in urls.handlers[1:]])
    atexit.register(flower.stop)
    signal.signal(signal.SIGTERM, _stop)
    port = flower.start_http_server()
    at = f"{settings.flower.address}:{port}{prefix}"
    _log.info("flower at http://%s/, user %s", at, settings.flower.user)
    try:
        flower.start()
    except (KeyboardInterrupt, SystemExit):
        _log.info("flower stops")


def _options(settings: Settings, login: str) -> dict[str, Any]:
    own = settings.flower
    return {
        "address": own.address,
        "port": own.port,
        "url_prefix": own.url_prefix or None,
        "basic_auth": [login],
        "read_only": True,
        "persistent": True,
        "db": str(own.database.expanduser()),
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


def same_login(known: str, given: str) -> bool:
    """Whether a browser sent the login that the settings say. Takes the same time, however many characters agree."""
    return hmac.compare_digest(_octets(known), _octets(given))


def _octets(login: str) -> bytes:
    # An accent may be typed as one character or as two.
    return unicodedata.normalize("NFC", login).encode("utf-8", "surrogatepass")


def _make_room(database: Path) -> None:
    directory = database.expanduser().absolute().parent
    # It names leads, so other users of this machine must not read it.
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not os.access(directory, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _unnamed(handler: Any) -> tuple[Any, ...]:
    # Links are made from names, and have to have the prefix.
    return (_pattern(handler), handler.handler_class) if hasattr(handler, "regex") else handler


def _pattern(handler: Any) -> str:
    return str(handler.regex.pattern if hasattr(handler, "regex") else handler[0])


def _stop(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
