"""A turn tells what the lead got of its reply, for the transcript."""

from __future__ import annotations

import pytest

from simulation.upstreams.faults import FaultKind
from worker.store.conversations.transcripts import transcript_key

KEPT = {"transcript": {"days": 30}}
PACED = {"enabled": True, "minimum_seconds": 30, "maximum_seconds": 60, "jitter": 0}


@pytest.fixture
def said(make_store, lead):
    """Who said what, in order."""
    store = make_store(**KEPT)
    return lambda: [(line.who, line.texts) for line in store.transcripts.of(lead)]


@pytest.fixture
def write(make_shop, say):
    """The lead writes to a shop that keeps transcripts. Returns the shop."""

    def run(message, **more):
        shop = make_shop(**KEPT, **more)
        # The store of the fixture keeps nothing: the producer has to.
        shop.parts.store.inbox.accept(say(message))
        return shop

    return run


def test_the_whole_reply(write, said):
    write("one\ntwo").work()
    assert said() == [("lead", ("one\ntwo",)), ("persona", ("You said: one", "You said: two"))]


def test_only_the_bubbles_that_went_out_before_the_lead_wrote(write, said, say):
    persona = {"api_key": "ft_sk_ava", "interruptions": "stop_rest"}
    shop = write("one\ntwo\nthree", pacing=PACED, personas={"ava": persona})
    shop.work(turns=2)
    shop.parts.store.inbox.accept(say("wait"))
    shop.work()
    assert said() == [
        ("lead", ("one\ntwo\nthree",)),
        ("lead", ("wait",)),
        ("persona", ("You said: one", "You said: two")),
        ("persona", ("You said: wait",)),
    ]


def test_nothing_of_what_did_not_arrive(write, said):
    shop = write("hi")
    shop.fail(FaultKind.ANSWER, service="captivate", status=422)
    assert "delivery refused" in shop.run()
    assert said() == [("lead", ("hi",))]


def test_an_end_without_an_answer(write, said):
    shop = write("hi")
    shop.fail(FaultKind.ANSWER, service="fluidtalk", status=400, body={"detail": "DONE"})
    shop.work()
    assert said() == [("lead", ("hi",))]


def test_the_hourly_upkeep_deletes_what_is_too_old(write, store, lead, said):
    shop = write("long ago")
    shard = store.keys.of(lead)
    lines, index = transcript_key(store.keys, lead), shard.key("transcripts")
    store.redis.lset(lines, 0, "1 " + store.redis.lindex(lines, 0).split(" ", 1)[1])
    store.redis.zadd(index, {lead.name: 1})
    shop.parts.upkeep.trim()
    assert (store.redis.exists(lines), store.redis.exists(index)) == (0, 0)
