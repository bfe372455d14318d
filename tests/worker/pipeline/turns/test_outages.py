"""An outage is not an event's fault: what happens to all waits; only what is surely this event's own ends it."""

from __future__ import annotations

import time

import pytest

from simulation.upstreams.faults import FaultKind
from worker.domain.conversation import Conversation
from worker.domain.events import EventTrigger
from worker.store.personas.gates import owner_of

PAGE = "<html>no backend"
OUTAGES = {
    "500": {"status": 500},
    "502": {"status": 502},
    "504": {"status": 504},
    "503": {"status": 503},
    "reset": {"kind": FaultKind.DROP},
    "acts, then drops": {"kind": FaultKind.ACT_THEN_DROP},
    "404 with a page": {"status": 404, "body": PAGE},
    "400 without a body": {"status": 400, "body": ""},
    "a redirect": {"kind": FaultKind.REDIRECT, "location": "https://status.example/"},
}
OF_PERSONAS = {
    "200 with a page": {"kind": FaultKind.NOT_JSON, "acts": False},
    "200 without a body": {"kind": FaultKind.EMPTY, "acts": False},
    "403 with a page": {"status": 403, "body": PAGE},
}
FLUIDTALK, CAPTIVATE = ("fluidtalk", "circuit", "ava"), ("captivate", "channel", "custom")
EACH_OUTAGE = [
    *(pytest.param(*FLUIDTALK, fault, id=f"fluidtalk-{name}") for name, fault in (OUTAGES | OF_PERSONAS).items()),
    *(pytest.param(*CAPTIVATE, fault, id=f"captivate-{name}") for name, fault in OUTAGES.items()),
]


def lead_of(number: int) -> Conversation:
    return Conversation("ava", f"@{number}")


@pytest.fixture
def write(shop, say):
    """Leads write, each in a conversation of its own."""

    def enqueue(*numbers: int) -> list[Conversation]:
        for number in numbers:
            shop.producer.enqueue(say(f"m{number}", target=f"@{number}"))
        return [lead_of(number) for number in numbers]

    return enqueue


@pytest.fixture
def calls(upstreams):
    """How many calls an upstream saw."""

    def count(service: str) -> int:
        return len([call for call in upstreams.calls() if call.service == service])

    return count


@pytest.mark.parametrize(("service", "gate", "owner", "fault"), EACH_OUTAGE)
def test_an_outage_kills_nothing_and_one_at_a_time_tries(
    make_shop, shop, say, write, upstreams, store, calls, try_gate, fault, service, gate, owner
):
    leads = write(*range(12))
    shop.fail(service=service, **fault)
    for lead in leads:
        shop.run(lead)
    seen = calls(service)
    assert seen < 2 * len(leads), "the gate closes: nobody else calls"
    for lead in leads:
        shop.work(lead, turns=3)
    assert calls(service) == seen
    for _ in range(30):
        tried = try_gate(gate, owner)
        shop.work(tried, turns=2)
    assert shop.fates() == {"waiting": 12}
    upstreams.clear_faults()
    assert shop.work(try_gate(gate, owner), turns=1)[0].startswith("answered")
    assert store.gates.of(owner_of(gate, owner)) == {}
    for lead in leads:
        shop.work(lead)
    assert shop.fates() == {"answered": 12}


def test_one_message_that_alone_gets_no_answer_ends_and_stalls_nobody(shop, say, write, upstreams, store, eventually):
    bad, *others = write(*range(8))
    shop.fail(status=500, service="fluidtalk", target=bad.target)

    def tried_beside_others():
        shop.work(bad, turns=1)
        # Within one millisecond the success of another is not later than this failure.
        time.sleep(0.002)
        for other in others:
            shop.producer.enqueue(say("more", target=other.target))
            assert shop.work(other, turns=1)[0].startswith("answered")
        return store.dead_letters.newest()

    (letter,) = eventually(tried_beside_others, "a dead letter")
    assert letter.conversation == bad
    assert letter.cause == "outcome_unknown times=5 status=500"
    assert store.personas.gates("ava") == {}


@pytest.mark.parametrize(
    ("service", "fault", "cause"),
    [
        ("fluidtalk", {"kind": FaultKind.NOT_JSON, "acts": False}, "outcome_unknown times=5 status=200"),
        ("fluidtalk", {"status": 404, "body": PAGE}, "gave_up attempts=20 seconds="),
        ("captivate", {"status": 404, "body": PAGE}, "gave_up attempts=20 seconds="),
    ],
)
def test_one_conversation_that_alone_gets_a_page_ends(shop, say, channel, store, service, fault, cause, eventually):
    bad, other = lead_of(0), lead_of(1)
    shop.fail(service=service, **fault, **({"target": "@0"} if service == "fluidtalk" else {"session_id": "of-0"}))
    shop.producer.enqueue(say("hi", target="@0", channel={**channel, "session_id": "of-0"}))

    def tried_beside_another():
        shop.work(bad, turns=1)
        # Within one millisecond the success of another is not later than this failure.
        time.sleep(0.002)
        shop.producer.enqueue(say("more", target=other.target))
        assert shop.work(other, turns=1)[0].startswith("answered")
        return store.dead_letters.newest()

    (letter,) = eventually(tried_beside_another, "a dead letter")
    assert letter.conversation == bad
    assert letter.cause.startswith(cause)


