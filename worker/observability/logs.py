"""Logs of a process: one event a line, ids as fields, never content, and nothing that a terminal obeys.

Celery and its libraries can print a whole message that they cannot read, and a task's arguments or result; those
records are cut to their first sentence.
"""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from config.plain_text import field, printable
from config.settings import Privacy, Worker
from worker.domain.handles import Handles

FIELDS = ("conversation", "persona", "event_id", "kind", "seconds", "cause", "detail")

# Loggers whose arguments can hold a message body.
_TALKATIVE = ("celery", "kombu", "amqp")

_LIKE_A_FIELD = re.compile(rf"\b({'|'.join(FIELDS)})=")


def configure(worker: Worker, privacy: Privacy) -> None:
    """Send all logs of this process to standard error in the chosen format and from the chosen level, conversations
    shown as ``privacy`` says."""
    handler = logging.StreamHandler(sys.stderr)
    shown = Handles(privacy).shown
    handler.setFormatter(JsonFormatter(shown) if worker.log_format == "json" else TextFormatter(shown))
    handler.addFilter(without_content)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(worker.log_level)
    # Scripts that wait for a worker to start read this, at any level.
    logging.getLogger("parley.worker").setLevel(logging.INFO)
    # One line for each doorbell would say less than our own line for each turn, and costs a third of it.
    for name in ("celery.worker.strategy", "celery.app.trace", "celery.beat", "celery.pool", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def without_content(record: logging.LogRecord) -> bool:
    """Take bodies, arguments and results out of what Celery and kombu log. Always lets the record pass."""
    if record.name.partition(".")[0] in _TALKATIVE and record.levelno >= logging.WARNING and record.args:
        template = str(record.msg).partition("\n")[0].partition("%")[0].strip(" :'\"[(")
        record.msg, record.args = f"{template} (details left out: they can hold content)", None
        if record.exc_info and record.exc_info[0]:
            record.msg += f": {record.exc_info[0].__name__}"
            record.exc_info, record.exc_text = None, None
    return True


class _Formatter(logging.Formatter):
    def __init__(self, shown: Callable[[str], str] = str) -> None:
        super().__init__()
        self._shown = shown

    def _fields(self, record: logging.LogRecord) -> dict[str, object]:
        found = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if "conversation" in found:
            found["conversation"] = self._shown(found["conversation"])
        return found


class TextFormatter(_Formatter):
    """For a terminal: time, level, logger, message, fields."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback follows in further lines, which are indented."""
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        fields = "".join(f" {field(name, value)}" for name, value in self._fields(record).items())
        # What a sender wrote can be part of a message: it must not pass for a field of ours.
        message = _LIKE_A_FIELD.sub(r"\1\\x3d", printable(record.getMessage()))
        line = f"{at} {record.levelname:<7} {record.name}: {message}{fields}"
        if not record.exc_info:
            return line
        traceback = self.formatException(record.exc_info).split("\n")
        return "\n".join([line, *(f"  {printable(each)}" for each in traceback)])


class JsonFormatter(_Formatter):
    """For a collector: one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; a traceback is one field."""
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        # Everything beyond printable ASCII is escaped.
        return json.dumps(line, default=str)
