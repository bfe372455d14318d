"""``parley notices list`` and ``parley notices show``: what Parley has told those outside, without content."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Annotated

import typer

from config.settings import Privacy
from worker.cli import screen
from worker.cli.arguments import AsJson, PersonaOption
from worker.cli.ending import No
from worker.cli.session import Session, session
from worker.cli.since import moment_ms
from worker.cli.times import both, utc
from worker.domain.handles import Handles
from worker.domain.notices import Notice
from worker.store.redis.connection import clock_ms

_READ_AT_ONCE = 1000

NoticeArgument = Annotated[str, typer.Argument(metavar="NOTICE", help="As parley notices list --json shows it.")]


def list_notices(
    persona: PersonaOption = None,
    target: Annotated[str | None, typer.Option("--target", help="Only of this lead.")] = None,
    type_: Annotated[str, typer.Option("--type", help="Only types that contain this, such as dead.")] = "",
    since: Annotated[str, typer.Option("--since", help="How long ago (90s, 15m, 2h, 3d), or when (UTC).")] = "",
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many to show at most, the newest.")] = 100,
    json: AsJson = False,
) -> None:
    """List notices, the newest last, without content.

    Example: parley notices list --persona ava --type dead --since 2h
    """
    with session(reads=True) as opened:
        from_ms = moment_ms(since, clock_ms(opened.store.redis)) if since else 0
        found = deque(
            (
                each
                for each in _all(opened)
                if persona in (None, each.persona)
                and target in (None, each.target)
                and type_ in each.type
                and each.at >= from_ms
            ),
            maxlen=limit,
        )
        kept = bool(found) or opened.store.notices.kept()
    if json:
        screen.as_json([each.document(_as_they_are()) for each in found])
    elif found:
        screen.table(
            ["time (UTC)", "type", "persona", "target", "event", "cause", "notice"],
            [
                [
                    utc(each.at).removesuffix(" UTC"),
                    each.type.removeprefix("parley."),
                    each.persona,
                    each.target,
                    each.event_id,
                    each.cause,
                    each.id,
                ]
                for each in found
            ],
        )
    elif kept:
        screen.say("No notices match." if persona or target or type_ or since else "No notices.")
    else:
        screen.say("Notices are off: set PARLEY_NOTICES__KEEP=true in all processes.")


def show(notice: NoticeArgument, json: AsJson = False) -> None:
    """Show all fields of one notice.

    Example: parley notices show 07-1795963522252-1795963522252
    """
    with session(reads=True) as opened:
        found = opened.store.notices.find(notice)
        now = clock_ms(opened.store.redis)
    if found is None:
        raise No("There is no notice with this id, or it is no longer kept.")
    if json:
        screen.as_json(found.document(_as_they_are()))
        return
    told = {
        "notice": found.id,
        "type": found.type,
        "time": both(found.at, now),
        "persona": found.persona,
        "target": found.target,
        "sequence": found.sequence,
        "event": found.event_id,
        "kind": found.kind,
        "fate": found.fate,
        "cause": found.cause,
        "asked": found.asked if found.is_of_event else "",
        "sent": found.sent if found.is_of_event else "",
        "accepted": both(found.accepted_at, now) if found.accepted_at else "",
        "ended": both(found.ended_at, now) if found.ended_at else "",
        "joined": found.joined,
    }
    screen.show(screen.fields({name: value for name, value in told.items() if value != ""}))


def _all(opened: Session) -> Iterator[Notice]:
    cursor = ""
    while True:
        page = opened.store.notices.read(cursor, _READ_AT_ONCE)
        yield from page.notices
        if not page.notices:
            return
        cursor = page.cursor


def _as_they_are() -> Handles:
    # An operator sees the leads' handles, as in all commands.
    return Handles(Privacy())
