"""Times as a person says them: in UTC, and how far away. All moments are milliseconds of the store's clock."""

from __future__ import annotations

from datetime import UTC, datetime

from worker.domain.moments import as_datetime, bounded

_UNITS = ((2 * 86_400, 86_400, "days"), (5400, 3600, "h"), (90, 60, "min"))


def span(seconds: float) -> str:
    """A length of time in its largest fitting unit, such as "45 s", "4 min", "2 h", "3 days"."""
    for least, unit_seconds, unit in _UNITS:
        if seconds >= least:
            return f"{seconds / unit_seconds:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def relative(at: int, now: int) -> str:
    """ "in 4 min", "2 h ago" or "now"."""
    seconds = (bounded(at) - bounded(now)) / 1000
    if abs(seconds) < 0.5:
        return "now"
    return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"


def utc(at: int) -> str:
    """The moment in UTC, to the second."""
    return f"{as_datetime(at):%Y-%m-%d %H:%M:%S} UTC"


def both(at: int, now: int) -> str:
    """The moment in UTC, and how far away it is."""
    return f"{utc(at)} ({relative(at, now)})"


def moment_of(text: str) -> datetime:
    """The moment that a person has written, such as "2026-11-22 09:00"; in UTC unless it names another offset.

    Raises ``ValueError``.
    """
    found = datetime.fromisoformat(text.strip())
    return found if found.tzinfo else found.replace(tzinfo=UTC)
