"""What a turn counts."""

from __future__ import annotations

import pytest

from simulation.upstreams.faults import FaultKind
from worker.domain.events import AiOpener
from worker.domain.reasons import of_farewell, read
from worker.domain.vocabulary import Cause
from worker.observability import metrics

STEPS = ("begin", "record", "settle", "hold")


def test_an_answered_turn(shop, say, counted):
    shop.producer.enqueue(say())
    shop.work()
    assert counted("parley_turns_total", "ava", "inbound_chat", "answered") == 1
    assert counted("parley_turn_seconds_count", "ava") == 1
    assert counted("parley_ask_seconds_count", "ava") == 1
    assert counted("parley_answer_seconds_count", "ava") == 1
    assert counted("parley_deliver_seconds_count") == 1
    assert [counted("parley_store_seconds_count", step) for step in ("begin", "record", "settle", "hold")] == [
        2,
        1,
        1,
        0,
    ]
    assert counted("parley_doorbells_total", "granted") == 1
    assert counted("parley_doorbells_total", "empty") == 1
    assert counted("parley_http_calls_total", "fluidtalk", "2xx") == 1
    assert counted("parley_http_calls_total", "captivate", "2xx") == 1
    assert counted("parley_turns_running") == 0


def test_a_hold_and_its_cause(shop, say, counted):
    shop.fail(status=429, service="fluidtalk", first=1)
    shop.producer.enqueue(say())
    shop.work()
    assert counted("parley_turns_total", "ava", "inbound_chat", "held") == 1
    assert counted("parley_holds_total", "ava", "persona_throttled") == 1
    assert counted("parley_http_calls_total", "fluidtalk", "4xx") == 1
    assert counted("parley_turns_total", "ava", "inbound_chat", "answered") == 1


def test_a_dead_letter_counts_each_event_of_its_group(shop, say, counted):
    shop.fail(status=422)
    shop.producer.enqueue_many([say("a"), say("b")])
    shop.work()
    assert counted("parley_dead_letters_total", "ava", "persona_refused") == 2
    assert counted("parley_turns_total", "ava", "inbound_chat", "dead") == 1
    assert counted("parley_answer_seconds_count", "ava") == 0


def test_what_was_skipped_and_why(shop, say, counted):
    shop.producer.enqueue(say("stop"))
    shop.producer.enqueue(say(kind=AiOpener))
    shop.work()
    assert counted("parley_skipped_total", "ava", "opted_out") == 2


def test_an_unknown_outcome_and_its_operation(shop, say, counted):
    shop.fail(FaultKind.ACT_THEN_DROP, service="fluidtalk", first=1)
    shop.producer.enqueue(say())
    shop.work()
    assert counted("parley_unknown_outcomes_total", "ava", "inbound_chat") == 1
    assert counted("parley_http_calls_total", "fluidtalk", "unanswered") == 1


def test_an_unknown_delivery(shop, say, counted):
    shop.fail(FaultKind.ACT_THEN_DROP, service="captivate", first=1)
    shop.producer.enqueue(say())
    shop.work()
    assert counted("parley_unknown_outcomes_total", "ava", "delivery") == 1
    assert counted("parley_holds_total", "ava", "channel_unknown") == 1


def test_what_was_refused_at_the_door(shop, counted):
    shop.parts.intake.accept({"kind": "inbound_chat", "persona": "PLANTED", "target": "@lead"}, "message-1")
    assert counted("parley_dead_letters_total", "other", "refused_at_the_door") == 1
    assert "PLANTED" not in str(list(metrics.worker_registry().collect()))


def test_a_turn_that_ends_by_an_exception_is_counted(counted):
    with pytest.raises(ZeroDivisionError), metrics.Turn("ava", "inbound_chat", 0.0):
        _ = 1 / 0
    assert counted("parley_turns_total", "ava", "inbound_chat", "other") == 1
    assert counted("parley_turns_running") == 0


@pytest.mark.parametrize(
    ("told", "outcome"),
    [("answered", "answered"), ("dead", "dead"), ("held", "held"), ("left", "left"), ("kept", "other")],
)
def test_the_outcomes_of_turns_are_a_closed_set(counted, told, outcome):
    with metrics.Turn("ava", "ai_opener", 0.0) as turn:
        turn.ended(told)
    assert counted("parley_turns_total", "ava", "ai_opener", outcome) == 1


# The beginnings by which 0.1.0 labels a death; it reads them from a farewell that it finds stored.
LABELS_OF_0_1_0 = {
    "refused by the persona": "persona_refused",
    "bad reply": "bad_reply",
    "outcome unknown": "outcome_unknown",
    "gave up after": "gave_up",
    "poison": "poison",
    "image cannot be hosted": "image",
    "delivery refused by the channel": "delivery_refused",
    "delivery unconfirmed": "delivery_unconfirmed",
}


@pytest.mark.parametrize(
    "cause",
    [
        Cause.PERSONA_REFUSED,
        Cause.BAD_REPLY,
        Cause.OUTCOME_UNKNOWN,
        Cause.GAVE_UP,
        Cause.POISON_ASKING,
        Cause.POISON_DELIVERING,
        Cause.POISON_ERROR,
        Cause.IMAGE_MISSING,
        Cause.DELIVERY_REFUSED,
        Cause.DELIVERY_UNCONFIRMED,
    ],
)
def test_both_releases_give_a_farewell_the_same_label(counted, cause):
    reason = of_farewell(cause, "status=422")
    (label,) = [label for beginning, label in LABELS_OF_0_1_0.items() if reason.startswith(beginning)]
    metrics.died("ava", read(reason).cause)
    assert counted("parley_dead_letters_total", "ava", label) == 1


def test_a_zone_that_cannot_be_read(make_shop, say, channel, counted):
    shop = make_shop(quiet_hours={"start": "21:00", "end": "09:00"})
    for zone, count in (("Mars/Olympus", 1), ("asia/kolkata", 1), (None, 1), ("Mars/Olympus", 2)):
        meta = {"internal": {"channelMetadata": {"custom": {"timezone": zone}}}}
        shop.producer.enqueue(say(channel={**channel, "metadata": meta}))
        shop.work()
        assert counted("parley_lead_zones_unreadable_total", "ava") == count
