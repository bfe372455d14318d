"""Stored records that this release cannot read, because another release wrote them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from worker.domain.reasons import Reason
from worker.domain.vocabulary import Cause

_UNKNOWN_FIELD = ("extra_forbidden", "unexpected_keyword_argument")
_UNKNOWN_KIND = ("union_tag_invalid", "union_tag_not_found")


class Unreadable(ValueError):
    """A stored record that another release can read. The text is one line without content: why, and what to do.

    ``damaged``: it is no JSON, which no release has ever written. ``reason``: the same as a reason to wait.
    """

    def __init__(self, text: str, *, damaged: bool = False) -> None:
        super().__init__(text)
        self.damaged = damaged
        self.reason = Reason(Cause.NEWER_RELEASE, f"text={text}")


def by_a_newer_release(record: str, faults: Iterable[Mapping[str, Any]]) -> Unreadable:
    """What to raise when a record was not understood. ``record``: what it is; ``faults``: those of pydantic.

    The text names fields, which releases of Parley choose; never a value.
    """
    found = list(faults)
    if any(fault["type"] == "json_invalid" for fault in found):
        return Unreadable(f"written by a newer release or damaged: {record} that is no JSON", damaged=True)
    unknown = [_place(fault) for fault in found if fault["type"] in _UNKNOWN_FIELD]
    if any(fault["type"] in _UNKNOWN_KIND for fault in found):
        what = "its kind is unknown"
    elif unknown:
        what = f"unknown field {', '.join(unknown)}"
    else:
        what = "not understood: " + ", ".join(field_path(fault["loc"]) or "no JSON object" for fault in found)
    return Unreadable(f"written by a newer release: {record}, {what}; a worker of that release goes on with it")


def _place(fault: Mapping[str, Any]) -> str:
    # A model that looks for unknown fields itself tells their name beside the place.
    return field_path([*fault["loc"], *fault.get("ctx", {}).values()])


def field_path(location: Iterable[int | str]) -> str:
    """The place of a fault, as names joined by dots. A name that a sender may have chosen is not repeated."""
    return ".".join(_name(part) for part in location)


def _name(part: int | str) -> str:
    return str(part) if re.fullmatch(r"\w{1,40}", str(part)) else "(a field of another name)"