@pytest.mark.parametrize("status", [400, 404, 422])
@pytest.mark.parametrize("service", ["fluidtalk", "captivate"])
def test_what_the_service_itself_says_of_this_event_ends_it_at_once(shop, say, store, service, status):
    shop.fail(status=status, service=service, body={"detail": "session not found"})
    shop.producer.enqueue(say("hi"))
    shop.work(turns=1)
    refused = "persona_refused" if service == "fluidtalk" else "delivery_refused"
    assert store.dead_letters.newest()[0].cause == f"{refused} status={status}"


def test_a_page_in_place_of_an_answer_to_what_is_asked_once_is_an_unknown_outcome(shop, say, store):
    shop.fail(FaultKind.NOT_JSON, service="fluidtalk")
    shop.producer.enqueue(say(kind=EventTrigger, event_type="t"))
    shop.work(turns=1)
    assert store.dead_letters.newest()[0].cause == "outcome_unknown status=200"


def test_a_page_in_place_of_a_refusal_leaves_what_is_asked_once_to_be_asked(shop, say, upstreams):
    shop.fail(status=404, service="fluidtalk", body=PAGE)
    shop.producer.enqueue(say(kind=EventTrigger, event_type="t"))
    shop.work(turns=3)
    upstreams.clear_faults()
    assert shop.work(turns=1)[0].startswith("answered")


def test_one_message_that_always_fails_does_not_hide_that_the_outage_is_over(
    shop, say, write, upstreams, store, try_gate
):
    bad, *others = write(*range(6))
    shop.fail(status=500, service="fluidtalk")
    for lead in (bad, *others):
        shop.run(lead)
    upstreams.clear_faults()
    shop.fail(status=500, service="fluidtalk", target=bad.target)
    for lead in (bad, *others):
        shop.work(lead, turns=1)
    tried = [try_gate("circuit")]
    shop.work(tried[0], turns=1)
    if store.personas.gates("ava"):
        tried.append(try_gate("circuit"))
        shop.work(tried[1], turns=1)
    assert store.personas.gates("ava") == {}
    assert len(tried) <= 2


def test_what_must_not_be_asked_twice_is_not_risked_for_a_try(shop, say, upstreams, store, calls, try_gate):
    store.personas.close_for_probing("ava", "circuit", "status 500")
    lead = lead_of(1)
    shop.producer.enqueue(say(kind=EventTrigger, event_type="t", target="@1"))
    shop.run(lead)
    shop.fail(status=500, service="fluidtalk")
    for _ in range(5):
        assert try_gate("circuit") == lead
        assert "persona unavailable" in shop.work(lead, turns=1)[0]
        assert shop.run(lead).startswith("held until")
    assert [call.path for call in shop.asked()] == ["/api/v1/bot/upload"] * 5
    assert shop.fates() == {"waiting": 1}
    upstreams.clear_faults()
    assert try_gate("circuit") == lead
    assert shop.work(lead, turns=1)[0].startswith("answered")


def test_a_channel_that_refuses_everybody_waits_for_its_login(shop, say, write, upstreams, store, try_gate):
    leads = write(*range(8))
    shop.fail(status=401, service="captivate")
    for lead in leads:
        shop.work(lead, turns=3)
    assert shop.fates() == {"waiting": 8}
    assert "channel_until" in store.gates.of(owner_of("channel", "custom"))
    upstreams.clear_faults()
    shop.work(try_gate("channel", "custom"), turns=1)
    for lead in leads:
        shop.work(lead)
    assert shop.fates() == {"answered": 8}
    assert len(shop.asked()) == 8


def test_a_conversation_that_the_channel_alone_refuses_ends(shop, say, write, upstreams, store, eventually):
    blocked, *others = write(*range(5))
    shop.fail(status=403, service="captivate", session_id="blocked")
    shop.producer.enqueue(say("x", target="@blocked", channel=_channel("blocked")))
    blocked = Conversation("ava", "@blocked")

    def tried_beside_others():
        shop.work(blocked, turns=1)
        # Within one millisecond the success of another is not later than this failure.
        time.sleep(0.002)
        for other in others:
            shop.producer.enqueue(say("more", target=other.target))
            shop.work(other, turns=1)
        return store.dead_letters.newest()

    (letter,) = eventually(tried_beside_others, "a dead letter")
    assert letter.cause == "delivery_refused status=403"


def _channel(session_id: str) -> dict[str, object]:
    metadata = {"internal": {"channelMetadata": {"channelMetadata": {"channel": "custom-channel"}}}}
    return {"session_id": session_id, "metadata": metadata, "hasLivechat": False}


def test_a_reply_that_must_not_be_sent_twice_is_not_risked_for_a_try_of_the_channel(
    make_shop, say, upstreams, store, calls, try_gate, lead
):
    shop = make_shop(personas={"ava": {"api_key": "ft_sk_ava", "unknown": {"delivery": "hold"}}})
    shop.fail(status=503, service="captivate", first=1)
    shop.producer.enqueue(say("a"))
    shop.work(turns=1)
    store.gates.close(owner_of("channel", "custom"), "channel", 5, "no_answer", failed_by="")
    shop.run()
    shop.fail(status=500, service="captivate")
    assert try_gate("channel", "custom") == lead
    assert "the channel takes nothing now" in shop.run()
    assert shop.fates() == {"waiting": 1}
    upstreams.clear_faults()
    shop.work()
    if shop.fates() != {"answered": 1}:
        shop.work(try_gate("channel", "custom"))
    assert shop.fates() == {"answered": 1}
