"""A person speaks in the persona's place: through the same delivery as a reply, with its own name for the channel."""

from __future__ import annotations

import pytest

from simulation.upstreams.faults import FaultKind
from worker.domain.vocabulary import Cause
from worker.store.operator.operator_messages import Said


@pytest.fixture
def claimed(shop, say, store, lead):
    """A message of the lead waits, and kim has claimed the conversation."""
    shop.producer.enqueue(say("where is my parcel?"))
    assert store.takeovers.claim(lead, "kim").status == "claimed"
    return shop


@pytest.fixture
def tell(store, lead):
    """Kim says something."""

    def run(text, **more) -> Said:
        said: Said = store.operator_messages.say(lead, "kim", text, **more)
        assert said.status == "accepted", said
        return said

    return run


def test_it_arrives_in_order_without_a_call_and_the_lead_is_answered_after_hand_back(claimed, tell, store, lead):
    tell("I am looking for it")
    tell("It comes tomorrow")
    assert [phrase for phrase in claimed.work(turns=3) if phrase == "answered"] == ["answered"] * 2
    assert (claimed.texts(), claimed.asked()) == ([["I am looking for it"], ["It comes tomorrow"]], [])
    assert len({delivery.idempotency_key for delivery in claimed.delivered()}) == 2
    store.takeovers.hand_back(lead, "joined")
    assert claimed.work() == ["answered"]
    assert claimed.texts()[2:] == [["You said: where is my parcel?"]]
    assert claimed.fates() == {"answered": 3}


def test_a_failed_delivery_is_repeated_under_the_same_name(claimed, tell, store, lead):
    claimed.fail(FaultKind.ANSWER, service="captivate", status=503, first=1)
    tell("one moment")
    assert claimed.run().startswith("held")
    claimed.let_holds_run_out()
    assert claimed.run().startswith("answered")
    assert claimed.texts() == [["one moment"]]


def test_an_unconfirmed_delivery_is_sent_again_with_the_same_key(claimed, tell, upstreams):
    claimed.fail(FaultKind.ACT_THEN_DROP, service="captivate", first=1)
    tell("one moment")
    claimed.run()
    claimed.let_holds_run_out()
    assert claimed.run().startswith("answered")
    calls = [call for call in upstreams.calls() if call.service == "captivate"]
    assert len(calls) == 2
    assert len({call.idempotency_key for call in calls}) == 1


def test_what_the_channel_refuses_is_a_dead_letter_and_needs_no_further_person(make_shop, say, store, lead):
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "on_dead": {"action": "escalate_to_human"}}})
    shop.producer.enqueue(say("hi"))
    store.takeovers.claim(lead, "kim")
    shop.fail(FaultKind.ANSWER, service="captivate", status=422)
    event_id = store.operator_messages.say(lead, "kim", "hello").event_id
    assert "delivery refused" in shop.run()
    (letter,) = store.dead_letters.newest(10)
    assert (letter.event_id, letter.kind) == (event_id, "operator_message")
    assert shop.texts() == []


def test_it_plans_no_follow_up_also_after_hand_back(make_shop, say, store, lead):
    shop = make_shop(follow_ups={"delays_seconds": [3600]})
    shop.producer.enqueue(say("hi"))
    store.takeovers.claim(lead, "kim")
    store.operator_messages.say(lead, "kim", "hello")
    store.takeovers.hand_back(lead, "none")
    assert shop.work() == ["answered"]
    assert store.follow_ups.state_of(lead).due == 0


def test_a_sealed_conversation_can_be_spoken_in(claimed, tell, store, lead):
    store.seals.seal(lead, "kim")
    tell("good bye")
    assert claimed.run().startswith("answered")
    assert claimed.texts() == [["good bye"]]


def test_a_stop_in_between_keeps_it_back(claimed, tell, say, store):
    tell("a last try")
    claimed.producer.enqueue(say("STOP"))
    assert claimed.run().startswith("skipped")
    assert claimed.texts() == []


def test_a_word_on_purpose_goes_out_and_one_that_fails_is_a_dead_letter(claimed, tell, store, lead):
    store.consents.write(lead, "out", "lou")
    claimed.fail(FaultKind.ANSWER, service="captivate", status=422, first=1)
    tell("as you asked: it is done", anyway=True)
    claimed.run()
    assert [letter.cause.partition(" ")[0] for letter in store.dead_letters.newest(10)] == [Cause.DELIVERY_REFUSED]
    tell("it is done", anyway=True)
    assert claimed.run().startswith("answered")
    assert claimed.texts() == [["it is done"]]


def test_an_opt_out_for_all_personas_counts_too(make_shop, say, store, lead, make_store):
    consent = {"scope": "lead"}
    shop, own = make_shop(consent=consent), make_store(consent=consent)
    shop.producer.enqueue(say("hi"))
    own.takeovers.claim(lead, "kim")
    own.consents.write_for_all(lead.target, "out", "", "lou")
    assert own.operator_messages.say(lead, "kim", "hello").status == "opted_out"
    own.consents.write_for_all(lead.target, "in", "", "lou")
    assert own.operator_messages.say(lead, "kim", "hello").status == "accepted"
    own.consents.write_for_all(lead.target, "out", "", "lou")
    assert shop.run().startswith("skipped")
    assert own.operator_messages.say(lead, "kim", "hello", anyway=True).status == "accepted"
    assert shop.run().startswith("answered")
    assert shop.texts() == [["hello"]]
