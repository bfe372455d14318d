"""The operators who may log in, by their file as it is now: one who is removed is logged out by the next request."""

from __future__ import annotations

import logging
from pathlib import Path

from config import operators
from config.operators import Operator

_log = logging.getLogger("parley.console")


class Operators:
    """The operators of a file. Raises ``ValueError`` for one that cannot be read when it is first read; a change that
    cannot be read lets nobody in, and is logged."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._mark = self._mark_now()
        self._known = operators.read(file) if file else {}

    @property
    def names(self) -> list[str]:
        """Their names."""
        return sorted(self._current())

    def named(self, name: str) -> Operator | None:
        """The operator of this name."""
        return self._current().get(name)

    def _current(self) -> dict[str, Operator]:
        if (mark := self._mark_now()) != self._mark:
            self._mark = mark
            try:
                self._known = operators.read(self._file) if self._file else {}
            except ValueError as fault:
                self._known = {}
                _log.error("nobody may log in: %s", fault)
        return self._known

    def _mark_now(self) -> tuple[int, ...] | None:
        try:
            found = self._file.stat() if self._file else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_ino, found.st_size) if found else None
