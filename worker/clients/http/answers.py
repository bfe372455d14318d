"""The results of one HTTP call: an answer, or one of two failures, which say whether the server may have acted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

from worker.clients.http.heads import AnswerOutOfBounds

LONGEST_WAIT_SECONDS = 365 * 24 * 3600.0

_SECONDS = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


class NotSent(Exception):
    """No byte of the request left this machine, so the server cannot have acted on it. Safe to try again."""


class Unanswered(Exception):
    """At least one byte was written and no complete answer came back: the server may have acted.

    ``answer``: its status and headers, without a body; None if not even they arrived.
    """

    def __init__(self, message: str, answer: Answer | None = None) -> None:
        super().__init__(message)
        self.answer = answer

    @property
    def status(self) -> int | None:
        """The HTTP status, None without a complete head."""
        return self.answer.status if self.answer else None


class AnswerTooLarge(Unanswered):
    """The answer has more bytes than were asked for; the rest was not read."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one call may take, in seconds.

    ``connect`` covers name look-up to TLS handshake, ``read`` the silence between two pieces of the answer, ``total``
    the whole call from the first to the last byte, so that an answer that drips in cannot hold a thread for ever.
    """

    connect: float
    read: float
    total: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete HTTP answer: status code, header fields in their order, and the body as it came.

    No content coding is asked for and none is undone: a compressed answer reads as an unreadable one.
    """

    status: int
    fields: Sequence[tuple[bytes, bytes]]
    body: bytes

    @property
    def headers(self) -> httpx.Headers:
        """The header fields, to look up. Each use reads all of them."""
        return httpx.Headers(list(self.fields))

    def header(self, name: bytes) -> str:
        """The value of one header, '' if it is not there. ``name``: in lower case."""
        # Most are not there, and reading all fields costs more than the rest of an answer.
        is_there = any(len(field) == len(name) and field.lower() == name for field, _ in self.fields)
        return self.headers[name.decode()] if is_there else ""

    @property
    def sent_at(self) -> datetime:
        """When it was sent by the clock of the server (its Date header), which is also the clock that a date in
        Retry-After counts by; by our own clock if the server does not say."""
        return _moment(self.header(b"date")) or datetime.now(UTC)

    @property
    def retry_after(self) -> float | None:
        """The seconds that the server asks to wait, at most ``LONGEST_WAIT_SECONDS``; None if it does not say so.

        The header Retry-After is a number of seconds or an HTTP date (RFC 9110, 10.2.3).
        """
        value = self.header(b"retry-after").strip()
        if _SECONDS.fullmatch(value):
            seconds = float(value)
        elif moment := _moment(value):
            seconds = (moment - self.sent_at).total_seconds()
        else:
            return None
        return min(max(0.0, seconds), LONGEST_WAIT_SECONDS)


def _moment(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # "-0000" reads as a time without a zone and means UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def description(error: Exception) -> str:
    """What failed, in words that cannot quote what was sent or what came."""
    if isinstance(error, AnswerOutOfBounds):
        return str(error)
    cause = error.args[0] if error.args else None
    if isinstance(cause, str):  # our own words
        return f"{type(error).__name__}: {cause}"
    # Only what the system says is sure to quote nothing.
    if isinstance(cause, OSError) and cause.strerror:
        return f"{type(error).__name__}: {cause.strerror}"
    return type(error).__name__


def no_answer(error: Exception) -> str:
    """Why a client's ``error`` came without an answer, in words for operators; '' when that is not known."""
    cause = error.__cause__
    return f"no answer: {cause}" if isinstance(cause, NotSent | Unanswered) else ""
