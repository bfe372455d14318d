"""Each content has an Idempotency-Key of its own, the same for each time that it is sent."""

from __future__ import annotations

import base64
import hashlib

import pytest

from simulation.upstreams.faults import FaultKind
from worker.store import Store

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))
ESCALATES = {"ava": {"api_key": "ft_sk_ava", "on_dead": {"action": "escalate_to_human"}}}


@pytest.fixture
def keys(upstreams):
    """The keys of all deliveries in order."""
    return lambda: [delivery.idempotency_key for delivery in upstreams.deliveries("session-1")]


def test_the_answer_after_a_farewell_has_another(make_shop, say, lead, store, upstreams, keys):
    shop = make_shop(personas=ESCALATES)
    shop.fail(status=422, nth=1, service="fluidtalk")
    shop.producer.enqueue(say("a", event_id="e1"))
    assert shop.work()[-1].startswith("dead")
    store.takeovers.hand_back(lead, "joined")
    store.dead_letters.replay(lead, "e1", "append")
    assert shop.work()[-1] == "answered"
    farewell, answer = keys()
    assert farewell != answer


def test_the_answer_to_an_event_whose_id_came_before_a_forget_has_another(shop, say, lead, store, keys):
    for _ in range(2):
        shop.producer.enqueue(say("a", event_id="e1"))
        assert shop.work() == ["answered"]
        store.forgetting.forget(lead, store.forgetting.traces(lead))
    first, second = keys()
    assert first != second


def test_the_answer_to_an_event_that_comes_after_the_dedupe_window_has_another(shop, say, lead, store, keys):
    for _ in range(2):
        shop.producer.enqueue(say("a", event_id="e1"))
        assert shop.work() == ["answered"]
        store.redis.delete(store.keys.of(lead).journal(lead, "e1"))
    first, second = keys()
    assert first != second


def test_a_reply_that_is_encrypted_anew_keeps_its_key(make_shop, make_settings, say, upstreams, keys):
    shop = make_shop(encryption={"keys": [OLD]})
    shop.fail(FaultKind.ACT_THEN_DROP, nth=1, service="captivate")
    shop.producer.enqueue(say("a"))
    shop.work(turns=1)
    both = {"encryption": {"keys": [NEW, OLD]}}
    rotating = Store(make_settings(**both))
    *_, tally = rotating.rotation.run()
    assert tally.changed
    make_shop(**both).work()
    first, second = keys()
    assert first == second
    rotating.close()


def test_a_reply_that_the_release_before_stored_keeps_its_key(shop, say, lead, store, keys):
    shop.fail(FaultKind.ACT_THEN_DROP, nth=1, service="captivate")
    shop.producer.enqueue(say("a", event_id="e1"))
    shop.work(turns=1)
    store.redis.hdel(store.keys.of(lead).journal(lead, "e1"), "reply_id")
    shop.work()
    assert keys()[-1] == hashlib.sha256(b"ava:@lead e1").hexdigest()[:32]


@pytest.mark.parametrize("alive", [True, False])
def test_while_a_worker_of_the_release_before_runs_it_is_the_one_that_this_knows(make_shop, say, store, keys, alive):
    until = store.follow_ups.now() + (60_000 if alive else -1)
    store.redis.zadd("parley:alive", {"worker host:1": until, "beat host:2": until + 120_000})
    store.processes.sign("worker", 60)
    shop = make_shop()
    shop.producer.enqueue(say("a", event_id="e1"))
    shop.work()
    assert (keys() == [hashlib.sha256(b"ava:@lead e1").hexdigest()[:32]]) == alive
