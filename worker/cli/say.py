"""``parley say``: a person speaks to a lead in the persona's place."""

from __future__ import annotations

import sys
import time
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer

from worker.cli import screen
from worker.cli.arguments import ByOption, PersonaArgument, TargetArgument
from worker.cli.ending import No, Usage
from worker.cli.near import unknown
from worker.cli.session import Session, conversation_of, operator, session
from worker.domain.conversation import Conversation
from worker.domain.operator_words import as_shown
from worker.domain.reasons import Reason
from worker.domain.sentences import of_reason
from worker.store.operator.operator_messages import MOST_CHARACTERS, Said
from worker.store.views.event_state import EventState

_POLL_SECONDS = 0.2

_FILE_HELP = "A file with the message (UTF-8). Without it the message is read from standard input."
_ANYWAY_HELP = "Say it also to a lead who has opted out."
_WAIT_HELP = "So many seconds the command waits for the delivery; 0 = it does not."


def say(
    persona: PersonaArgument,
    target: TargetArgument,
    text_file: Annotated[Path | None, typer.Option("--text-file", help=_FILE_HELP)] = None,
    although_opted_out: Annotated[bool, typer.Option("--although-opted-out", help=_ANYWAY_HELP)] = False,
    wait: Annotated[float, typer.Option(min=0, help=_WAIT_HELP)] = 10.0,
    by: ByOption = None,
) -> None:
    """Write to a lead in the persona's place. Claim the conversation first.

    The message comes from standard input or a file, so that no history of a shell and no list of processes has it. It
    goes out once, before all that waits, after what you said before.

    Example: parley say ava @john_doe < answer.txt
    """
    conversation, text = conversation_of(persona, target), _text(text_file)
    with session() as opened:
        opened.need_persona(persona)
        acts = opened.acts(by)
        said = acts.say(conversation, text, anyway=although_opted_out)
        if said.status != "accepted":
            raise No(_refusal(opened, conversation, acts.by, said))
        ended = _ended(opened, conversation, said.event_id, wait) if wait else None
    if ended is None:
        screen.say(f"It is on its way. What becomes of it: parley explain {persona} {target}")
    elif ended.status == "answered":
        screen.say("Delivered.")
    else:
        why = f": {of_reason(Reason(ended.cause))}" if ended.cause else ""
        raise No(f"Not delivered{why}. See parley explain {persona} {target}")


def _text(text_file: Path | None) -> str:
    try:
        if text_file is not None:
            return text_file.read_text(encoding="utf-8").strip()
        if sys.stdin.isatty():
            screen.complain("Write the message, then Ctrl-D at the beginning of a line.")
        if isinstance(sys.stdin, TextIOWrapper):
            sys.stdin.reconfigure(encoding="utf-8", errors="strict")
        return sys.stdin.read().strip()
    except OSError as error:
        raise Usage(f"The file cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise Usage("The message is not UTF-8.") from None


def _refusal(opened: Session, conversation: Conversation, who: str, said: Said) -> str:
    persona, target = conversation
    match said.status:
        case "unknown":
            return unknown(opened, conversation, "say")
        case "not_yours" if said.holder.startswith("claimed by "):
            return f"Another operator has this conversation: {as_shown(said.holder)}."
        case "not_yours":
            by = "" if who == operator() else f" --by {who}"
            return f"Claim it first, so that the persona is silent: parley claim {persona} {target}{by}"
        case "opted_out":
            return "This lead has opted out. If the lead expects your answer all the same: --although-opted-out"
        case "no_channel":
            return "It is not known where an answer goes: no event of this conversation brought a channel."
        case "empty":
            return "There is nothing to say: the message is empty."
        case "long":
            return f"The message is too long: at most {MOST_CHARACTERS} characters. Send it in parts."
        case _:
            return "Too much waits in this conversation already. See parley explain."


def _ended(opened: Session, conversation: Conversation, event_id: str, seconds: float) -> EventState | None:
    until = time.monotonic() + seconds
    while True:
        state = opened.store.event_states.of(conversation, event_id)
        if state is not None and state.ended_at:
            return state
        if time.monotonic() > until:
            return None
        time.sleep(_POLL_SECONDS)
