"""Why something was not done. No text of an error has content of an event, a token or a secret.

ParleyError
├── InvalidEvent (also a ValueError)   not an event; nothing was sent
├── Unreachable                        no answer, also after retries
├── BadAnswer                          an answer that is not the ingress's
└── Problem                            the ingress answered with a problem document (RFC 9457)
    ├── Unauthenticated, Forbidden, UnknownPersona, UnknownReceipt, UnknownCursor, NoticesOff
    ├── MissingChannel, InboxFull, TooLarge, Refused
    └── TooFast, Unavailable           later helps; the client has retried already
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from parley_client.answers import Receipt
    from parley_client.models.events import Event

_WORD = re.compile(r"[a-z0-9_-]{1,60}")
_FIELD = re.compile(r"[\w.]{1,80}")


class ParleyError(Exception):
    """Something was not done. The text says what happened and what to do.

    ``unsent``: of a call that sends, the events that are not known to be stored, in order; to send them again is safe,
    because each has its id. ``results``: of ``send_many``, the results of the events before them.
    """

    unsent: Sequence[Event | object] = ()
    results: Sequence[Receipt | ParleyError] = ()


class InvalidEvent(ParleyError, ValueError):
    """The value is not an event: wrong type, missing or malformed field. Nothing was sent."""


class Unreachable(ParleyError):
    """The ingress gave no answer. It is not known whether the events of the call were accepted."""


class BadAnswer(ParleyError):
    """The answer is not one of the ingress. ``status``: its HTTP status."""

    status: int = 0


class Problem(ParleyError):
    """The ingress refused. ``status``: the HTTP status; ``kind``: the type of problem, as docs/ingress.md lists them;
    ``cause``: a code; ``field``: the field at fault; ``retry_after``: seconds after which the same request may succeed.

    ``title``, ``detail`` and ``cure`` are the words of the ingress. They are not in the text of the error.
    """

    advice: ClassVar[str] = "see kind and detail of this error"

    status: int = 0
    kind: str = ""
    title: str = ""
    detail: str = ""
    cure: str = ""
    cause: str | None = None
    field: str | None = None
    retry_after: float | None = None


class Unauthenticated(Problem):
    """The ingress does not know the sender."""

    advice = "give the token or the signing secret of a source of the ingress, and check the clock of this machine"


class Forbidden(Problem):
    """The source may not send this."""

    advice = "widen PERSONAS or KINDS of the source"


class UnknownPersona(Problem):
    """The persona is not configured."""

    advice = "correct the name, or configure the persona"


class UnknownReceipt(Problem):
    """The receipt is not one of this source, or the record of its event has ended."""

    advice = "use the receipt of an event that this source has sent"


class UnknownCursor(Problem):
    """The cursor is not one that this source got."""

    advice = "begin without a cursor, or with the last one of this source"


class NoticesOff(Problem):
    """Notices are not kept."""

    advice = "set PARLEY_NOTICES__KEEP=true in all processes of Parley"


class MissingChannel(Problem):
    """Neither the event nor its conversation has a channel."""

    advice = "send the event with channel"


class InboxFull(Problem):
    """Too many events of the conversation wait."""

    advice = "send the same event again later"


class TooLarge(Problem):
    """The request is larger than the ingress takes."""

    advice = "send a shorter event"


class Refused(Problem):
    """The event cannot be accepted."""

    advice = "correct the field that is named; detail of this error has the reason"


class TooFast(Problem):
    """The source has used up its rate."""

    advice = "send the same again later"


class Unavailable(Problem):
    """The ingress cannot accept anything now. It may be unknown whether the events were accepted."""

    advice = "send the same events again later"


_KINDS: dict[str, type[Problem]] = {
    "unauthenticated": Unauthenticated,
    "forbidden": Forbidden,
    "unknown-persona": UnknownPersona,
    "unknown-receipt": UnknownReceipt,
    "unknown-cursor": UnknownCursor,
    "notices-off": NoticesOff,
    "channel-missing": MissingChannel,
    "inbox-full": InboxFull,
    "body-too-large": TooLarge,
    "refused": Refused,
    "too-many-events": Refused,
    "too-fast": TooFast,
    "too-slow": Unavailable,
    "internal": Unavailable,
    "store-unreachable": Unavailable,
    "store-full": Unavailable,
    "not-ready": Unavailable,
}
_OF_STATUS: dict[int, type[Problem]] = {401: Unauthenticated, 403: Forbidden, 413: TooLarge, 422: Refused, 429: TooFast}


def problem_of(document: Mapping[str, Any], status: int, retry_after: float | None = None) -> Problem:
    """The error of a problem document. What it has of another form than documented is left out."""
    given = document.get("status")
    status = given if isinstance(given, int) and 400 <= given <= 599 else status
    kind = _matching(_WORD, str(document.get("type", "")).rpartition("/")[2]) or "unknown"
    cause, field = _matching(_WORD, document.get("cause")), _matching(_FIELD, document.get("field"))
    usual = Unavailable if status >= 500 else Problem
    made = _KINDS.get(kind) or _OF_STATUS.get(status, usual)
    where = ", ".join(f"{name} {value}" for name, value in (("field", field), ("cause", cause)) if value)
    # A kind that only a newer ingress knows is not repeated: only words of this release are certain to be no content.
    told = f"{status} {kind}" if kind in _KINDS else f"{status}"
    problem = made(f"the ingress answered {told}{f' ({where})' if where else ''}: {made.advice}")
    problem.status, problem.kind, problem.cause, problem.field = status, kind, cause, field
    problem.title, problem.detail, problem.cure = (_text(document.get(name)) for name in ("title", "detail", "cure"))
    problem.retry_after = retry_after
    return problem


def bad_answer(status: int, what: str) -> BadAnswer:
    """The error of an answer that is not the ingress's. ``what``: what is wrong with it, without its content."""
    error = BadAnswer(f"HTTP status {status}, {what}: check that the address is that of a Parley ingress")
    error.status = status
    return error


def _matching(form: re.Pattern[str], value: object) -> str | None:
    return value if isinstance(value, str) and form.fullmatch(value) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
