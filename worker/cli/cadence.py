"""What a cadence would do to the conversations as they stand: pure. And how an operator writes a cadence."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from config.sections import FollowUps, QuietHours
from worker.cli.ending import Usage
from worker.domain.cadence import (
    CADENCE_OVER,
    DAY_MS,
    NO_STEP,
    NONE_PLANNED,
    Drop,
    Move,
    Policy,
    TouchState,
    replanned,
    upcoming,
)

DAYS = 7
WORDS = ("unchanged", "earlier", "later", "dropped", "new")

_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86_400}


@dataclass(slots=True)
class Tally:
    """``counts``: next touches by word (``WORDS``). ``per_day``: touches of the next ``DAYS`` days, by UTC day since
    1970, if all leads stay quiet; caps per day and hour are not foreseen. ``ends``: leads who get no further follow-up
    in that time, by the rule that ends them before the cadence is over."""

    counts: Counter[str] = field(default_factory=Counter)
    per_day: Counter[int] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)

    def add(self, policy: Policy, state: TouchState, now: int) -> Move | Drop | None:
        """Count one conversation. Returns what is to be changed."""
        change = replanned(policy, state, now)
        word = _word(state, change)
        if word:
            self.counts[word] += 1
        outlook = upcoming(policy, _after(state, change), now, DAYS)
        for touch in outlook.touches:
            self.per_day[touch.at // DAY_MS] += 1
        ends = change.reason if isinstance(change, Drop) else outlook.ends if word else ""
        if ends and ends not in (CADENCE_OVER, NONE_PLANNED, NO_STEP):
            self.ends[ends] += 1
        return change


def delays(text: str) -> tuple[float, ...]:
    """``4h,1d,3d`` as seconds; ``none`` as none. Raises ``Usage``."""
    if text == "none":
        return ()
    found = [re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(s|min|h|d)", part.strip()) for part in text.split(",")]
    if not all(found):
        raise Usage(f"{text!r} are no silences. Write them as 30min,4h,1d,3d or as none")
    return tuple(float(each[1]) * _SECONDS[each[2]] for each in found if each)


def to_try(policy: Policy, silences: str | None, quiet: str | None) -> Policy:
    """The configured policy, but for what an operator wants to try. Raises ``Usage``.

    ``silences``: such as ``4h,1d,3d``. ``quiet``: such as ``21:00-09:00``, or ``none``.
    """
    cadence, quiet_hours = policy.cadence, policy.quiet_hours
    try:
        if silences is not None:
            cadence = FollowUps.model_validate({**cadence.model_dump(), "delays_seconds": delays(silences)})
        if quiet is not None:
            start, _, end = ("00:00", "", "00:00") if quiet == "none" else quiet.partition("-")
            quiet_hours = QuietHours.model_validate({**quiet_hours.model_dump(), "start": start, "end": end})
    except ValidationError:
        raise Usage(f"{quiet or silences!r} cannot be used. Examples: --delays 4h,1d,3d --quiet 21:00-09:00") from None
    return replace(policy, cadence=cadence, quiet_hours=quiet_hours)


def _word(state: TouchState, change: Move | Drop | None) -> str:
    if isinstance(change, Drop):
        return "dropped"
    if change is None:
        return "unchanged" if state.due else ""
    if not state.due:
        return "new"
    return "earlier" if change.at < state.due else "later"


def _after(state: TouchState, change: Move | Drop | None) -> TouchState:
    if isinstance(change, Drop):
        return replace(state, due=0)
    return state if change is None else replace(state, due=change.at, meant_for=change.at, rule=change.rule)
