"""When a persona does not write first, by the lead's local time: pure.

All moments are milliseconds since 1970. Local time decides, so a night is an hour longer or shorter when clocks change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

from config import zones
from config.sections import QuietHours
from worker.domain.channel_metadata import metadata_at
from worker.domain.moments import local

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class ZoneUnknown:
    """The lead's zone is not known, and the policy says that the persona then does not write first."""


@dataclass(frozen=True, slots=True)
class Window:
    """From ``start`` to ``end`` of each day, in local time of ``zone``. They differ; ``end`` may be on the next day.

    When clocks go back and the start or end comes twice, the first start and the second end count.
    """

    start: time
    end: time
    zone: tzinfo

    def holds(self, at: int) -> bool:
        """Whether ``at`` is in quiet hours."""
        return self.ends(at) > at

    def ends(self, at: int) -> int:
        """When the quiet hours that hold at ``at`` end; ``at`` itself when none do."""
        return next((end for begin, end in self._around(at) if begin <= at < end), at)

    def begins(self, at: int) -> int:
        """When the quiet hours that hold at ``at`` began; ``at`` itself when none do."""
        return next((begin for begin, end in self._around(at) if begin <= at < end), at)

    def awake_ms(self, start: int, end: int) -> int:
        """How much of the time from ``start`` to ``end`` was not in quiet hours."""
        awake_ms, at = 0, start
        while at < end:
            if self.holds(at):
                at = self.ends(at)
            else:
                until = min([end, *(begin for begin, _ in self._around(at) if begin > at)])
                awake_ms, at = awake_ms + until - at, until
        return awake_ms

    def _around(self, at: int) -> Iterator[tuple[int, int]]:
        today = local(at, self.zone).date()
        length = timedelta(days=int(self.end <= self.start))
        for distance in (-1, 0, 1):
            day = today + timedelta(days=distance)
            yield _moment(self.zone, day, self.start, 0), _moment(self.zone, day + length, self.end, 1)


def window_of(rules: QuietHours, channel: str | None) -> Window | ZoneUnknown | None:
    """The quiet hours of one lead; None = there are none.

    ``channel``: the conversation's channel context as JSON; its metadata may have the lead's zone.
    """
    if rules.start == rules.end:
        return None
    zone = lead_zone(channel, rules.lead_zone_path)
    if zone is None:
        if rules.when_zone_unknown == "no_quiet_hours":
            return None
        if rules.when_zone_unknown == "do_not_send":
            return ZoneUnknown()
        zone = zones.zone_of(rules.zone) or UTC
    return Window(time.fromisoformat(rules.start), time.fromisoformat(rules.end), zone)


def lead_zone(channel: str | None, path: str) -> tzinfo | None:
    """The zone that a channel context names below ``internal.channelMetadata``, as platforms write it; None when there
    is no readable one."""
    value = metadata_at(channel, path)
    return zones.zone_of(value) if isinstance(value, str) else None


def zone_unreadable(rules: QuietHours, channel: str | None) -> bool:
    """Whether the channel names a zone that cannot be read, and quiet hours would need it."""
    if rules.start == rules.end or metadata_at(channel, rules.lead_zone_path) in (None, ""):
        return False
    return lead_zone(channel, rules.lead_zone_path) is None


@lru_cache(maxsize=8192)
def _moment(zone: tzinfo, day: date, clock: time, fold: int) -> int:
    wall = datetime.combine(day, clock, tzinfo=zone)
    first, second = wall.astimezone(UTC), wall.replace(fold=1).astimezone(UTC)
    if first > second:
        # This local time does not exist, because clocks go forward: what begins or ends then does so with the jump.
        return _ms(_jump(second, first, zone))
    return _ms(second if fold else first)


def _jump(before: datetime, after: datetime, zone: tzinfo) -> datetime:
    offset = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000
