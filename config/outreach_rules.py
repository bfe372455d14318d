"""The sections about when a persona may write first: what platforms allow, and how often one lead hears from all."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from config.values import Count, JsonObject, SecondsOrZero, Section

Limit = float | Literal["none", "off"]

# Hours after the lead's last message in which these channels take free text of a business.
_OF_CHANNELS: dict[str, Limit] = {"whatsapp": 24.0, "instagram": 24.0, "messenger": 24.0, "facebook": 24.0}
# Where an account of the persona's own loses its login when it writes first.
_OF_PLATFORMS: dict[str, Limit] = {"whatsapp": "off"}


_MOST_HOURS = 10 * 365 * 24


def _limit(value: Any) -> Any:
    # One sentence for all that is wrong, where a union has one for each of its parts. A variable gives texts.
    said = value.strip().lower() if isinstance(value, str) else value
    if said in ("none", "off"):
        return said
    try:
        hours = 0.0 if isinstance(said, bool) else float(said)
    except (TypeError, ValueError):
        hours = 0.0
    if not 0 < hours <= _MOST_HOURS:
        raise ValueError("must be a number of hours above 0, none (no limit) or off (never write first)")
    return hours


WindowLimit = Annotated[Limit, BeforeValidator(_limit)]


class MessagingWindows(Section):
    """Until when a persona may write first on a channel, counted from the lead's last message. Answers are never held
    back.

    ``hours``: by the name of the channel, in any case of letters: a number of hours, ``none`` (no limit), or ``off``
    (never write first). What it does not name of the channels whatsapp, instagram, messenger and facebook has 24 hours.
    If it does not name the channel at all, the platform of the target counts (``instagram/john``, Characters API), of
    which whatsapp is ``off``. All else has ``other_channels``.
    ``outside``: a follow-up that would be too late is left out (``skip``), or is sent just before the window ends
    (``move_before_end``), unless that is in quiet hours or less than ``closest_seconds`` after the message before it.
    ``margin_seconds``: nothing is begun in the last part of a window: asking and delivering take some time. It is
    shorter than each window.
    """

    hours: Annotated[dict[str, WindowLimit], JsonObject] = Field(default_factory=dict)
    other_channels: WindowLimit = "none"
    outside: Literal["skip", "move_before_end"] = "skip"
    margin_seconds: SecondsOrZero = 900.0
    closest_seconds: SecondsOrZero = 2 * 3600.0

    @field_validator("hours")
    @classmethod
    def _named_once(cls, hours: dict[str, WindowLimit]) -> dict[str, WindowLimit]:
        found = {name.strip().lower(): limit for name, limit in hours.items()}
        if "" in found or len(found) < len(hours):
            raise ValueError('names a channel twice, or one without a name: write {"whatsapp": 24, "telegram": "none"}')
        return found

    def limit_of(self, channel: str, platform: str) -> tuple[str, Limit]:
        """The name that counts for a conversation, as the tables have it, or ``other``; and its limit.

        ``channel``: as the channel calls itself; ``platform``: of the target; '' = it has none.
        """
        for said, usual in ((channel, _OF_CHANNELS), (platform, _OF_PLATFORMS)):
            name = said.strip().lower()
            limit = self.hours.get(name, usual.get(name))
            if limit is not None:
                return name, limit
        return "other", self.other_channels

    @property
    def without_a_beginning(self) -> list[str]:
        """The channels whose whole window lies in the margin, so that nothing would ever be begun there."""
        limits = {**_OF_CHANNELS, **self.hours, "other": self.other_channels}
        hours = {name: limit for name, limit in limits.items() if not isinstance(limit, str)}
        return sorted(name for name, limit in hours.items() if limit * 3600 <= self.margin_seconds)


class Frequency(Section):
    """How often one lead hears from all personas together without having written: openers, follow-ups and messages
    after platform events. Answers do not count. The periods are the last 24 hours and the last 7 days, so the number of
    the week is not below that of the day.

    A lead is known by its target, so personas that write to one person must get the same target for it.
    """

    per_lead_per_day: Count | None = None
    per_lead_per_week: Count | None = None
