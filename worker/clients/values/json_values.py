"""Values that JSON can hold, checked where they come in rather than where they would break the send."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator

from worker.clients.values.odd_values import MAX_NUMBER_BITS
from worker.clients.values.wire_text import repair

MAX_DEPTH = 100

_NOTHING = object()


def json_fault(value: object) -> str | None:
    """Why JSON cannot hold ``value``, or None when it can.

    Refused are NaN and infinity (C12), whole numbers too long for readers, keys that are not text, objects of other
    types, and more than ``MAX_DEPTH`` levels, where encoders give up at a depth that depends on the caller's stack. The
    reason never quotes the value.
    """
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        containers: dict[int, object] = {}  # by identity: a part that is shared many times is looked at once
        for item in level:
            if isinstance(item, dict | list | tuple):
                containers[id(item)] = item
            elif (fault := _leaf_fault(item)) is not None:
                return fault
        if not containers:
            return None
        level = []
        for container in containers.values():
            if isinstance(container, dict):
                if not all(isinstance(key, str) for key in container):
                    return "a key is not text"
                level.extend(container.values())
            elif isinstance(container, list | tuple):
                level.extend(container)
    return f"nested more than {MAX_DEPTH} levels deep"


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


def _require_json(value: dict[str, Any]) -> dict[str, Any]:
    fault = json_fault(value)
    if fault is not None:
        raise ValueError(f"holds what JSON cannot hold: {fault}")
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(_require_json)]


def texts_in(value: object) -> Iterator[str]:
    """All texts that a value of JSON holds at any depth, without the keys of its objects."""
    left: list[object] = [value]
    while left:
        item = left.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            left.extend(item.values())
        elif isinstance(item, list | tuple):
            left.extend(item)
