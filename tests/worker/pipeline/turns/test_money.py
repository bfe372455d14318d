"""Purchases, refunds and chargebacks are told to the persona: in order, once for the server, and to nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulation.upstreams.control import SimulatedUpstreams
from simulation.upstreams.faults import FaultKind
from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, EventTrigger, InboundChat, MoneyEvent
from worker.domain.refusals import InvalidEvent, MissingChannel, TooLarge
from worker.pipeline.celery_intake import Intake
from worker.store import Store

CLEO = Conversation("cleo", "instagram/mark")
TOLD = "answered: the persona was told; nothing is said to the lead"


@pytest.fixture
def paid() -> Callable[..., Any]:
    """The lead mark paid."""
    return lambda **fields: MoneyEvent(**{"persona": "cleo", "target": "mark", "event_type": "purchase", **fields})


@pytest.fixture
def says(channel: dict[str, Any]) -> Callable[..., Any]:
    """The lead mark wrote."""
    return lambda message: InboundChat(persona="cleo", target="mark", channel=channel, message=message)


def actions(shop: Any) -> list[str]:
    return [call.path.rpartition("/")[2] for call in shop.asked()]


def test_a_purchase_is_told_as_it_came(cleo: Any, paid: Callable[..., Any]) -> None:
    event = paid(amount="19.90", currency="EUR", raw={"invoice": "i-1"}, external_event_id="pay_1")
    cleo.producer.enqueue(event)
    assert cleo.work(CLEO) == [TOLD]
    [call] = cleo.asked()
    assert (call.path, call.fields) == (
        "/api/v1/characters/events",
        {
            "platform": "instagram",
            "handle": "mark",
            "event_type": "purchase",
            "external_event_id": "pay_1",
            "amount": 19.9,
            "currency": "EUR",
            "raw": {"invoice": "i-1"},
        },
    )
    assert cleo.fates() == {"answered": 1}


def test_what_was_not_given_is_left_out(cleo: Any, paid: Callable[..., Any]) -> None:
    cleo.producer.enqueue(paid(event_type="chargeback"))
    cleo.work(CLEO)
    [call] = cleo.asked()
    assert sorted(call.fields) == ["event_type", "external_event_id", "handle", "platform"]
    assert len(call.fields["external_event_id"]) == 32


def test_it_keeps_its_place_between_the_messages(cleo: Any, says: Callable[..., Any], paid: Callable[..., Any]) -> None:
    for event in (says("one"), paid(amount=5), says("two"), says("three"), paid(event_type="refund", amount=5)):
        cleo.producer.enqueue(event)
    assert cleo.work(CLEO) == ["answered", TOLD, "answered, joined 1", TOLD]
    assert actions(cleo) == ["chat", "events", "chat", "events"]
    assert len(cleo.texts()) == 2


def test_nothing_is_delivered_and_no_channel_is_needed(cleo: Any, paid: Callable[..., Any], channel: Any) -> None:
    cleo.producer.enqueue(paid())
    assert cleo.work(CLEO) == [TOLD]
    assert cleo.delivered() == []
    with pytest.raises(MissingChannel):
        cleo.producer.enqueue(AiOpener(persona="cleo", target="mark"))


def test_a_channel_that_comes_with_it_is_remembered(cleo: Any, paid: Callable[..., Any], channel: Any) -> None:
    cleo.producer.enqueue(paid(channel=channel))
    cleo.work(CLEO)
    cleo.producer.enqueue(AiOpener(persona="cleo", target="mark"))
    assert cleo.work(CLEO) == ["answered"]


def test_a_purchase_starts_no_conversation_and_no_cadence(
    make_cleo: Callable[..., Any], paid: Callable[..., Any], store: Store
) -> None:
    cleo = make_cleo({"follow_ups": {"delays_seconds": (60,)}})
    cleo.producer.enqueue(paid())
    cleo.work(CLEO)
    state = store.redis.hgetall(store.keys.of(CLEO).conversation(CLEO))
    assert "started" not in state
    assert "last_inbound" not in state
    assert store.redis.zcard(store.keys.of(CLEO).follow_ups) == 0


def test_twice_the_same_event_is_one(cleo: Any, paid: Callable[..., Any]) -> None:
    assert cleo.producer.enqueue(paid(event_id="p-1")).status == "accepted"
    assert cleo.producer.enqueue(paid(event_id="p-1")).status == "duplicate"
    cleo.work(CLEO)
    assert len(cleo.asked()) == 1


# No rule for messages holds for it


def test_no_quiet_hours_and_an_opener_that_waits_for_the_morning_gives_way(
    make_cleo: Callable[..., Any], paid: Callable[..., Any], channel: Any
) -> None:
    now = datetime.now(UTC)
    start, end = ((now + timedelta(hours=hours)).strftime("%H:%M") for hours in (-2, 2))
    cleo = make_cleo(quiet_hours={"start": start, "end": end})
    cleo.producer.enqueue(AiOpener(persona="cleo", target="mark", channel=channel))
    assert cleo.run(CLEO).startswith("held")
    cleo.producer.enqueue(paid())
    assert [phrase.partition(":")[0] for phrase in cleo.work(CLEO)] == ["skipped", "answered"]
    assert actions(cleo) == ["events"]


@pytest.mark.parametrize("consent", [{"later_messages": "silence"}, {"outreach": "only_opted_in"}, {"scope": "lead"}])
def test_a_lead_who_opted_out_still_pays(
    make_cleo: Callable[..., Any], says: Callable[..., Any], paid: Callable[..., Any], consent: dict[str, Any]
) -> None:
    cleo = make_cleo(consent=consent)
    cleo.producer.enqueue(says("STOP"))
    cleo.work(CLEO)
    cleo.producer.enqueue(paid())
    assert cleo.work(CLEO) == [TOLD]


def test_caps_do_not_count_it(
    make_cleo: Callable[..., Any], says: Callable[..., Any], paid: Callable[..., Any]
) -> None:
    cleo = make_cleo({"frequency": {"per_lead_per_day": 1}})
    for number in range(3):
        cleo.producer.enqueue(paid(amount=number))
    assert cleo.work(CLEO) == [TOLD] * 3
    cleo.producer.enqueue(says("hi"))
    cleo.work(CLEO)
    cleo.producer.enqueue(EventTrigger(persona="cleo", target="mark", event_type="new_follower"))
    assert cleo.work(CLEO) == ["answered"], "the one of the day"


def test_it_is_told_during_a_takeover_and_not_dropped_at_its_end(
    cleo: Any, says: Callable[..., Any], paid: Callable[..., Any], store: Store
) -> None:
    cleo.producer.enqueue(says("one"))
    cleo.work(CLEO)
    store.takeovers.claim(CLEO, "kim")
    cleo.producer.enqueue(paid(amount=1))
    assert cleo.work(CLEO) == [TOLD]
    cleo.producer.enqueue(says("two"))
    cleo.producer.enqueue(paid(amount=2))
    assert cleo.run(CLEO).startswith("taken over"), "in order: the message waits, and what is behind it"
    assert store.takeovers.hand_back(CLEO, "none").dropped == 1
    assert cleo.work(CLEO) == [TOLD]
    assert [call.fields["amount"] for call in cleo.asked() if call.path.endswith("/events")] == [1, 2]
    assert cleo.fates() == {"answered": 3, "skipped": 1}


def test_a_sealed_conversation_does_not_keep_it(
    cleo: Any, says: Callable[..., Any], paid: Callable[..., Any], store: Store
) -> None:
    cleo.producer.enqueue(says("one"))
    cleo.work(CLEO)
    store.seals.seal(CLEO, "kim")
    cleo.producer.enqueue(paid(event_type="refund"))
    assert cleo.work(CLEO) == [TOLD]


def test_an_empty_wallet_does_not_keep_it_and_it_opens_nothing(
    cleo: Any, says: Callable[..., Any], paid: Callable[..., Any], upstreams: SimulatedUpstreams
) -> None:
    upstreams.set_credits("cleo", 0)
    cleo.producer.enqueue(says("one"))
    cleo.run(CLEO)
    eve = Conversation("cleo", "instagram/eve")
    cleo.producer.enqueue(paid(target="eve"))
    assert cleo.work(eve) == [TOLD]
    asked = len(cleo.asked())
    cleo.producer.enqueue(says("two"))
    assert cleo.run(CLEO).startswith("held")
    assert len(cleo.asked()) == asked, "the gate is still closed"


# What goes wrong


@pytest.mark.parametrize("kind", [FaultKind.DROP, FaultKind.ACT_THEN_DROP])
def test_an_unknown_outcome_is_told_again_under_the_same_id_until_it_is_known(
    cleo: Any, paid: Callable[..., Any], kind: FaultKind
) -> None:
    cleo.fail(kind, persona="cleo", first=7)
    cleo.producer.enqueue(paid(amount=5))
    assert cleo.work(CLEO)[-1] == TOLD
    calls = cleo.asked()
    assert len(calls) == 8
    assert len({call.fields["external_event_id"] for call in calls}) == 1
    assert sum(1 for call in calls if call.acted) == 1, "the server counts it once"
    assert cleo.fates() == {"answered": 1}


@pytest.mark.parametrize(
    "answer", [{"status": 500}, {"status": 409}, {"status": 429}, {"status": 503}, {"status": 200, "body": "<html>"}]
)
def test_what_may_pass_is_told_again(cleo: Any, paid: Callable[..., Any], answer: dict[str, Any]) -> None:
    cleo.fail(persona="cleo", first=1, **answer)
    cleo.producer.enqueue(paid())
    assert cleo.work(CLEO)[-1] == TOLD


@pytest.mark.parametrize("status", [400, 403, 404, 410, 422])
def test_a_refusal_is_a_dead_letter_and_touches_nothing_else(
    make_cleo: Callable[..., Any], says: Callable[..., Any], paid: Callable[..., Any], status: int
) -> None:
    cleo = make_cleo(on_dead={"action": "escalate_to_human"})
    cleo.producer.enqueue(says("one"))
    cleo.work(CLEO)
    cleo.fail(persona="cleo", first=1, status=status)
    cleo.producer.enqueue(paid())
    assert cleo.work(CLEO) == [f"dead: refused by the persona (status {status})"]
    assert len(cleo.delivered()) == 1, "no farewell: nothing is said to the lead"
    cleo.producer.enqueue(says("two"))
    assert cleo.work(CLEO) == ["answered"]


def test_a_dead_letter_is_replayed_under_the_same_id(
    cleo: Any, says: Callable[..., Any], paid: Callable[..., Any], store: Store
) -> None:
    cleo.fail(persona="cleo", first=1, status=404)
    cleo.producer.enqueue(paid(event_id="p-1"))
    cleo.producer.enqueue(says("one"))
    cleo.work(CLEO)
    assert store.dead_letters.replay(CLEO, "p-1", "place").status == "replayed", "also behind a later answer"
    assert cleo.work(CLEO) == [TOLD]
    first, last = (call.fields["external_event_id"] for call in cleo.asked() if call.path.endswith("/events"))
    assert first == last


def test_a_wrong_token_holds_it_like_everything_else(cleo: Any, paid: Callable[..., Any]) -> None:
    cleo.fail(persona="cleo", first=1, status=401)
    cleo.producer.enqueue(paid())
    assert cleo.run(CLEO).startswith("held")
    cleo.let_holds_run_out()
    assert cleo.run(CLEO).startswith("quarantined")


# At the door


def test_a_persona_of_handshake_refuses_it(cleo: Any, paid: Callable[..., Any]) -> None:
    with pytest.raises(InvalidEvent, match="persona ava has the Handshake API, which takes no purchases and refunds"):
        cleo.producer.enqueue(paid(persona="ava"))


def test_what_the_payment_service_said_has_a_limit(cleo: Any, paid: Callable[..., Any]) -> None:
    with pytest.raises(TooLarge, match="raw has"):
        cleo.producer.enqueue(paid(raw={"a": "x" * 20_000}))


def test_a_celery_producer_sends_it_as_json(cleo: Any, make_shop: Callable[..., Any]) -> None:
    intake: Intake = cleo.parts.intake
    event = {"kind": "money_event", "persona": "cleo", "target": "mark", "event_type": "refund", "amount": "5.00"}
    assert intake.accept(event, "message-1") == "accepted at position 1"
    assert intake.accept({**event, "amount": 5.0}, "message-2").startswith(
        "refused: InvalidEvent: money_event.amount: a float"
    )
    assert intake.accept({**event, "persona": "ava"}, "message-3").startswith(
        "refused: InvalidEvent: kind: persona ava"
    )
    assert cleo.work(CLEO) == [TOLD]
