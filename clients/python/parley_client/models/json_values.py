"""Made of worker/clients/values/json_values.py by make client: change it there."""

from __future__ import annotations

import math
from typing import Any

from parley_client.models.odd_values import MAX_NUMBER_BITS
from parley_client.models.wire_text import repair

MAX_DEPTH = 100

_NOTHING = object()


def _leaf_fault(item: object) -> str | None:
    if item is None or isinstance(item, str):
        return None
    if isinstance(item, int):
        return None if item.bit_length() <= MAX_NUMBER_BITS else "a number is too large"
    if isinstance(item, float):
        return None if math.isfinite(item) else "NaN and infinity are not JSON"
    return f"a {type(item).__name__} is not JSON"


def json_part(value: object, *, first_level: int = 1) -> tuple[Any, set[str]]:
    """A copy of ``value`` with all that JSON can hold, and the reasons why other parts are missing in it.

    NaN and infinity become null, half a character becomes U+FFFD. A part that JSON cannot hold is missing in its object
    and null in its list. ``first_level``: of ``value``; a part at level ``MAX_DEPTH`` is too deep.
    """
    faults: set[str] = set()
    held = _held(value, first_level, faults)
    return None if held is _NOTHING else held, faults


def _held(value: object, depth: int, faults: set[str]) -> object:
    if isinstance(value, str):
        return repair(value)
    if isinstance(value, dict | list | tuple):
        if depth >= MAX_DEPTH:
            faults.add(f"nested more than {MAX_DEPTH} levels deep")
            return _NOTHING
        if not isinstance(value, dict):
            items = (_held(item, depth + 1, faults) for item in value)
            return [None if item is _NOTHING else item for item in items]
        parts: dict[str, object] = {}
        for key, item in value.items():
            if not isinstance(key, str):
                faults.add("a key is not text")
            elif (part := _held(item, depth + 1, faults)) is not _NOTHING:
                parts[repair(key)] = part
        return parts
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if (fault := _leaf_fault(value)) is not None:
        faults.add(fault)
        return _NOTHING
    return value
