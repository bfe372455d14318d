"""A date in Retry-After counts by the clock of the server, so that a worker's own clock does not matter."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest

from worker.clients.captivate import Captivate, CaptivateClient, CaptivateError
from worker.clients.fluidtalk import FluidTalk, FluidTalkError
from worker.clients.http.connections import Answer


def answer(**headers):
    return Answer(429, [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()], b"")


def test_an_answer_was_sent_when_its_date_header_says():
    sent_at = answer(Date="Mon, 04 May 2020 12:00:30 GMT").sent_at
    assert sent_at == datetime(2020, 5, 4, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 May 2020 12:00:30 GMT", "Mon, 04 May 99999 12:00:30 GMT"])
def test_without_a_readable_date_our_own_clock_counts(date):
    before = datetime.now(UTC)
    assert before <= answer(Date=date).sent_at <= datetime.now(UTC)


def test_a_date_without_a_zone_means_utc():
    assert answer(Date="Mon, 04 May 2020 12:00:30 -0000").sent_at.tzinfo is UTC


@pytest.fixture(params=["fluidtalk", "captivate"])
def retry_after(request, channel):
    """What a client makes of the answer of its server."""

    def read(address):
        if request.param == "fluidtalk":
            with FluidTalk("ft_sk_ava", base_url=address) as persona, pytest.raises(FluidTalkError) as caught:
                persona.inbound_chat(target="@lead", message="hi")
        else:
            client = CaptivateClient(base_url=address)
            with contextlib.closing(client), pytest.raises(CaptivateError) as caught:
                client.send_message(Captivate.parse(channel))
        return caught.value.retry_after

    return read


def test_both_clients_count_a_retry_after_date_from_the_servers_clock(serve, retry_after):
    server = serve(
        b"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\nDate: Mon, 04 May 2020 12:00:30 GMT\r\n"
        b"Retry-After: Mon, 04 May 2020 12:01:00 GMT\r\n\r\n"
    )
    assert retry_after(server.url) == 30.0
