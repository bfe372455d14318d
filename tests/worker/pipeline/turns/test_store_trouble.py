"""The store does not answer in the middle of a turn: what the upstreams did is not lost and not done again."""

from __future__ import annotations

import pytest

from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener
from worker.pipeline import failpoints
from worker.store import StoreError
from worker.store.conversations.agenda import Agenda
from worker.store.conversations.turn_steps import TurnSteps
from worker.store.personas.places import Places
from worker.store.personas.ramp import Outreach


@pytest.fixture
def away(monkeypatch):
    """Let the store not answer the next calls of one step. Returns those that are left."""

    def make(part, step, times=2):
        left = [StoreError("away")] * times
        call = getattr(part, step)

        def perhaps(self, *arguments, **options):
            if left:
                raise left.pop()
            return call(self, *arguments, **options)

        monkeypatch.setattr(part, step, perhaps)
        return left

    return make


@pytest.mark.parametrize("step", ["record", "settle"])
def test_an_answer_in_hand_is_stored_as_soon_as_the_store_is_back(shop, say, away, step):
    left = away(TurnSteps, step)
    shop.producer.enqueue(say("a"))
    assert shop.run().startswith("answered")
    assert left == []
    assert (len(shop.asked()), shop.texts()) == (1, [["You said: a"]])
    assert shop.fates() == {"answered": 1}


def test_a_hold_is_stored_as_soon_as_the_store_is_back(shop, say, away):
    left = away(TurnSteps, "hold")
    shop.fail(status=429, nth=1, service="fluidtalk")
    shop.producer.enqueue(say("a"))
    assert shop.run().startswith("held for")
    assert left == []
    assert shop.work()[-1] == "answered"


def test_an_opener_that_ended_is_counted_as_soon_as_the_store_is_back(shop, say, away, store):
    left = away(Outreach, "count")
    shop.producer.enqueue(say(kind=AiOpener))
    assert shop.work() == ["answered"]
    assert left == []
    assert store.outreach.state("ava").counted == 1


def test_an_answer_is_delivered_although_a_gate_could_not_be_noted(make_shop, say, away):
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "calls_at_once": 5}})
    away(Places, "release", times=1)
    shop.producer.enqueue(say("a"))
    assert shop.run().startswith("answered")
    assert shop.texts() == [["You said: a"]]


def test_a_doorbell_of_a_store_that_is_away_is_used_up_and_no_error(shop, say, away):
    """The agenda rings again."""
    away(TurnSteps, "begin", times=1)
    shop.producer.enqueue(say("a"))
    assert shop.run().startswith("left: store")
    assert shop.work() == ["answered"]


def test_a_store_that_stays_away_ends_the_turn_and_the_next_one_goes_on_from_the_journal(
    make_shop, say, lose_lease_now
):
    shop = make_shop(worker={"store_wait_seconds": 0.1})
    shop.producer.enqueue(say("a"))
    with pytest.MonkeyPatch.context() as patch:

        def never(*arguments, **options):
            raise StoreError("away")

        patch.setattr(TurnSteps, "settle", never)
        assert shop.run().startswith("left: store")
    lose_lease_now()
    assert shop.work() == ["answered"]
    assert len(shop.asked()) == 1, "its reply was stored"
    assert len({delivery.idempotency_key for delivery in shop.delivered()}) == 1


def test_turns_that_cannot_be_handed_over_are_left_to_their_leases(shop, say, away, stand_still, caplog):
    away(TurnSteps, "hand_over", times=1)
    stand_still("before ask", shop.parts.turns.hand_over)
    shop.producer.enqueue(say("a"))
    shop.run()
    assert "turns left to their leases: store unreachable (RedisError)" in caplog.text


def test_a_turn_that_is_handed_over_gives_its_place_back(make_shop, say, stand_still, store, eventually):
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "calls_at_once": 1}})
    other, others = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "calls_at_once": 1}}), []

    def meanwhile():
        shop.parts.turns.hand_over()
        others.extend(other.work())

    stand_still("before ask", meanwhile)
    shop.producer.enqueue(say("a"))
    shop.run()
    assert others == ["answered"]


def test_the_slot_of_a_turn_that_is_torn_down_is_free_again(make_shop, say, monkeypatch, lose_lease_now):
    """Its thread gets a signal, or the interpreter ends."""
    shop = make_shop(worker={"concurrency": 1})
    shop.producer.enqueue(say("a"))
    with monkeypatch.context() as patched:
        patched.setattr(failpoints, "reached", stop)
        with pytest.raises(KeyboardInterrupt):
            shop.run()
    lose_lease_now()
    assert shop.work()[-1] == "answered"


def stop(_):
    raise KeyboardInterrupt


def test_a_store_that_is_away_for_several_turns_is_told_once(shop, say, away, caplog):
    away(TurnSteps, "begin", times=3)
    shop.producer.enqueue(say("a"))
    assert [shop.run().startswith("left: store") for _ in range(3)] == [True] * 3
    assert caplog.text.count("turns left: store") == 1


def test_outreach_that_cannot_be_given_back_is_left_to_the_agenda(make_shop, say, away, stand_still, caplog):
    shop = make_shop(worker={"concurrency": 1})
    crowd = [Conversation("ava", f"@{number}") for number in range(4)]

    def meanwhile():
        away(Agenda, "give_back", times=1)
        for conversation in crowd:
            shop.parts.turns.run(*conversation, "outreach")

    stand_still("before ask", meanwhile)
    shop.producer.enqueue(say("a"))
    shop.run()
    assert "a doorbell that found no slot will be sent again" in caplog.text
