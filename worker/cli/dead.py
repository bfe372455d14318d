"""``parley dead list`` and ``parley dead show``: events that ended without an answer."""

from __future__ import annotations

import json as json_text
import logging
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer

from worker.cli import screen
from worker.cli.arguments import AsJson, EventArgument, PersonaOption, TargetArgument
from worker.cli.ending import No
from worker.cli.session import conversation_of, session
from worker.domain.reasons import read
from worker.domain.sentences import of_stored
from worker.store.operator.dead_letters import DeadLetter, Deaths, OpenedLetter

_log = logging.getLogger("parley.cli")

PersonaArgument = Annotated[str, typer.Argument(metavar="PERSONA", help="As parley dead list shows it.")]


def list_letters(
    persona: PersonaOption = None,
    cause: Annotated[str, typer.Option(help="Only causes with this code, or that contain this text.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many to show at most, the newest.")] = 100,
    json: AsJson = False,
) -> None:
    """List dead letters, newest first, without content.

    Example: parley dead list --cause 422 --persona ava
    """
    with session(reads=True) as opened:
        found = opened.store.dead_letters.newest(limit, persona, about(cause))
        only_counted = opened.store.measures.only_counted(persona)
    if json:
        screen.as_json([_plain(letter) for letter in found])
    elif found:
        screen.table(
            ["died (UTC)", "event", "persona", "target", "kind", "cause"],
            [
                [screen.moment(each.died_at), each.event_id, *each.conversation, each.kind, of_stored(each.cause)]
                for each in found
            ],
        )
    else:
        screen.say("No dead letters match." if persona or cause else "No dead letters.")
    if only_counted and not json:
        screen.say("")
        screen.say(
            f"{only_counted} refused events were only counted so far, as there was no room for their letters "
            "(PARLEY_LIMITS__REFUSED_PER_CONVERSATION, PARLEY_LIMITS__REFUSED_IN_ALL)."
        )


def causes(persona: PersonaOption = None, json: AsJson = False) -> None:
    """Group dead letters by what they died of: how many, since when, until when.

    Example: parley dead causes --persona ava
    """
    with session(reads=True) as opened:
        found = opened.store.dead_letters.by_cause(persona)
    if json:
        screen.as_json(plain_deaths(found))
    elif found:
        screen.table(
            ["persona", "cause", "letters", "first (UTC)", "last (UTC)"],
            [
                [each.persona, of_stored(each.cause), each.count, screen.moment(each.first), screen.moment(each.last)]
                for each in found
            ],
        )
    else:
        screen.say("No dead letters match." if persona else "No dead letters.")


def plain_deaths(deaths: Iterable[Deaths]) -> list[dict[str, Any]]:
    """Groups of dead letters for JSON: the cause as a sentence, and its code."""
    found = [(each, read(each.cause)) for each in deaths]
    return [{**asdict(each), "cause": of_stored(each.cause), "code": reason and reason.cause} for each, reason in found]


def show(
    event_id: EventArgument,
    persona: PersonaArgument,
    target: TargetArgument,
    show_content: Annotated[
        bool, typer.Option("--show-content", help="Show what the lead wrote, too. This is logged.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Show all that is known of one dead letter; its content only on demand.

    Example: parley dead show c-101 ava @john_doe
    """
    conversation = conversation_of(persona, target)
    with session(reads=True) as opened:
        letter = opened.store.dead_letters.open(conversation, event_id)
        if letter is None:
            raise No("There is no dead letter with this event id in this conversation.")
        if show_content and letter.undecryptable:
            raise No(f"Its {letter.undecryptable}. Run this where the workers' keys are set: parley check")
        if show_content:
            acts = opened.acts()
            # First, so that no reading goes without a trace.
            acts.read_letter(conversation, event_id)
            _log.warning(
                "content of a dead letter shown to %s",
                acts.by,
                extra={"conversation": conversation.name, "event_id": event_id},
            )
    fields = _described(letter) | (_content(letter) if show_content else {})
    if json:
        screen.as_json(fields)
        return
    width = max(map(len, fields))
    for name, value in fields.items():
        screen.say(f"{name.replace('_', ' '):<{width}}  {_told(value)}")


def _plain(letter: DeadLetter) -> dict[str, Any]:
    persona, target = letter.conversation
    fields = {name: value for name, value in asdict(letter).items() if name not in ("conversation", "rank")}
    reason = read(letter.cause)
    code = reason and reason.cause
    return {**fields, "cause": of_stored(letter.cause), "code": code, "persona": persona, "target": target}


def about(text: str) -> Callable[[str], bool] | None:
    """Accepts causes by what an operator knows of them: their code, or a part of their sentence, in capitals or not."""
    wanted = text.lower()
    if not wanted:
        return None
    return lambda stored: stored.partition(" ")[0] == wanted or wanted in of_stored(stored).lower()


def _described(opened: OpenedLetter) -> dict[str, Any]:
    return _plain(opened.letter) | {
        "accepted_at": opened.accepted_at,
        "discarded_at": opened.discarded_at,
        "asks": opened.asks,
        "asks_without_answer": opened.ask_unknowns + opened.asks_vanished,
        "sends": opened.sends,
        "sends_without_answer": opened.send_unknowns + opened.sends_vanished,
        "bubbles_sent": opened.bubbles_sent,
        "has_reply": opened.reply is not None,
        "asked_with": opened.asked_with,
        "cut_from_bytes": opened.whole_bytes or None,
    }


def _content(opened: OpenedLetter) -> dict[str, Any]:
    texts = {"payload": opened.payload, "reply": opened.reply, "detail": opened.detail}
    return {name: _parsed(text) for name, text in texts.items() if text}


def _parsed(text: str) -> Any:
    try:
        return json_text.loads(text)
    except ValueError:
        return text


def _told(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{screen.moment(value)} UTC"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict | list):
        return json_text.dumps(value, ensure_ascii=False)
    return "-" if value is None else str(value)
