"""Values of an exploration: tuples with names, because a step makes several of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

V = TypeVar("V", bound=tuple[Any, ...])

# A mapping with nothing in it, which all values may share: a Mapping is never written to.
NOTHING: Mapping[Any, Any] = {}


def replace(value: V, **changes: Any) -> V:
    """The value with some of its fields changed."""
    changed: V = value._replace(**changes)  # type: ignore[attr-defined]
    return changed
