"""Gives a process a wrong wall clock: put this folder first on ``PYTHONPATH`` and set ``SHIFTED_CLOCK_SECONDS``.

Python imports a module of this name at its start, before anything else can look at the clock. Monotonic clocks stay as
they are, as they do when somebody sets the clock of a machine.
"""

from __future__ import annotations

import datetime as dates
import os
import time
from typing import Any, Self

_SECONDS = float(os.environ.get("SHIFTED_CLOCK_SECONDS", "0"))
_time, _time_ns, _gmtime, _localtime = time.time, time.time_ns, time.gmtime, time.localtime
_Datetime = dates.datetime


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Datetime)


class _ShiftedDatetime(_Datetime, metaclass=_AnyDatetime):
    @classmethod
    def now(cls, tz: dates.tzinfo | None = None) -> Self:
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> Self:
        return cls.fromtimestamp(time.time(), dates.UTC).replace(tzinfo=None)


def _shift() -> None:
    replacements: dict[str, Any] = {
        "time": lambda: _time() + _SECONDS,
        "time_ns": lambda: _time_ns() + int(_SECONDS * 1e9),
        "gmtime": lambda seconds=None: _gmtime(time.time() if seconds is None else seconds),
        "localtime": lambda seconds=None: _localtime(time.time() if seconds is None else seconds),
    }
    for name, replacement in replacements.items():
        setattr(time, name, replacement)
    setattr(dates, "datetime", _ShiftedDatetime)  # noqa: B010 - mypy knows that a class is not to be replaced


if _SECONDS:
    _shift()
