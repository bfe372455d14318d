"""One line of the core, changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass


def digest(text: str) -> str:
    """A short name of a text: another text has another one."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Mutant:
    """Line ``line`` of ``file``, counted from 1, is ``after`` where it was ``before``.

    ``kind``: what was changed. ``source``: the digest of the file that it was made from.
    """

    file: str
    line: int
    kind: str
    before: str
    after: str
    source: str

    @property
    def key(self) -> str:
        """Its name among the results. A mutant of a file that was changed since has another one."""
        return digest("\n".join((self.file, self.source, str(self.line), self.after)))

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.line}"

    def of(self, text: str) -> str:
        """The text of the file with the changed line. Raises ``ValueError`` when it is not the file of this mutant."""
        lines = text.splitlines(keepends=True)
        if digest(text) != self.source:
            raise ValueError(f"{self.file} has changed since this mutant was made: make its mutants again")
        lines[self.line - 1] = lines[self.line - 1].replace(self.before, self.after, 1)
        return "".join(lines)

    def __str__(self) -> str:
        return f"{self.place}: {self.before.strip()}  ->  {self.after.strip() or '(nothing)'}"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A change that can be made to a line.

    ``make``: makes it. The result is None when the change is not one of a single line, or the language refuses it.
    """

    file: str
    line: int
    kind: str
    make: Callable[[], Mutant | None]
