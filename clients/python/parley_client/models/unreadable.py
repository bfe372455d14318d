"""Made of worker/domain/unreadable.py by make client: change it there."""

from __future__ import annotations

import re
from collections.abc import Iterable


def field_path(location: Iterable[int | str]) -> str:
    """The place of a fault, as names joined by dots. A name that a sender may have chosen is not repeated."""
    return ".".join(_name(part) for part in location)


def _name(part: int | str) -> str:
    return str(part) if re.fullmatch(r"\w{1,40}", str(part)) else "(a field of another name)"
