"""Why a FluidTalk call gave no result: one class for each thing that a caller can do about it.

FluidTalkError                    what happened                               acted     what to do
├── InvalidCall (also ValueError) refused here, nothing was sent              no        correct the call
├── Unauthorized                  401, 403                                    no        set a working key
├── CreditsExhausted              402                                         no        top up, then try again
├── ConversationSealed            400 that says DONE                          no        stop writing to this lead
├── ConversationNotFound          404                                         no        drop the follow-up
├── NotFound                      404 (Characters)                            no        check the names of the call
├── Conflict                      409 (Characters)                            unknown   wait, then the same call again
├── Throttled                     408, 425, 429                               no        wait for ``retry_after``
├── Rejected                      every other 4xx, every 3xx                  no (*)    look at ``detail``
├── Unavailable                   not sent, or 503                            no        try again later
├── OutcomeUnknown                sent but not answered in full, other 5xx    unknown   decide: repeat or give up
└── BadReply                      2xx that is not the documented JSON object  unknown   look at ``detail``

(*) A redirect does not say whether the server acted before it sent us elsewhere: ``unknown``.

Source: seed FluidTalk "Behaviour to handle"; protocols.md 1.6, 1.7, F9, F14 to F20. A status that fits nowhere (1xx,
600 and above) says nothing about what the server did and is an ``OutcomeUnknown``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

Acted = Literal["no", "unknown"]

_DONE = re.compile(r"\bDONE\b")
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class FluidTalkError(Exception):
    """A call gave no result. The text has status and next step, never what the server said: that is in ``detail``.

    ``status``: the HTTP status, 0 if there was no answer.
    ``detail``: the body of the answer, parsed, or ``{"detail": text}`` if it was not JSON; ``{"error": word}`` if there
    was no answer. It may hold content of the conversation: keep it out of logs.
    ``retry_after``: seconds from now after which the server wants to be asked again; None if it did not say.
    ``acted``: "no" if the server surely did not act on the call, "unknown" if it may have.
    ``foreign``: the answer is not FluidTalk's own, but of something in front of it: a redirect, or no JSON object or
    list, such as a gateway's page. It says nothing about this call.
    ``code``, ``type``, ``request_id``: of the Characters API's error envelope; None if it did not say.

    Can be pickled and copied. Source: protocols.md 1.6, F17, F19, F20.
    """

    acted: Acted = "unknown"
    foreign = False
    explanation = "the call failed; look at status and detail"
    request_id: str | None = None
    code: str | None = None
    # Last: below it the name no longer means the builtin.
    type: str | None = None

    def __init__(self, status: int, detail: Any, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after

    def __reduce__(self) -> tuple[Callable[..., FluidTalkError], tuple[Any, ...]]:
        return _restore, (self.__class__, self.args, self.__dict__.copy())


class InvalidCall(FluidTalkError, ValueError):
    """The call cannot be right and was refused before anything was sent (protocols.md F2, F3, F5 to F7, F16, F22)."""

    acted = "no"

    def __init__(self, message: str) -> None:
        super().__init__(0, {"error": "invalid_call"}, message)


class Unauthorized(FluidTalkError):
    """401 or 403: the API key is missing, wrong, or not permitted to do this."""

    acted = "no"
    explanation = "the API key is missing, wrong or not permitted; set a working key for this persona"


class CreditsExhausted(FluidTalkError):
    """402: not enough credits. In the Handshake API for a new conversation, while existing ones may continue. In the
    Characters API for any turn; ``event``, ``followups`` and ``self_test`` still work."""

    acted = "no"
    explanation = "not enough credits to start a conversation; top up the plan, then try again"


class ConversationSealed(FluidTalkError):
    """400 with DONE in its detail text: the conversation is finished. Send this lead nothing more.

    DONE must stand there as a word in capitals, in the string under ``detail`` or, if the body is not a JSON object, in
    the body's own text. Other fields do not count: they may quote what the lead wrote.
    """

    acted = "no"
    explanation = "the conversation is DONE; stop messaging this lead"


class ConversationNotFound(FluidTalkError):
    """404: there is no conversation yet. A follow-up needs an earlier contact."""

    acted = "no"
    explanation = "no such conversation; drop the follow-up, or check the base URL if it was another call"


class NotFound(FluidTalkError):
    """404 of the Characters API: no such character, lead or follow-up."""

    acted = "no"
    explanation = "no such character, lead or follow-up; check the token, the names of the call and the base URL"


class Conflict(FluidTalkError):
    """409 of the Characters API. A repeated trigger or event may still be under way from the first call."""

    explanation = "it conflicts with what the server knows; a repeat may find the first call still under way"


class Throttled(FluidTalkError):
    """408, 425 or 429: too fast for the server. Safe to try again after ``retry_after``, else after a pause."""

    acted = "no"
    explanation = "the server asks to slow down; wait for retry_after, then try again"


class Rejected(FluidTalkError):
    """Any other 4xx, or a 3xx: asking the same again gives the same answer. Redirects are not followed."""

    acted = "no"
    explanation = "the call was refused and would be again; see detail and correct the call or the base URL"


class Unavailable(FluidTalkError):
    """Nothing was sent (no connection), or the server said 503. Safe to try again after a pause."""

    acted = "no"
    explanation = "the service is not available; try again after a pause"


class OutcomeUnknown(FluidTalkError):
    """The call was sent, and it is not known whether the server acted: no complete answer, or a server fault.

    The API has no idempotency key, so a second call may act, and cost, a second time (protocols.md 1.7).
    """

    explanation = "the server may or may not have acted; repeat the call only if doing it twice is acceptable"


class BadReply(FluidTalkError):
    """A 2xx without the documented JSON object: a proxy's page, no body, a field of another type.

    The server has probably acted; what the persona said is lost, or still readable in ``detail``.
    """

    explanation = "not the documented JSON object; check the base URL and see detail"


_BY_STATUS: dict[int, type[FluidTalkError]] = {
    401: Unauthorized,
    402: CreditsExhausted,
    403: Unauthorized,
    404: ConversationNotFound,
    408: Throttled,
    425: Throttled,
    429: Throttled,
    503: Unavailable,
}


_CHARACTERS_BY_STATUS = {**_BY_STATUS, 404: NotFound, 409: Conflict}
# Where the same class means something else there.
_CHARACTERS_EXPLAINED = {402: "the wallet of the character cannot pay for this call; top it up, then try again"}


def error_for(status: int, detail: Any, retry_after: float | None, *, foreign: bool = False) -> FluidTalkError:
    """The error for a complete answer other than 2xx; the arguments become the attributes of ``FluidTalkError``.

    ``foreign``: the body is no JSON object or list. A redirect is foreign in any case.
    """
    kind = _kind(status, detail)
    error = kind(status, detail, f"FluidTalk answered {status}: {kind.explanation}", retry_after=retry_after)
    _note_origin(error, foreign)
    return error


def character_error_for(
    status: int, detail: Any, retry_after: float | None, request_id: str | None = None, *, foreign: bool = False
) -> FluidTalkError:
    """The error for a complete answer of the Characters API other than 2xx: there is no sealed state (characters.md 4).

    ``request_id``: of the header, for an envelope without one. ``foreign``: as for ``error_for``.
    """
    kind: type[FluidTalkError]
    kind = _CHARACTERS_BY_STATUS.get(status) or (Rejected if 300 <= status < 500 else OutcomeUnknown)
    explained = _CHARACTERS_EXPLAINED.get(status, kind.explanation)
    error = kind(status, detail, f"FluidTalk answered {status}: {explained}", retry_after=retry_after)
    _note_origin(error, foreign)
    envelope = detail.get("error") if isinstance(detail, dict) else None
    words = envelope if isinstance(envelope, dict) else {}
    error.code, error.type = _word(words.get("code")), _word(words.get("type"))
    error.request_id = _word(words.get("request_id")) or _word(request_id)
    return error


def _note_origin(error: FluidTalkError, foreign: bool) -> None:
    redirect = 300 <= error.status < 400
    error.foreign = foreign or redirect
    if redirect:
        error.acted = "unknown"


def _kind(status: int, detail: Any) -> type[FluidTalkError]:
    if status == 400 and _says_done(detail):
        return ConversationSealed
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Rejected if 300 <= status < 500 else OutcomeUnknown


def _word(value: Any) -> str | None:
    # A name, not a sentence: sentences of the server can quote the token.
    return value if isinstance(value, str) and _NAME.fullmatch(value) else None


def _says_done(detail: Any) -> bool:
    text = detail.get("detail") if isinstance(detail, dict) else detail
    return isinstance(text, str) and _DONE.search(text) is not None


def _restore(kind: type[FluidTalkError], args: tuple[Any, ...], state: dict[str, Any]) -> FluidTalkError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error
