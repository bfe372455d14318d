"""Values that JSON can hold, checked where they come in rather than where they would break the send."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import AfterValidator

MAX_DEPTH = 100


def json_fault(value: object) -> str | None:
    """Why JSON cannot hold ``value``, or None when it can.

    Refused are NaN and infinity (C12), keys that are not text, objects of other types, and more than ``MAX_DEPTH``
    levels, where encoders give up at a depth that depends on the caller's stack. The reason never quotes the value.
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
    if item is None or isinstance(item, str | int):
        return None
    if isinstance(item, float):
        return None if math.isfinite(item) else "NaN and infinity are not JSON"
    return f"a {type(item).__name__} is not JSON"


def _require_json(value: dict[str, Any]) -> dict[str, Any]:
    fault = json_fault(value)
    if fault is not None:
        raise ValueError(f"holds what JSON cannot hold: {fault}")
    return value


JsonObject = Annotated[dict[str, Any], AfterValidator(_require_json)]
