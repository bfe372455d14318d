"""Doorbells that find no slot of this process wait for one, and every slot comes back."""

from __future__ import annotations

import threading

import pytest

from worker.clients.fluidtalk import FluidTalk
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener
from worker.domain.vocabulary import OUTREACH

ONE, TWO = Conversation("ava", "@one"), Conversation("ava", "@two")
WAITS = "waits: the persona has its share of the slots"


@pytest.fixture
def small(make_shop):
    """A shop with one slot."""
    return make_shop(worker={"concurrency": 1}, personas={"ava": {"api_key": "ft_sk_ava"}})


@pytest.fixture
def busy(small, say, upstreams, eventually):
    """The only slot is in use for a while, and the next doorbell waits. Ends with what the first thread said."""
    upstreams.set_latency(1.0, service="fluidtalk")
    for lead in (ONE, TWO):
        small.producer.enqueue(say("a", target=lead.target))
    said = []
    thread = threading.Thread(target=lambda: said.append(small.run(ONE)))
    thread.start()
    eventually(lambda: upstreams.summary()["fluidtalk"].in_flight, "the first call")
    assert small.run(TWO) == WAITS

    def end():
        thread.join(20)
        return said[0]

    return end


def test_who_waits_for_a_slot_is_served_by_the_turn_that_ends(small, busy):
    assert "answered" in busy().partition("; ")[2]
    assert small.fates() == {"answered": 2}


def test_a_process_that_stops_finishes_what_it_has_begun_and_begins_nothing_more(small, busy):
    small.parts.turns.stop()
    assert "; " not in busy()
    assert small.fates() == {"answered": 1, "waiting": 1}


def test_a_turn_that_ends_by_an_unexpected_error_gives_its_slot_back(small, say, monkeypatch):
    def fault(*arguments, **options):
        raise ZeroDivisionError

    for lead in (ONE, TWO):
        small.producer.enqueue(say("a", target=lead.target))
    with monkeypatch.context() as patch:
        patch.setattr(FluidTalk, "inbound_chat", fault)
        assert "internal error: ZeroDivisionError" in small.run(ONE)
    assert small.run(TWO).startswith("answered")


def test_openers_beyond_their_share_of_the_slots_wait_and_a_lead_does_not(make_shop, say, upstreams, eventually):
    shop = make_shop(worker={"concurrency": 2, "outreach_share": 0.5}, personas={"ava": {"api_key": "ft_sk_ava"}})
    upstreams.set_latency(1.0, service="fluidtalk")
    for lead in (ONE, TWO):
        shop.producer.enqueue(say(kind=AiOpener, target=lead.target))
    shop.producer.enqueue(say("a"))
    thread = threading.Thread(target=shop.parts.turns.run, args=(*ONE, OUTREACH))
    thread.start()
    eventually(lambda: upstreams.summary()["fluidtalk"].in_flight, "the first opener")
    assert shop.parts.turns.run(*TWO, OUTREACH) == WAITS
    assert shop.run().startswith("answered")
    thread.join(20)
    assert shop.fates() == {"answered": 3}, "the thread of the first opener has served the second one"
