"""Both clients read the notices of a real ingress: each once, what their source may see, as soon as it is written."""

from __future__ import annotations

import itertools
import threading
import time

import pytest

from parley_client import ChannelContext, InboundChat, NoticesOff, UnknownCursor
from worker.domain.conversation import Conversation

CHANNEL = ChannelContext(session_id="session-1", metadata={})
BANK = "token-of-the-bank-0123456789"


@pytest.fixture
def keeps(origin, make_store):
    """The store of workers that keep notices."""
    store = make_store(notices={"keep": True})
    store.notices.keep()
    return store


@pytest.fixture
def end(keeps, client):
    """Send an event and give it its fate, as a worker does. Returns its id."""

    def run(persona="ava", target="@john"):
        receipt = client.send(InboundChat(persona=persona, target=target, message="hi", channel=CHANNEL))
        settle(keeps, persona, target, receipt.event_id)
        return receipt.event_id

    return run


def settle(store, persona, target, event_id):
    store.steps.settle(store.steps.begin(Conversation(persona, target), f"token {event_id}"), "answered")


def test_each_notice_comes_once_and_in_the_order_of_its_conversation(client, end):
    sent = [end(target=f"@lead{number % 3}") for number in range(8)]
    notices = client.notices(limit=3)
    found = list(notices)
    assert sorted(notice.event_id for notice in found) == sorted(sent)
    for target in {notice.target for notice in found}:
        assert [notice.event_id for notice in found if notice.target == target] == [
            event_id for number, event_id in enumerate(sent) if f"@lead{number % 3}" == target
        ]
    assert {(notice.type, notice.fate, notice.kind) for notice in found} == {
        ("parley.event.answered", "answered", "inbound_chat")
    }
    assert notices.dropped == 0
    newest = end()
    assert [notice.event_id for notice in client.notices(after=notices.cursor)] == [newest]
    assert [notice.event_id for notice in notices] == [newest]


def test_behind_notices_of_others_come_those_of_the_source(client, connect, origin, end):
    for _ in range(60):
        end("ava")
    own = end("bea")
    assert [notice.event_id for notice in connect(origin, token=BANK).notices(limit=1)] == [own]


def test_a_notice_comes_while_the_reader_waits_for_it(client, end, keeps):
    receipt = client.send(InboundChat(persona="ava", target="@john", message="hi", channel=CHANNEL))
    later = threading.Timer(0.5, settle, (keeps, "ava", "@john", receipt.event_id))
    began_at = time.monotonic()
    later.start()
    (notice,) = itertools.islice(client.notices(wait=50), 1)
    later.join()
    assert notice.event_id == receipt.event_id
    assert 0.4 < time.monotonic() - began_at < 40


def test_the_cursor_of_another_source_is_an_error(client, connect, origin, end):
    end()
    notices = client.notices()
    list(notices)
    with pytest.raises(UnknownCursor):
        next(connect(origin, token=BANK).notices(after=notices.cursor))


def test_a_signed_reader_reads_too(connect, origin, end):
    event_id = end()
    signed = connect(origin, signing_secret="whsec_" + "c2VjcmV0" * 6)
    assert [notice.event_id for notice in signed.notices()] == [event_id]


def test_without_notices_a_reader_is_told_so(client):
    with pytest.raises(NoticesOff, match="PARLEY_NOTICES__KEEP"):
        next(client.notices())
