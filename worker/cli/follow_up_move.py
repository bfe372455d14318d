"""``parley follow-ups move``: another time for the next follow-up of one lead."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from worker.cli import screen
from worker.cli.arguments import PersonaArgument, TargetArgument
from worker.cli.ending import No, Usage
from worker.cli.session import conversation_of, session
from worker.cli.times import both, moment_of, utc
from worker.domain.cadence import MOST_AHEAD_MS
from worker.store.encryption import Undecryptable

_AT_HELP = 'When, such as "2026-11-22 09:00" (UTC) or 2026-11-22T09:00+01:00.'


def move(
    persona: PersonaArgument,
    target: TargetArgument,
    at: Annotated[str, typer.Option("--at", help=_AT_HELP)],
) -> None:
    """Give the next follow-up of one lead another time. A message of the lead before that time still ends it.

    Quiet hours and caps still count then. The one after it comes by the cadence, counted from its delivery.

    Example: parley follow-ups move ava @john_doe --at "2026-11-22 09:00"
    """
    conversation, wanted = conversation_of(persona, target), _moment(at)
    with session() as opened:
        now = opened.store.follow_ups.now()
        at_ms = int(wanted.timestamp() * 1000)
        if at_ms <= now:
            raise Usage(f"{at!r} is not in the future: it is {utc(now)} now.")
        if at_ms > now + MOST_AHEAD_MS:
            raise Usage(f"{at!r} is more than ten years from now: give an earlier time.")
        try:
            moved = opened.acts().move_follow_up(conversation, wanted)
        except Undecryptable as error:
            raise No(f"Its {error}. Run this where the workers' keys are set: parley check") from None
    if not moved:
        raise No("No follow-up is planned for this lead, or it has just changed.")
    screen.say(f"Moved to {both(at_ms, now)}.")


def _moment(text: str) -> datetime:
    try:
        return moment_of(text)
    except ValueError:
        raise Usage(f"{text!r} is no time. Examples: 2026-11-22T09:00+01:00, or in UTC 2026-11-22 09:00") from None
