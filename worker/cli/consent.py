"""``parley consent``: who opted out of messages, who opted in."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TextIO

import typer

from config.plain_text import shortened
from config.settings import Settings
from worker.cli import screen
from worker.cli.arguments import AsJson, ByOption, PersonaOption, ReasonOption, TargetArgument
from worker.cli.consent_told import conversation_of, marks_of
from worker.cli.ending import No, Usage
from worker.cli.session import operator, session
from worker.domain.consent import State
from worker.domain.conversation import Conversation
from worker.domain.operator_words import as_shown
from worker.store.conversations.consents import ALL_PERSONAS, Mark
from worker.store.operator.audit import Act

COLUMNS = ("persona", "target", "state", "since", "by")
_STATES = ("out", "in")
_STATED = {"out": "opted out", "in": "opted in"}
_WORST_LINES = 20
_MOST_OF_A_NAME = 40

PersonaOrAll = Annotated[str, typer.Argument(metavar="PERSONA", help=f"A persona, or '{ALL_PERSONAS}' for all.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


class _Row(NamedTuple):
    conversation: Conversation
    state: State
    since: datetime | None
    by: str


def list_marks(
    persona: PersonaOption = None,
    state: Annotated[str | None, typer.Option(help="Only these: out or in.")] = None,
    json: AsJson = False,
) -> None:
    """List who opted out or in, the oldest first.

    The persona * stands for all personas with the scope lead.
    """
    if state not in (None, *_STATES):
        raise Usage(f"There is no state {state!r}: give out or in.")
    with session(reads=True) as opened:
        found = [mark for mark in opened.store.consents.all(persona) if state in (None, mark.state)]
    if json:
        screen.as_json([_plain(mark) for mark in found])
    elif found:
        screen.table(
            ["since (UTC)", "persona", "target", "state", "by"],
            [
                [screen.moment(mark.since), mark.persona, mark.target, _STATED[mark.state], as_shown(mark.by)]
                for mark in found
            ],
        )
    else:
        screen.say("No lead has opted out or in.")


def show(persona: PersonaOrAll, target: TargetArgument, json: AsJson = False) -> None:
    """Say what one lead has consented to, also a lead whose data was erased.

    Example: parley consent show ava @john_doe
    """
    with session(reads=True) as opened:
        found = marks_of(opened, conversation_of(opened.settings, persona, target))
        if not found:
            # What was said to a persona that has left the settings is still known.
            _need_persona(opened.settings, persona)
    if json:
        screen.as_json([_plain(mark) for mark in found])
    for mark in () if json else found:
        whose = "all personas" if mark.persona == ALL_PERSONAS else mark.persona
        since = f"since {screen.moment(mark.since)} UTC, by {as_shown(mark.by)}"
        screen.say(f"{_STATED[mark.state]} of messages of {whose} {since}")
    if not found:
        raise No("Nothing is known: this lead has neither opted out nor in.")


def write(
    persona: PersonaOrAll,
    target: TargetArgument,
    state: Annotated[str, typer.Argument(metavar="out|in|none", help="none: as if the lead had said nothing.")],
    reason: ReasonOption = "",
    by: ByOption = None,
    yes: Yes = False,
) -> None:
    """Write down that a lead opted out or in elsewhere, such as by telephone; or that nothing is known.

    Example: parley consent set ava @john_doe out --reason "called us"
    """
    wanted = _state_or_none(state)
    with session() as opened:
        _need_persona(opened.settings, persona)
        if wanted != "out" and not yes:
            screen.say("Openers, event triggers and follow-ups may go to this lead again.")
            if not typer.confirm("Go on?"):
                raise No("Nothing was changed.")
        changed = opened.acts(by).write_consent(conversation_of(opened.settings, persona, target), wanted, reason)
    if not changed:
        raise No("It is so already.")
    screen.say("Nothing is known of this lead any more." if wanted == "none" else f"Written: {_STATED[wanted]}.")


def export(
    file: Annotated[Path | None, typer.Argument(help="Where to; without it the output.", dir_okay=False)] = None,
    persona: PersonaOption = None,
) -> None:
    """Write all who opted out or in as CSV: persona, target, state, since, by. Erased leads have no name to write.

    Example: parley consent export consent.csv
    """
    with session(reads=True) as opened:
        found = opened.store.consents.all(persona)
        opened.acts().did(Act.CONSENT_EXPORTED, persona, f"leads: {len(found)}")
    if file is None:
        _write_csv(sys.stdout, found)
        return
    try:
        with file.open("w", encoding="utf-8", newline="") as stream:
            _write_csv(stream, found)
    except OSError as error:
        raise No(f"{file} cannot be written ({error.strerror}). Nothing was exported.") from None
    screen.say(f"Written: {len(found)}.")


def take_in(
    file: Annotated[
        Path, typer.Argument(help="CSV as export writes it; since and by may be missing.", exists=True, dir_okay=False)
    ],
    reason: ReasonOption = "",
    by: ByOption = None,
    yes: Yes = False,
) -> None:
    """Read who opted out or in from a CSV. A line with a fault stops it before anything is changed.

    What a lead has said later than a line says stays. So the same file twice changes nothing the second time.

    Example: parley consent import consent.csv
    """
    with session() as opened:
        who = by or operator()
        rows = _read_csv(file, opened.settings, f"{who}: {reason}" if reason else who)
        out = sum(row.state == "out" for row in rows)
        if not yes:
            screen.say(f"Lines: {len(rows)}; opted out: {out}, opted in: {len(rows) - out}.")
            if not typer.confirm("Write them?"):
                raise No("Nothing was changed.")
        changed = sum(opened.store.consents.change(row.conversation, row.state, row.by, row.since) for row in rows)
        opened.acts(by).did(Act.CONSENT_IMPORTED, detail=f"lines: {len(rows)}, changed: {changed}")
    screen.say(f"Changed: {changed}; so already, or said later: {len(rows) - changed}.")


def _plain(mark: Mark) -> dict[str, object]:
    return {column: getattr(mark, column) for column in COLUMNS}


def _write_csv(stream: TextIO, marks: list[Mark]) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([mark.persona, mark.target, mark.state, mark.since.isoformat(), mark.by] for mark in marks)


def _read_csv(file: Path, settings: Settings, by: str) -> list[_Row]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise No(f"{file} is not UTF-8: save it as CSV in UTF-8. Nothing was changed.") from None
    # Only these end a line: a target or a name may have other characters that Python takes for an end.
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        _check_columns(file, reader.fieldnames or ())
        return _rows(reader, settings, by)
    except csv.Error:
        raise No(
            f"{file} cannot be read as CSV after line {reader.line_num}: see whether a double quote is not closed. "
            "Nothing was changed."
        ) from None


def _rows(reader: csv.DictReader[str], settings: Settings, by: str) -> list[_Row]:
    rows: list[_Row] = []
    faults: list[str] = []
    for row in reader:
        try:
            rows.append(_row(row, settings, by))
        except ValueError as fault:
            faults.append(f"line {reader.line_num}: {fault}")
    if faults:
        more = [f"and {len(faults) - _WORST_LINES} more"] if len(faults) > _WORST_LINES else []
        raise No("\n".join([*faults[:_WORST_LINES], *more, "Nothing was changed."]))
    return rows


def _check_columns(file: Path, found: Sequence[str]) -> None:
    missing = [column for column in COLUMNS[:3] if column not in found]
    if missing:
        raise No(f"{file} has no column {missing[0]}: its first line must be {','.join(COLUMNS)}. Nothing was changed.")
    # A mistyped one would be passed over, and with it when a lead opted out. Spreadsheets add columns without a name.
    unknown = [shortened(column, _MOST_OF_A_NAME) for column in found if column and column not in COLUMNS]
    twice = [column for column in COLUMNS if found.count(column) > 1]
    if unknown or twice:
        what = f"the unknown column '{unknown[0]}'" if unknown else f"the column {twice[0]} more than once"
        raise No(
            f"{file} has {what}. Known columns: {', '.join(COLUMNS)}. Rename it or leave it out. Nothing was changed."
        )


def _row(row: dict[str | None, Any], settings: Settings, by: str) -> _Row:
    persona, target, state = ((row.get(column) or "").strip() for column in COLUMNS[:3])
    if persona != ALL_PERSONAS and persona not in settings.personas:
        raise ValueError(f"persona {persona!r} is not configured")
    if not target:
        raise ValueError("target is empty")
    if state not in _STATES:
        raise ValueError(f"state is {state!r}: write out or in")
    if any(value.strip() for value in (row.get("") or "", *row.get(None, ()))):
        raise ValueError("there is a value in a column without a name: put values with a comma in double quotes")
    said_by = " ".join((row.get("by") or "").split()) or by
    conversation = conversation_of(settings, persona, target)
    return _Row(conversation, "out" if state == "out" else "in", _since(row.get("since")), said_by)


def _since(text: str | None) -> datetime | None:
    if not text or not text.strip():
        return None
    try:
        since = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"since is {text!r}: write it as 2026-11-21T10:00:00+00:00, or leave it empty") from None
    since = since if since.tzinfo else since.replace(tzinfo=UTC)
    if not datetime(2000, 1, 1, tzinfo=UTC) <= since <= datetime.now(UTC):
        raise ValueError(f"since is {text!r}, which is in the future or before the year 2000")
    return since


def _state_or_none(state: str) -> State | Literal["none"]:
    match state:
        case "out" | "in" | "none":
            return state
        case _:
            raise Usage(f"There is no state {state!r}: give out, in or none.")


def _need_persona(settings: Settings, persona: str) -> None:
    if persona != ALL_PERSONAS and persona not in settings.personas:
        known = ", ".join(sorted(settings.personas))
        raise Usage(f"There is no persona {persona!r} in these settings. Known: {known}, or '{ALL_PERSONAS}' for all")
