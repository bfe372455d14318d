"""``parley find`` and ``parley conversations``: which conversations there are, and in what state."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from worker.cli import screen
from worker.cli.arguments import AsJson, PersonaOption
from worker.cli.ending import No, Usage
from worker.cli.near import spellings
from worker.cli.session import session
from worker.cli.times import relative
from worker.domain.conversation import Conversation
from worker.domain.moments import as_datetime
from worker.domain.sentences import of_stored
from worker.store.views.known_conversations import Known, Row, State

LimitOption = Annotated[int, typer.Option(min=1, max=10_000, help="How many to show at most, the newest.")]


def find(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="A part of a handle, with or without @.")],
    persona: PersonaOption = None,
    limit: LimitOption = 50,
    json: AsJson = False,
) -> None:
    """Find conversations by a part of the lead's handle, those with the newest event first.

    Example: parley find john
    """
    with session(reads=True) as opened:
        known = opened.store.known
        found = known.find(text, persona, limit)
        # Those that an older release accepted are not in the index yet.
        exact = [each for each in spellings(opened, persona or "", text) if persona in (None, each.persona)]
        seen = {each.conversation for each in found}
        found += [Known(each, 0) for each in known.are_known(exact) if each not in seen]
        rows, now = known.rows(found[:limit]), opened.store.follow_ups.now()
    if json:
        screen.as_json([_plain(row) for row in rows])
    elif rows:
        _print(rows, now)
    if not rows:
        raise No(f"No conversation has {text!r} in its handle.")


def conversations(
    waiting: Annotated[bool, typer.Option("--waiting", help="With events that wait or are worked on.")] = False,
    held: Annotated[bool, typer.Option("--held", help="Whose first event is held until a time.")] = False,
    running: Annotated[bool, typer.Option("--running", help="With a turn at this moment.")] = False,
    paused: Annotated[bool, typer.Option("--paused", help="That wait while their persona is paused.")] = False,
    taken_over: Annotated[bool, typer.Option("--taken-over", help="That a person has.")] = False,
    sealed: Annotated[bool, typer.Option("--sealed", help="That are sealed.")] = False,
    dead: Annotated[bool, typer.Option("--dead", help="With dead letters.")] = False,
    opted_out: Annotated[bool, typer.Option("--opted-out", help="Whose lead has opted out of outreach.")] = False,
    handle: Annotated[str, typer.Option("--handle", help="With this in the lead's handle, as parley find.")] = "",
    persona: PersonaOption = None,
    limit: LimitOption = 50,
    after: Annotated[str, typer.Option(help="The page behind this one: what the page before said.")] = "",
    json: AsJson = False,
) -> None:
    """List conversations, those with the newest event first. Several states: those that are in all of them.

    Example: parley conversations --waiting --held --persona ava
    """
    wanted = {
        State.WAITING: waiting,
        State.HELD: held,
        State.RUNNING: running,
        State.PAUSED: paused,
        State.TAKEN_OVER: taken_over,
        State.SEALED: sealed,
        State.DEAD: dead,
        State.OPTED_OUT: opted_out,
    }
    states = [state for state, is_wanted in wanted.items() if is_wanted]
    start = _read(after) if after else None
    with session(reads=True) as opened:
        page = opened.store.known.page(states, persona, limit, start, handle)
    further = _written(page.next) if page.next else None
    if json:
        screen.as_json({"conversations": [_plain(row) for row in page.rows], "next": further})
        return
    if page.rows:
        _print(page.rows, page.now)
    else:
        screen.say("No conversation matches." if states or persona or after or handle else "No conversation is known.")
    if further:
        screen.say("")
        screen.say(f"There are more. Add: --after {shlex.quote(further)}")


def _print(rows: Sequence[Row], now: int) -> None:
    screen.table(
        ["last event (UTC)", "when", "persona", "target", "waiting", "state"],
        [
            [
                _moment(row.last_event),
                relative(row.last_event, now) if row.last_event else "-",
                *row.conversation,
                row.waiting,
                _state(row, now),
            ]
            for row in rows
        ],
    )


def _moment(at: int) -> str:
    return screen.moment(as_datetime(at)) if at else "before the upgrade"


def _state(row: Row, now: int) -> str:
    return ", ".join(_told(state, row, now) for state in row.states) or "quiet"


def _told(state: State, row: Row, now: int) -> str:
    if state is State.HELD:
        return f"held, {relative(row.hold_until, now)} again: {of_stored(row.hold_reason)}"
    return state.replace("_", " ")


def _plain(row: Row) -> dict[str, Any]:
    persona, target = row.conversation
    return {
        "persona": persona,
        "target": target,
        "last_event_ms": row.last_event or None,
        "waiting": row.waiting,
        "states": list(row.states),
        "hold_until_ms": row.hold_until or None,
        "hold_reason": of_stored(row.hold_reason) if row.hold_reason else None,
    }


def _written(place: Known) -> str:
    return f"{place.last_event}:{place.conversation.name}"


def _read(text: str) -> Known:
    at, _, name = text.partition(":")
    if not at.isdecimal() or ":" not in name:
        raise Usage(
            "--after takes what the page before said: a number and a conversation, such as 1790000000000:ava:@x"
        )
    return Known(Conversation.of_name(name), int(at))
