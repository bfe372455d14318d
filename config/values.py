"""The kinds of values that settings have: each with the bounds within which all that depends on it works."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError("no IANA zone of this name, such as Europe/Berlin, is known") from None
    return name


# Every time and every count has an end. The store keeps times as whole milliseconds of the clock, and a command that a
# number is too large for fails in the middle of a script, after others have run.
TEN_YEARS = 10 * 365 * 86_400.0
Seconds = Annotated[float, Field(ge=0.001, le=TEN_YEARS, allow_inf_nan=False)]
SecondsOrZero = Annotated[float, Field(ge=0, le=TEN_YEARS, allow_inf_nan=False)]
# The operating system takes no longer time for a socket than 24 days, and a call of hours is none.
CallSeconds = Annotated[float, Field(ge=0.001, le=3600, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]
WallTime = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
ZoneName = Annotated[str, AfterValidator(_known_zone)]
PLAIN_CONTENT = "plain"
PersonaName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class Section(BaseModel):
    """A frozen part of the tree; an unknown name in it is an error, so that a typo cannot pass for a default."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
