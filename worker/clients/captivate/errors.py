"""What can go wrong with Captivate.

CaptivateError
├── CaptivatePayloadError (ValueError)   a request that cannot be read
├── CaptivateValueError (ValueError)     a value given to us that cannot be sent
├── Throttled                            408, 425, 429: wait, then send again
├── Unavailable                          503, or no byte left this machine: send again later
├── OutcomeUnknown                       no answer, or 5xx: the message may have been delivered
├── Rejected                             3xx and other 4xx: sending the same again changes nothing
└── DownloadFailed                       a file of the conversation could not be fetched

No text holds a session id, content, a key or an address with its query: all of them may be logged.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ValidationError

Acted = Literal["no", "unknown"]


class CaptivateError(Exception):
    """Something went wrong with Captivate. Picklable; the text is safe to log.

    ``status``: the HTTP status, None without an answer. ``retry_after``: seconds that the server asked us to wait.
    ``acted``: "no" when nothing can have been delivered, "unknown" when it may have been (architecture.md section 4).
    ``foreign``: the refusal is not Captivate's own, but of something in front of it: a redirect, or no JSON object
    or list, such as a gateway's page. It says nothing about this message.
    """

    foreign = False

    def __init__(
        self, message: str, *, status: int | None = None, retry_after: float | None = None, acted: Acted = "no"
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.acted: Acted = acted


class CaptivatePayloadError(CaptivateError, ValueError):
    """Not a Captivate request. The text names each field at fault, never its value."""


class CaptivateValueError(CaptivateError, ValueError):
    """A value that Captivate could not be sent: refused here, so that the conversation stays sendable."""


class Throttled(CaptivateError):
    """Captivate asks for a pause (408, 425, 429). Nothing was delivered."""


class Unavailable(CaptivateError):
    """Captivate could not be reached or answered 503. Nothing was delivered."""


class OutcomeUnknown(CaptivateError):
    """Bytes were written and no clear answer came (silence, a broken connection, 5xx): perhaps delivered."""


class Rejected(CaptivateError):
    """Captivate refused the message (4xx) or pointed elsewhere (3xx, never followed). Nothing was delivered."""


class DownloadFailed(CaptivateError):
    """A file could not be fetched. ``retryable``: whether trying again later can help."""

    def __init__(self, message: str, *, status: int | None = None, retryable: bool = False) -> None:
        super().__init__(message, status=status)
        self.retryable = retryable


def faults(error: ValidationError, whole: str) -> str:
    """The faults of a validation as one line: field paths and reasons, without any value.

    ``whole`` names the thing itself, for a fault that belongs to no field.
    """
    lines = []
    for fault in error.errors(include_input=False, include_url=False, include_context=False):
        path = fault["loc"]
        if fault["type"] == "invalid_key":  # the last part is a key that the sender chose
            path = path[:-1]
        elif path[-1:] == ("[key]",):  # here it is the part before
            path = path[:-2]
        place = ".".join(str(part) for part in path) or whole
        lines.append(f"{place}: {fault['msg'].removeprefix('Value error, ')}")
    return "; ".join(lines)
