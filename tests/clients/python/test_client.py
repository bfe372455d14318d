"""Both clients against a real ingress: what is sent is in the store, once and in its order."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from parley_client import (
    AiOpener,
    ChannelContext,
    EventTrigger,
    Forbidden,
    InboundChat,
    InvalidEvent,
    MissingChannel,
    Receipt,
    Refused,
    Unauthenticated,
    UnknownPersona,
    UnknownReceipt,
)
from worker.domain.conversation import Conversation

CHANNEL = ChannelContext(session_id="session-1", metadata={"internal": {}})


def chat(**fields):
    return InboundChat(**{"persona": "ava", "target": "@john", "message": "hi", "channel": CHANNEL, **fields})


def test_an_event_is_in_the_store_when_send_returns(client, waiting):
    receipt = client.send(chat(event_id="m-1"))
    assert (receipt.event_id, receipt.status, receipt.position) == ("m-1", "accepted", 1)
    assert waiting() == ["m-1"]


def test_the_same_event_again_is_a_duplicate(client, waiting):
    event = chat()
    assert [client.send(event).status, client.send(event).status] == ["accepted", "duplicate"]
    assert waiting() == [event.event_id]


def test_a_mapping_is_an_event_too(client, waiting):
    receipt = client.send({"kind": "ai_opener", "persona": "ava", "target": "@john", "channel": CHANNEL.model_dump()})
    assert waiting() == [receipt.event_id]


def test_what_is_in_the_store_is_what_was_given(client, store):
    context = {"words": "grüße 🎉", "none": None, "list": [1, None, {"deep": None}]}
    event = EventTrigger(persona="ava", target="@john", event_type="bought", context=context, channel=CHANNEL)
    client.send(event)
    conversation = Conversation("ava", "@john")
    record = store.redis.hget(store.keys.of(conversation).journal(conversation, event.event_id), "payload")
    assert json.loads(record)["context"] == context


def test_status_tells_what_became_of_an_event(client):
    receipt = client.send(chat(event_id="m-1"))
    for state in (client.status(receipt), client.status(receipt.receipt)):
        assert (state.event_id, state.kind, state.status, state.position) == ("m-1", "inbound_chat", "waiting", 1)
        assert state.accepted_at is not None
        assert not state.ended


def test_status_of_another_receipt_is_an_error(client):
    with pytest.raises(UnknownReceipt):
        client.status("A" * 40)
    with pytest.raises(ValueError, match="receipt"):
        client.status("../../health/live")


def test_a_signed_request_is_accepted_and_its_receipt_can_be_read(connect, origin, waiting):
    client = connect(origin, signing_secret="whsec_" + "c2VjcmV0" * 6)
    receipt = client.send(chat(event_id="m-1", message="grüße"))
    assert [result.status for result in client.send_many([chat(), chat()])] == ["accepted"] * 2
    assert client.status(receipt).event_id == "m-1"
    assert len(waiting()) == 3


def test_what_is_no_event_is_not_sent(client, waiting):
    for event in (
        {"kind": "inbound_chat"},
        {"kind": "spam"},
        "hello",
        5,
        None,
        chat().model_copy(update={"target": 5}),
    ):
        with pytest.raises(InvalidEvent) as caught:
            client.send(event)
        assert isinstance(caught.value, ValueError)
    assert waiting() == []


@pytest.mark.parametrize(
    ("event", "error", "field"),
    [
        (chat(persona="nobody"), UnknownPersona, "persona"),
        (chat(channel=None), MissingChannel, None),
        (chat(message="SECRET" * 5000), Refused, "message"),
        (chat(platform="instagram"), Refused, "platform"),
    ],
)
def test_a_refusal_is_an_error_of_its_own(client, event, error, field):
    with pytest.raises(error) as caught:
        client.send(event)
    assert caught.value.field == field
    assert caught.value.detail
    assert caught.value.unsent == (event,)
    assert "SECRET" not in repr(caught.value)


def test_another_token_and_another_persona_are_errors(connect, origin):
    with pytest.raises(Unauthenticated) as caught:
        connect(origin, token="another-token-0123456789").send(chat())
    assert "another-token" not in str(caught.value)
    with pytest.raises(Forbidden):
        connect(origin, token="token-of-the-bank-0123456789").send(chat())


def test_send_many_returns_a_result_for_each_in_order(client, waiting):
    events = [chat(event_id="1"), chat(persona="nobody"), {"kind": "spam"}, chat(event_id="2"), chat(event_id="1")]
    results = client.send_many(events)
    kinds = [type(result) for result in results]
    assert kinds == [Receipt, UnknownPersona, InvalidEvent, Receipt, Receipt]
    assert [results[at].status for at in (0, 3, 4)] == ["accepted", "accepted", "duplicate"]
    assert waiting() == ["1", "2"]


def test_send_many_of_nothing_sends_nothing(connect):
    assert connect("http://127.0.0.1:9").send_many([]) == []


def test_one_event_where_several_are_asked_for_is_an_error_of_the_program(client):
    for event in (chat(), {"kind": "ai_opener"}, "text"):
        with pytest.raises(TypeError, match="several"):
            client.send_many(event)


def test_more_than_a_request_takes_is_sent_in_several_in_order(client, waiting):
    ids = [f"m-{number}" for number in range(2345)]
    results = client.send_many(chat(event_id=event_id) for event_id in ids)
    assert [result.event_id for result in results] == ids
    assert waiting() == ids


def test_more_bytes_than_a_request_takes_are_sent_in_several(client, waiting):
    ids = [f"m-{number}" for number in range(250)]
    results = client.send_many(chat(event_id=event_id, message="x" * 9000) for event_id in ids)
    assert [result.status for result in results] == ["accepted"] * 250
    assert waiting() == ids


def test_each_kind_of_event_is_taken(client):
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    results = client.send_many(
        [
            chat(attachments=[{"url": "https://files.example.com/a.png"}, {"url": "https://files.example.com/b.png"}]),
            AiOpener(persona="ava", target="@mary", channel=CHANNEL),
            EventTrigger(persona="ava", target="@mary", event_type="story_reaction"),
            {"kind": "follow_up", "persona": "ava", "target": "@mary", "not_before": tomorrow.isoformat()},
            {
                "kind": "money_event",
                "persona": "ava",
                "target": "@mary",
                "event_type": "refund",
                "amount": Decimal("19.90"),
                "currency": "EUR",
            },
        ]
    )
    assert [getattr(result, "status", None) for result in results[:4]] == ["accepted"] * 3 + ["scheduled"]
    # A persona of the Handshake API takes none; it is understood all the same.
    assert (results[4].kind, results[4].field) == ("refused", "kind")


def test_a_lone_half_of_a_character_is_mended_as_the_worker_does(client, store):
    event = chat(message="half \ud83d of one")
    client.send(event)
    conversation = Conversation("ava", "@john")
    record = store.redis.hget(store.keys.of(conversation).journal(conversation, event.event_id), "payload")
    assert json.loads(record)["message"] == "half \ufffd of one"
