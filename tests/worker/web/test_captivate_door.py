"""Captivate's requests that go to the store together."""

from __future__ import annotations

import logging

import pytest

from worker.domain.conversation import Conversation
from worker.domain.unexpected import UnexpectedErrors
from worker.pipeline.producer import Producer
from worker.web.captivate import Answer, CaptivateDoor, Posted
from worker.web.problems import Problem
from worker.web.rates import Bucket
from worker.web.receipts import Receipts
from worker.web.sending import Door
from worker.web.sources import Source

SHOP = Source("shop", None, None, Bucket(1, 1), signs=False)


class Broken(dict):
    """A request that an error of our own stumbles over."""

    def get(self, name, default=None):
        raise ZeroDivisionError("SECRET")


@pytest.fixture
def take(make_settings, store):
    """Post these requests at once; each is a persona, a payload and the id of the request."""
    settings = make_settings()
    producer = Producer(settings, store=store)
    unexpected = UnexpectedErrors(logging.getLogger("parley.ingress"), "ingress")
    door = CaptivateDoor(settings, store, producer, Door(producer, Receipts(lambda: bytes(64)), unexpected))
    return lambda *requests: door.many([Posted(SHOP, *request) for request in requests])


def says(words, session="session-1"):
    return {"session_id": session, "user_input": words, "metadata": {"of": session}}


def test_each_gets_its_own_answer_in_order_and_no_error_takes_another_one_with_it(take, caplog):
    answers = take(
        ("ava", says("hi"), ""),
        ("ava", Broken(), ""),
        ("zoe", says("hi"), ""),
        ("ava", ["no object"], ""),
        ("ava", {"user_input": "no session"}, ""),
        ("ava", says("hello", "session-2"), "request-2"),
    )
    assert [each.status if isinstance(each, Problem) else each.receipt["status"] for each in answers] == [
        "accepted",
        500,
        404,
        422,
        422,
        "accepted",
    ]
    first, last = answers[0], answers[-1]
    assert isinstance(first, Answer)
    assert (first.body["session_id"], last.body["session_id"]) == ("session-1", "session-2")
    assert last.receipt["event_id"] == "request-2"
    assert "ZeroDivisionError" in caplog.text
    assert "SECRET" not in caplog.text


def test_the_same_one_twice_in_one_round_trip_is_one_event_and_each_session_is_one_lead(take, store):
    answers = take(*[("ava", says(words), "") for words in ("one", "one", "two")])
    assert [each.receipt["status"] for each in answers] == ["accepted", "duplicate", "accepted"]
    (name,) = [name for shard in store.keys.shards for name in store.redis.zrange(shard.agenda, 0, -1)]
    conversation = Conversation.of_name(name)
    inbox = store.redis.lrange(store.keys.of(conversation).inbox(conversation), 0, -1)
    assert inbox == [answers[0].receipt["event_id"], answers[2].receipt["event_id"]]
    (kept,) = store.sessions.targets_of([("ava", "session-1")])
    assert (kept.target, kept.is_fresh) == (conversation.target, True)


def test_nothing_is_kept_of_a_session_whose_event_is_refused(take, store):
    (problem,) = take(("ava", says("x" * 200_000), ""))
    assert (problem.status, problem.kind) == (422, "refused")
    (kept,) = store.sessions.targets_of([("ava", "session-1")])
    assert kept.target is None
