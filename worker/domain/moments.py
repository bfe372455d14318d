"""Moments as dates: pure. A moment is milliseconds since 1970, by the store's clock.

A date has a year from 1 to 9999, and a number has no such bounds. What the store holds must be shown and computed with
whatever it is, so a moment beyond a bound has the date of that bound.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MS = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
_LAST_MS = (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
# A zone is at most a day away from UTC, and who asks for a day in it also asks for those around.
_MARGIN_MS = 4 * 86_400_000


def bounded(at: float, margin_ms: int = 0) -> float:
    """The moment, or the nearest one that has a date. ``margin_ms``: so far away from the bounds."""
    # In this order what is no number at all is the first moment.
    return min(_LAST_MS - margin_ms, max(_FIRST_MS + margin_ms, at))


def as_datetime(at: float) -> datetime:
    """The moment as a time in UTC; beyond the bounds that of the bound."""
    return _EPOCH + timedelta(milliseconds=bounded(at))


def local(at: float, zone: tzinfo) -> datetime:
    """The moment in a zone. It is at least two days away from the bounds, so that days around it can be computed."""
    return as_datetime(bounded(at, _MARGIN_MS)).astimezone(zone)


def as_iso(at: float) -> str:
    """The moment as ISO 8601 in UTC, to the millisecond, such as 2026-11-22T09:00:00.000Z."""
    return as_datetime(at).isoformat(timespec="milliseconds").replace("+00:00", "Z")
