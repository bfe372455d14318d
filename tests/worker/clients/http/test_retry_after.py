"""How long a server asks to wait: seconds or a date by its own clock, bounded; the same for both clients."""

from __future__ import annotations

import pytest

from worker.clients.http.answers import LONGEST_WAIT_SECONDS, Answer

RETRY_AFTER: list[tuple[str | None, float | None]] = [
    (None, None),
    ("0", 0.0),
    ("7", 7.0),
    (" 7 ", 7.0),
    ("+7", 7.0),
    ("1.5", 1.5),
    ("-3", 0.0),
    ("-0.1", 0.0),
    ("Mon, 04 May 2026 12:00:30 GMT", 30.0),
    ("Mon, 04 May 2026 14:00:30 +0200", 30.0),
    ("Mon, 04 May 2026 12:00:30 -0000", 30.0),
    ("Monday, 04-May-26 12:00:30 GMT", 30.0),
    ("Mon May  4 12:00:30 2026", 30.0),
    ("Mon, 04 May 2026 11:59:00 GMT", 0.0),
    ("", None),
    ("soon", None),
    ("7 seconds", None),
    ("7,8", None),
    ("nan", None),
    ("inf", None),
    ("1e3", None),
    ("\N{ARABIC-INDIC DIGIT SEVEN}", None),
    ("9" * 400, LONGEST_WAIT_SECONDS),
    ("Mon, 04 May 2126 12:00:30 GMT", LONGEST_WAIT_SECONDS),
    ("Mon, 99 May 2026 12:00:30 GMT", None),
    ("Mon, 04 May 99999 12:00:30 GMT", None),
    ("2026-05-04T12:00:30Z", None),
]


@pytest.mark.parametrize(("header", "seconds"), RETRY_AFTER)
def test_f20_retry_after_is_read_as_seconds_or_as_a_date(header: str | None, seconds: float | None) -> None:
    headers = {"Date": "Mon, 04 May 2026 12:00:00 GMT", **({} if header is None else {"Retry-After": header})}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert Answer(429, raw, b"").retry_after == seconds
