"""How often one lead hears from all personas together, on a real server whose clock runs ahead."""

from __future__ import annotations

import threading

import pytest

from worker.domain.conversation import Conversation
from worker.store.redis.ahead import advance

HOUR, DAY = 3600, 86_400
AVA, BEA = Conversation("ava", "@lead"), Conversation("bea", "@lead")


@pytest.fixture
def make_capped(make_store):
    """A store with caps."""

    def make(per_day=None, per_week=None):
        return make_store(ahead=True, frequency={"per_lead_per_day": per_day, "per_lead_per_week": per_week})

    return make


def wait_of(store, conversation, event_id):
    """Seconds that one event has to wait."""
    (wait,) = store.frequency.waits_of([(conversation, event_id)])
    return wait


def end(store, conversation, event_id, sent):
    store.frequency.ended([(conversation, event_id)], sent=sent)


def send(store, event_id, conversation=AVA):
    """Reserve and send; False when it has to wait."""
    if wait_of(store, conversation, event_id):
        return False
    end(store, conversation, event_id, sent=True)
    return True


def test_without_a_cap_the_store_is_not_asked(make_capped):
    store = make_capped()
    assert not store.frequency.is_capped
    assert store.frequency.waits_of([(AVA, "1"), (BEA, "2")]) == [0.0, 0.0]
    end(store, AVA, "1", sent=True)
    assert not store.redis.keys("parley:*")


def test_all_personas_share_the_cap_and_other_leads_have_their_own(make_capped):
    store = make_capped(per_day=2)
    assert [send(store, "1"), send(store, "2", BEA), send(store, "3"), send(store, "3", BEA)] == [
        True,
        True,
        False,
        False,
    ]
    assert send(store, "1", Conversation("ava", "@other"))


def test_the_day_is_any_24_hours_and_the_wait_is_exact(make_capped):
    store = make_capped(per_day=2)
    send(store, "1")
    advance(store.redis, 10 * HOUR)
    send(store, "2")
    wait = wait_of(store, AVA, "3")
    assert wait == pytest.approx(14 * HOUR, abs=5)
    advance(store.redis, wait)
    assert send(store, "3")
    assert wait_of(store, AVA, "4") == pytest.approx(10 * HOUR, abs=5)


def test_a_month_keeps_both_caps(make_capped):
    store = make_capped(per_day=2, per_week=5)
    sent = []
    for hour in range(30 * 24):
        if send(store, f"{hour}", AVA if hour % 2 else BEA):
            sent.append(hour)
        advance(store.redis, HOUR)
    assert len(sent) == pytest.approx(30 / 7 * 5, abs=5)
    assert all(later - earlier >= 24 for earlier, later in zip(sent, sent[2:], strict=False))
    assert all(later - earlier >= 7 * 24 for earlier, later in zip(sent, sent[5:], strict=False))


def test_what_was_not_sent_is_given_back(make_capped):
    store = make_capped(per_day=1)
    assert wait_of(store, AVA, "1") == 0
    assert wait_of(store, BEA, "2") > 0
    end(store, AVA, "1", sent=False)
    assert wait_of(store, BEA, "2") == 0


def test_what_was_sent_is_not_given_back(make_capped):
    store = make_capped(per_day=1)
    send(store, "1")
    end(store, AVA, "1", sent=False)
    assert not send(store, "2")


def test_one_event_reserves_once_however_often_it_asks(make_capped):
    store = make_capped(per_day=2)
    assert [wait_of(store, AVA, "1") for _ in range(5)] == [0.0] * 5
    assert wait_of(store, BEA, "2") == 0
    assert [wait_of(store, AVA, "1"), wait_of(store, BEA, "2")] == [0.0, 0.0]
    for _ in range(3):
        end(store, AVA, "1", sent=True)
    assert wait_of(store, BEA, "3") > 0


def test_a_worker_that_vanished_gives_it_back_by_an_end(make_capped):
    store = make_capped(per_day=1)
    wait_of(store, AVA, "1")
    advance(store.redis, HOUR - 5)
    assert wait_of(store, BEA, "2") > 0
    advance(store.redis, 10)
    assert wait_of(store, BEA, "2") == 0


def test_of_many_at_once_as_many_go_as_the_cap_allows(make_capped):
    store = make_capped(per_day=3)
    gone = []

    def run(number):
        if not wait_of(store, Conversation(f"p{number}", "@lead"), "e"):
            gone.append(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(gone) == 3


def test_nothing_of_it_stays_for_longer_than_a_week(make_capped):
    store = make_capped(per_week=1)
    send(store, "1")
    keys = store.keys.lead_keys("@lead")
    assert 0 < store.redis.pttl(keys.told) <= 7 * DAY * 1000


def test_each_script_touches_one_slot(store):
    keys = store.keys.lead_keys("@lead}{x")
    assert {key[: key.index("}") + 1] for key in keys} == {f"parley:{{{store.keys.home('@lead}{x').tag}}}"}


def test_forgetting_a_conversation_leaves_no_name_of_it(make_capped):
    store = make_capped(per_day=5)
    send(store, "1")
    wait_of(store, AVA, "2")
    send(store, "1", BEA)
    store.forgetting.forget(AVA, store.forgetting.traces(AVA))
    keys = store.keys.lead_keys("@lead")
    assert store.redis.zrange(keys.told, 0, -1) == [f"1 {BEA.name}"]
    assert store.redis.zrange(keys.reserved, 0, -1) == []
