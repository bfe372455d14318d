"""``parley dead replay``, ``replay-all`` and ``discard``: give dead events back, or take one off the list."""

from __future__ import annotations

import time
from collections import Counter
from enum import StrEnum
from typing import Annotated

import typer

from worker.cli import screen
from worker.cli.arguments import EventArgument, PersonaOption, TargetArgument
from worker.cli.dead import PersonaArgument, about
from worker.cli.ending import No
from worker.cli.session import Session, conversation_of, session
from worker.domain.sentences import of_stored
from worker.pipeline.producer import Producer
from worker.pipeline.replay import Outcome, Replay
from worker.store.operator.dead_letters import DeadLetter, Mode


class ModeName(StrEnum):
    """How an event goes back to its conversation."""

    PLACE = "place"
    APPEND = "append"
    JOIN = "join"


_MODES: dict[ModeName, Mode] = {
    ModeName.PLACE: "place",
    ModeName.APPEND: "append",
    ModeName.JOIN: "join",
}

_CHOOSE = "choose --mode append (answer it now, late), --mode join (with the next messages), or parley dead discard"

_SENTENCES = {
    "replayed": "Replayed: it waits at position {detail} of its conversation.",
    "discarded": "Discarded: it stays dead and is off the list. To call it back: parley dead replay, same arguments.",
    "readmitted": "Accepted at the door this time, as event {detail}.",
    "unknown": "There is no record of this event: wrong id, or it has expired.",
    "not_dead": "It is not dead, so there is nothing to replay (its fate: {detail}).",
    "covered": "The reply stored with event {detail} answers this one too: replay that one, and this one ends with it.",
    "with_head": "It ends with event {detail}, which waits again and brings the reply that answers both.",
    "later_answered": f"Something later of this conversation has been answered, so its own place is gone: {_CHOOSE}.",
    "later_asked": (
        "Something later of this conversation is with the persona, or its answer is about to be delivered: "
        f"try again when that is over, or {_CHOOSE}."
    ),
    "nothing_to_join": "No messages wait that it could join: use --mode place or --mode append.",
    "cannot_join": (
        "It cannot join other messages: it is no plain message, has its answer already, or may have been acted on. "
        "Use --mode place or --mode append."
    ),
    "no_channel": (
        "The conversation has expired and the event brings no channel of its own, so an answer could not be delivered: "
        "wait until the lead writes again, or: parley dead discard."
    ),
    "still_refused": "The door refuses it still: {detail}",
    "cut": (
        "Of its {detail} bytes only the first are kept, so it cannot go through the door again: let its sender repeat "
        "it, or: parley dead discard."
    ),
    "undecryptable": "Its {detail}. Run this where the workers' keys are set: parley check",
    "unconfigured": "Persona {detail} is not in these settings, so the event would wait for ever: configure it first.",
}

# Sentences that hold for every letter alike; the others name an event or a field.
_HOLD_FOR_ALL = ("later_answered", "later_asked", "no_channel")


def replay(
    event_id: EventArgument,
    persona: PersonaArgument,
    target: TargetArgument,
    mode: Annotated[ModeName, typer.Option(help="Where it goes.")] = ModeName.PLACE,
) -> None:
    """Give one dead event back to its conversation. A stored reply is delivered, not asked for again.

    Example: parley dead replay c-101 ava @john_doe --mode append
    """
    conversation = conversation_of(persona, target)
    with session() as opened:
        outcome = opened.acts().replay(_use_case(opened), conversation, event_id, _MODES[mode])
    sentence = outcome_told(outcome)
    if not outcome.done:
        raise No(sentence)
    screen.say(sentence)


def discard(
    event_id: EventArgument,
    persona: PersonaArgument,
    target: TargetArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Take one dead event off the list: it ends without an answer. Until its record expires, replay can call it back.

    Example: parley dead discard c-101 ava @john_doe
    """
    conversation = conversation_of(persona, target)
    with session() as opened:
        letter = opened.store.dead_letters.open(conversation, event_id)
        if letter is not None and not yes:
            known = letter.letter
            has = "its answer is stored, the lead does not have it" if letter.reply is not None else "it has no answer"
            screen.say(f"{known.kind}, died {screen.moment(known.died_at)} UTC: {of_stored(known.cause)}; {has}.")
            if not typer.confirm("Discard?"):
                raise No("Nothing was changed.")
        outcome = opened.acts().replay(_use_case(opened), conversation, event_id, "discard")
    sentence = outcome_told(outcome)
    if not outcome.done:
        raise No(sentence)
    screen.say(sentence)


def replay_all(
    cause: Annotated[str, typer.Option(help="All whose cause has this code or contains this text.")],
    persona: PersonaOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    per_second: Annotated[float, typer.Option(min=0.01, help="At most so many in a second.")] = 10.0,
) -> None:
    """Give back all dead events with a cause, each to its place. Shows first how many there are of which cause.

    Example: parley dead replay-all --cause 422
    """
    with session() as opened:
        found = opened.store.dead_letters.in_order(persona, about(cause))
        if not found:
            raise No("No dead letters match.")
        causes = Counter((each.conversation.persona, of_stored(each.cause)) for each in found)
        screen.table(["persona", "cause", "letters"], [[*key, count] for key, count in causes.most_common()])
        minutes = len(found) / per_second / 60
        length = f" in about {minutes:.0f} min" if minutes >= 1 else ""
        if not yes and not typer.confirm(f"Replay {len(found)}{length}?"):
            raise No("Nothing was replayed.")
        outcomes = _run_all(opened, found, per_second)
    _report(outcomes)


def _run_all(opened: Session, letters: list[DeadLetter], per_second: float) -> list[tuple[DeadLetter, Outcome]]:
    acts, replays, outcomes = opened.acts(), _use_case(opened), []
    started_at = time.monotonic()
    for number, letter in enumerate(letters):
        time.sleep(max(0.0, started_at + number / per_second - time.monotonic()))
        outcomes.append((letter, acts.replay(replays, letter.conversation, letter.event_id, "place")))
    return outcomes


def _report(outcomes: list[tuple[DeadLetter, Outcome]]) -> None:
    left = [(letter, outcome) for letter, outcome in outcomes if not outcome.done]
    screen.say(f"{len(outcomes) - len(left)} of {len(outcomes)} replayed.")
    if not left:
        return
    screen.table(
        ["event", "persona", "target", "left because"],
        [[letter.event_id, *letter.conversation, outcome.status.replace("_", " ")] for letter, outcome in left],
    )
    reasons = {outcome.status: outcome_told(outcome) for _, outcome in left if outcome.status in _HOLD_FOR_ALL}
    for status, sentence in reasons.items():
        screen.say(f"{status.replace('_', ' ')}: {sentence}")
    raise No(f"{len(left)} left. Look at each with: parley dead replay EVENT_ID PERSONA TARGET")


def outcome_told(outcome: Outcome) -> str:
    """What a replay came to, as one sentence."""
    return _SENTENCES[outcome.status].format(detail=screen.printable(outcome.detail or "none so far"))


def _use_case(opened: Session) -> Replay:
    return Replay(opened.settings, opened.store, Producer(opened.settings, store=opened.store))
