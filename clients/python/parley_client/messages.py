"""What goes between the rules of a client and its connections."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


@dataclass(frozen=True, slots=True)
class Request:
    """Send this once. ``wait``: seconds that the answer may take beyond the usual time."""

    method: str
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)
    wait: float = 0


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Lost:
    """There was no answer. ``what`` happened, without any content."""

    what: str


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, whole. ``headers``: with names in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    @property
    def media_type(self) -> str:
        """That of the body, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def retry_after(self) -> float | None:
        """The seconds of ``Retry-After``, which may also be a date; None without a usable one."""
        given = self.headers.get("retry-after", "").strip()
        try:
            seconds = float(given)
        except ValueError:
            try:
                at = parsedate_to_datetime(given)
                seconds = (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
            except (ValueError, OverflowError):
                return None
        return max(0.0, seconds) if math.isfinite(seconds) else None

    def json(self) -> object:
        """The value in the body; None when it is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None
