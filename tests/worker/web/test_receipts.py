"""What became of an event, for whoever has its receipt."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.conversation import Conversation
from worker.web.receipts import MOST_CHARACTERS, Receipts
from worker.web.schemas import Receipt, State

CHAT = {
    "kind": "inbound_chat",
    "event_id": "m-1",
    "persona": "bea",
    "target": "@john",
    "message": "hi SECRET",
    "channel": {"session_id": "session-SECRET", "metadata": {}},
}
BANK = "token-of-the-bank-0123456789"


def test_the_state_of_an_event_has_no_content(web, store):
    receipt = Receipt.model_validate(web.post("/v1/events", CHAT).json()).receipt
    answer = web.get(f"/v1/receipts/{receipt}")
    assert answer.status_code == 200
    state = State.model_validate(answer.json())
    assert (state.event_id, state.kind, state.status, state.position) == ("m-1", "inbound_chat", "waiting", 1)
    assert state.accepted_at.endswith("Z")
    assert "SECRET" not in answer.text
    assert "john" not in answer.text + receipt
    grant = store.steps.begin(Conversation("bea", "@john"), "token")
    store.steps.settle(grant, "skipped", "too_old")
    state = State.model_validate(web.get(f"/v1/receipts/{receipt}").json())
    assert (state.status, state.cause.value, state.position) == ("skipped", "too_old", 0)
    assert state.ended_at


def test_the_state_of_a_follow_up_for_a_time_without_a_date_is_told(web, store, channel, plan_for_year_10000):
    event = {"kind": "follow_up", "event_id": "late", "persona": "ava", "target": "@lead", "channel": channel}
    sooner = {**event, "not_before": f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}"}
    receipt = web.post("/v1/events", sooner).json()["receipt"]
    plan_for_year_10000(store, "@lead")
    answer = web.get(f"/v1/receipts/{receipt}")
    assert (answer.status_code, answer.json()["held_until"]) == (200, "9999-12-31T23:59:59.000Z")


def test_only_the_source_that_sent_it_sees_it(web):
    receipt = web.post("/v1/events", CHAT, token=BANK).json()["receipt"]
    assert web.get(f"/v1/receipts/{receipt}", token=BANK).status_code == 200
    answer = web.get(f"/v1/receipts/{receipt}")
    assert (answer.status_code, answer.json()["type"]) == (404, "/problems/unknown-receipt")
    assert web.get(f"/v1/receipts/{receipt}", token=None).status_code == 401


@pytest.mark.parametrize("receipt", ["x", "%00", "AAAA", "ä", "a" * 5000, "..%2F.."])
def test_what_is_no_receipt_is_not_found(web, receipt):
    assert web.get(f"/v1/receipts/{receipt}").status_code == 404


def test_a_receipt_of_an_event_whose_record_has_ended_is_not_found(web, store):
    receipt = web.post("/v1/events", CHAT).json()["receipt"]
    store.redis.delete(store.keys.of(Conversation("bea", "@john")).journal(Conversation("bea", "@john"), "m-1"))
    assert web.get(f"/v1/receipts/{receipt}").status_code == 404


def test_all_processes_of_a_store_know_all_receipts(start_web, redis_server, store):
    one, other = (start_web(redis_server.url) for _ in range(2))
    receipt = one.post("/v1/events", CHAT).json()["receipt"]
    assert other.get(f"/v1/receipts/{receipt}").status_code == 200


def test_an_id_is_opaque_and_tamper_proof():
    receipts = Receipts(lambda: bytes(range(64)))
    conversation = Conversation("ava", "@john " + "ü" * 240)
    sealed = receipts.seal("shop", conversation, "m" * 256)
    assert sealed == receipts.seal("shop", conversation, "m" * 256)
    assert len(sealed) <= MOST_CHARACTERS
    assert receipts.open("shop", sealed) == (conversation, "m" * 256)
    assert receipts.open("bank", sealed) is None
    assert receipts.open("shop", sealed[:-4] + "AAAA") is None
    assert receipts.open("shop", sealed[:40]) is None
