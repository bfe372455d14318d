"""What a person reads of a conversation: one line for each thing said or done. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simulation.upstreams.call_log import Call
from simulation.upstreams.faults import FaultKind
from worker.domain.sentences import of_stored
from worker.store.views.timeline import Moment

Voice = Literal["lead", "persona", "worker", "stage"]

# Who a line is about that is about no single lead.
CROWD = "@crowd"

# The store cuts its times to milliseconds; so a moment stays behind the call that led to it.
_PRECISION_SECONDS = 0.001
_ENDINGS = ("ignored", "sealed", "skipped", "dead")


@dataclass(frozen=True, slots=True)
class Line:
    """``at``: seconds since 1970. ``who``: the lead it is about. ``voice``: who speaks; ``stage`` says what the demo
    has arranged. ``speaker``: the persona's name when it speaks."""

    at: float
    who: str
    voice: Voice
    text: str
    speaker: str = ""


def of_send(call: Call, who: str, persona: str, *, again: bool) -> list[Line]:
    """What the lead sees of one send that the channel took. ``again``: it was taken once before."""
    note = "(again) " if again else ""
    texts = [note + _message(message) for message in call.fields["response"]]
    texts += [f"hands the conversation over: {action['id']}" for action in call.fields["outgoing_action"] or ()]
    lines = [Line(call.end_wall, who, "persona", text, persona) for text in texts]
    if call.fault == FaultKind.ACT_THEN_DROP:
        lines.append(Line(call.end_wall, who, "worker", "the channel took this, then dropped the connection"))
    return lines


def of_moment(moment: Moment, who: str) -> Line | None:
    """What the worker did, if it is worth a line: trouble, and what is not seen in the conversation itself."""
    text = _said(moment)
    return Line(moment.at.timestamp() + _PRECISION_SECONDS, who, "worker", text) if text else None


def _message(message: dict[str, object]) -> str:
    if message.get("type") == "text":
        return str(message["text"])
    files = message.get("files")
    if isinstance(files, list):
        return "".join(f"[photo] {file['url']}" for file in files)
    return f"[{message.get('type')}]"


def _said(moment: Moment) -> str:
    match moment.word, moment.details:
        case "held", (reason, until_ms, *_):
            return f"held {until_ms / 1000 - moment.at.timestamp():.1f} s: {of_stored(str(reason))}"
        case "accepted", ("follow_up", *_):
            return "quiet for too long: beat dispatches a follow-up"
        case "asking", (attempt, _, joined, *_):
            return _asking(int(attempt), int(joined))
        case "second ask", _:
            return "asked a second time: the first call may have been acted on"
        case "sending", (attempt, *_):
            return f"delivered from the journal (attempt {attempt:.0f}): the persona is not asked again"
        case "resent", _:
            return "resent with the same Idempotency-Key: the first send may have arrived"
        case word, (reason, *_) if word in _ENDINGS:
            return f"{word}: {of_stored(str(reason))}"
        case "answered", (reason, *_):
            return of_stored(str(reason))
        case _:
            return ""


def _asking(attempt: int, joined: int) -> str:
    again = f"asked again (attempt {attempt})" if attempt > 1 else ""
    together = f"{joined} messages joined into one turn" if joined > 1 else ""
    return ", ".join(part for part in (again, together) if part)
