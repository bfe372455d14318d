"""A date in Retry-After counts by the clock of the server, so that a worker's own clock does not matter."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from worker.clients.captivate.client import _retry_after
from worker.clients.fluidtalk.errors import seconds_until
from worker.clients.http.connections import Answer


def answer(**headers):
    return Answer(429, httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()}), b"")


def test_an_answer_was_sent_when_its_date_header_says():
    sent_at = answer(Date="Mon, 04 May 2020 12:00:30 GMT").sent_at
    assert sent_at == datetime(2020, 5, 4, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 May 2020 12:00:30 GMT", "Mon, 04 May 99999 12:00:30 GMT"])
def test_without_a_readable_date_our_own_clock_counts(date):
    assert abs(answer(Date=date).sent_at - datetime.now(UTC)) < timedelta(seconds=5)


def test_a_date_without_a_zone_means_utc():
    assert answer(Date="Mon, 04 May 2020 12:00:30 -0000").sent_at.tzinfo is UTC


def test_both_clients_count_a_retry_after_date_from_the_servers_clock():
    slow_down = answer(Date="Mon, 04 May 2020 12:00:30 GMT", Retry_After="Mon, 04 May 2020 12:01:00 GMT")
    assert seconds_until(slow_down.headers["Retry-After"], slow_down.sent_at) == 30.0
    assert _retry_after(slow_down) == 30.0
