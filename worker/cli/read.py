"""``parley read`` and ``parley export``: what was said in a conversation, for who may read it."""

from __future__ import annotations

import json as json_text
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from worker.cli import screen
from worker.cli.arguments import AsJson, ByOption, PersonaArgument, TargetArgument
from worker.cli.ending import No
from worker.cli.near import unknown
from worker.cli.session import Session, conversation_of, session
from worker.domain.conversation import Conversation
from worker.domain.moments import as_datetime
from worker.store.conversations.transcripts import Line
from worker.store.views.waiting_words import Waiting

_NOT_KEPT = "What was said is not kept (PARLEY_TRANSCRIPT__DAYS is 0)."


def read(
    persona: PersonaArgument,
    target: TargetArgument,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many lines to show at most.")] = 50,
    by: ByOption = None,
    json: AsJson = False,
) -> None:
    """Show the words that wait in a conversation and, where it is kept, what was said. It leaves a trace.

    Example: parley read ava @john_doe
    """
    conversation = conversation_of(persona, target)
    with session() as opened:
        _need_known(opened, conversation, "read")
        waiting, lines = opened.acts(by).read(conversation, limit)
        kept = opened.store.transcripts.kept
    if json:
        screen.as_json({"said": [_plain_line(line) for line in lines], "waiting": [_plain(each) for each in waiting]})
        return
    for line in lines:
        _show(line.at, line.by or _WHO.get(line.who, line.who), line.texts, line.images, line.unreadable)
    if not kept:
        screen.say(_NOT_KEPT)
    elif not lines:
        screen.say("Nothing was said as far as it is kept.")
    screen.say("")
    screen.say(f"Waits: {len(waiting)}" if waiting else "Nothing waits.")
    for each in waiting:
        who = each.by or ("the lead" if each.kind == "inbound_chat" else each.kind.replace("_", " "))
        _show(each.accepted_at, who, each.texts, each.images, each.unreadable)
        if each.answer:
            _show(each.accepted_at, "its answer, not delivered yet", each.answer, 0, "")


def export(
    persona: PersonaArgument,
    target: TargetArgument,
    file: Annotated[Path | None, typer.Argument(help="Where to; without it the output.", dir_okay=False)] = None,
    by: ByOption = None,
) -> None:
    """Write what was said in a conversation as JSON Lines, where it is kept. It leaves a trace.

    Each line is an object: at, who (lead, persona or operator), event_id, texts; where there is something to tell,
    also images, by and unreadable.

    Example: parley export ava @john_doe john.jsonl
    """
    conversation = conversation_of(persona, target)
    with session() as opened:
        _need_known(opened, conversation, "export")
        if not opened.store.transcripts.kept:
            raise No(_NOT_KEPT)
        lines = opened.acts(by).export(conversation)
    if file is None:
        _write(sys.stdout, lines)
        return
    try:
        with file.open("w", encoding="utf-8") as stream:
            _write(stream, lines)
    except OSError as error:
        raise No(f"{file} cannot be written ({error.strerror}). Nothing was exported.") from None
    screen.say(f"Written: {len(lines)}.")


_WHO = {"lead": "the lead", "persona": "the persona"}


def _need_known(opened: Session, conversation: Conversation, command: str) -> None:
    store = opened.store
    # A transcript can outlive the rest.
    if not store.known.are_known([conversation]) and not store.transcripts.of(conversation, 1):
        raise No(unknown(opened, conversation, command))


def _write(stream: TextIO, lines: Iterable[Line]) -> None:
    stream.writelines(json_lines(lines))


def json_lines(lines: Iterable[Line]) -> Iterator[str]:
    """What was said as JSON Lines, as ``parley export`` writes it."""
    for line in lines:
        # Plain ASCII, which each program reads alike.
        yield json_text.dumps(_plain_line(line)) + "\n"


def _plain_line(line: Line) -> dict[str, Any]:
    fields = {"at": _moment(line.at).isoformat(), "who": line.who, "event_id": line.event_id, "texts": line.texts}
    return fields | _told(images=line.images, by=line.by, unreadable=line.unreadable)


def _plain(each: Waiting) -> dict[str, Any]:
    fields = {"event_id": each.event_id, "kind": each.kind, "accepted_at": _moment(each.accepted_at).isoformat()}
    more = _told(answer=each.answer, images=each.images, by=each.by, unreadable=each.unreadable)
    return fields | {"texts": each.texts} | more


def _told(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value}


def _show(at: int, who: str, texts: tuple[str, ...], images: int, unreadable: str) -> None:
    screen.say(f"{screen.moment(_moment(at))}  {who}:")
    for text in texts:
        for line in text.split("\n"):
            screen.say(f"    {line}")
    if images:
        screen.say(f"    ({images} image{'s' if images > 1 else ''})")
    if unreadable:
        screen.say(f"    (cannot be read: {unreadable})")


def _moment(at: int) -> datetime:
    return as_datetime(at)
