"""``parley explain``: why there is no answer, what will end that, and what happened so far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from worker.cli import screen
from worker.cli.explanation import explain as sentence_for
from worker.cli.gates import PersonaArgument
from worker.cli.screen import AsJson
from worker.cli.session import conversation_of, session
from worker.store.situation import situation
from worker.store.timeline import Moment

TargetArgument = Annotated[str, typer.Argument(metavar="TARGET", help="The lead's handle, such as @john_doe.")]

# What each number or text behind a word of the timeline means, in the order in which the scripts write them.
_DETAILS: dict[str, tuple[str, ...]] = {
    "accepted": ("", "event"),
    "asking": ("attempt", "fence", "events"),
    "second ask": ("attempt", "fence", "events"),
    "sending": ("attempt", "fence"),
    "resent": ("attempt", "fence"),
    "held": ("", "until", "outcome"),
    "answered": ("", "events"),
    "ignored": ("", "events"),
    "sealed": ("", "events"),
    "skipped": ("", "events"),
    "dead": ("", "events"),
    "replayed": ("", "event"),
    "discarded": ("event",),
    "readmitted": ("event", "accepted as"),
    "content shown": ("event", "to"),
}


def explain(persona: PersonaArgument, target: TargetArgument, json: AsJson = False) -> None:
    """Say in one sentence why a lead has no answer and what will end that; then the timeline, without content."""
    conversation = conversation_of(persona, target)
    with session() as opened:
        moments = opened.store.timeline.of(conversation)
        now = situation(opened.store.redis, opened.store.keys, conversation)
        sentence = sentence_for(now, moments, opened.settings)
    if json:
        timeline = [{"at": moment.at, "word": moment.word, "details": moment.details} for moment in moments]
        screen.as_json(
            {"persona": persona, "target": target, "sentence": sentence, "waiting": now.waiting, "timeline": timeline}
        )
        return
    screen.say(sentence)
    if moments:
        screen.say("")
        screen.table(
            ["at (UTC)", "what", "details"],
            [[screen.moment(moment.at), moment.word, _details(moment)] for moment in moments],
        )


def _details(moment: Moment) -> str:
    names: Sequence[str] = _DETAILS.get(moment.word, ())
    parts = []
    for index, value in enumerate(moment.details):
        name = names[index] if index < len(names) else ""
        if value != "":
            parts.append(f"{name} {_value(name, value)}".strip())
    return ", ".join(parts)


def _value(name: str, value: Any) -> str:
    return screen.moment(datetime.fromtimestamp(value / 1000, UTC)) if name == "until" else str(value)
