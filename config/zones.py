"""Time zones as people write them: pure."""

from __future__ import annotations

import difflib
import re
from datetime import UTC, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

# UTC+05:30, GMT-3, +0530, (UTC+01:00). East is positive, as on a wall; only names like Etc/GMT-3 say it the other way.
_OFFSET = re.compile(r"\(?(?:utc|gmt)?\s*([+\u2212-])\s*(\d{1,2})(?::?([0-5]\d))?\)?")
_LONGEST = 64
_MOST = timedelta(hours=14)


@lru_cache(maxsize=2048)
def zone_of(text: str) -> tzinfo | None:
    """The zone that a text means: an IANA name in any case, with blanks for underscores and around it, or a distance
    from UTC. None when it means none."""
    name = canonical(text)
    if name is not None:
        return ZoneInfo(name)
    match = _OFFSET.fullmatch(text.strip().casefold()) if len(text) < _LONGEST else None
    if match is None:
        return None
    distance = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    if distance > _MOST:
        return None
    return timezone(distance if match[1] == "+" else -distance) if distance else UTC


def canonical(text: str) -> str | None:
    """The name of a zone as the IANA writes it; None when there is none of this name."""
    return _names().get(_folded(text)) if len(text) < _LONGEST else None


def near(text: str) -> str:
    """The known name that is most like a text; '' when none is like it."""
    found = difflib.get_close_matches(_folded(text[:_LONGEST]), _names(), n=1, cutoff=0.75)
    return _names()[found[0]] if found else ""


def name_of(zone: tzinfo) -> str:
    """The zone's name for people, such as ``Europe/Berlin`` or ``UTC+05:30``."""
    return zone.key if isinstance(zone, ZoneInfo) else str(zone)


def _folded(text: str) -> str:
    return "_".join(text.split()).casefold()


@cache
def _names() -> dict[str, str]:
    return {name.casefold(): name for name in available_timezones()}
