"""Who may send: bearer tokens, signatures of Standard Webhooks, an open source on loopback, and nobody else."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from standardwebhooks import Webhook

SECRET = "whsec_" + "c2VjcmV0" * 6
NEW_SECRET = "whsec_" + "bmV3IG9u" * 6
OTHER_SECRET = "whsec_" + "b3RoZXIg" * 6
CHANNEL = {"session_id": "s", "metadata": {}}


def chat(**fields):
    common = {"kind": "inbound_chat", "persona": "ava", "target": "@john", "message": "hi", "channel": CHANNEL}
    return {**common, **fields}


def signed(body, secret=SECRET, message_id="msg_1", at=None):
    """The headers of a signature, as the library of the standard makes it."""
    at = at or datetime.now(tz=UTC)
    text = body if isinstance(body, str) else json.dumps(body)
    return {
        "webhook_id": message_id,
        "webhook_timestamp": str(int(at.timestamp())),
        "webhook_signature": Webhook(secret).sign(message_id, at, text),
    }


def refused(answer):
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["type"] == "/problems/unauthenticated"
    return True


@pytest.mark.parametrize("token", ["wrong", "token-of-the-shop-012345678", "TOKEN-OF-THE-SHOP-0123456789", "tokén"])
def test_another_token_is_refused(web, waiting, token):
    header = f"Bearer {token}".encode()
    answer = httpx.post(web.origin + "/v1/events", json=chat(), headers=[(b"Authorization", header)], timeout=30)
    assert refused(answer)
    assert waiting() == []


def test_the_token_of_another_scheme_is_refused(web):
    assert refused(web.post("/v1/events", chat(), token=None, Authorization="Basic token-of-the-shop-0123456789"))


def test_a_request_without_anything_is_refused_before_its_body_is_looked_at(web):
    assert refused(web.post("/v1/events", b"{", token=None, Content_Type="text/plain"))


@pytest.mark.parametrize("secret", [SECRET, NEW_SECRET], ids=["old", "new"])
def test_a_signed_event_is_accepted_with_each_secret_of_a_rotation(web, waiting, secret):
    assert web.post("/v1/events", chat(), token=None, **signed(chat(), secret)).status_code == 202
    assert waiting() == ["msg_1"]


def test_one_good_signature_among_several_is_enough(web):
    headers = signed(chat())
    headers["webhook_signature"] = (
        f"v1a,AAAA {signed(chat(), OTHER_SECRET)['webhook_signature']} " + headers["webhook_signature"]
    )
    assert web.post("/v1/events", chat(), token=None, **headers).status_code == 202


def test_a_replay_is_a_duplicate_also_when_another_id_was_put_beside_it(web, waiting):
    headers = signed(chat())
    statuses = [
        web.post("/v1/events", chat(), token=None, Idempotency_Key=key, **headers).json()["status"]
        for key in ("a", "b")
    ]
    assert statuses == ["accepted", "duplicate"]
    assert waiting() == ["msg_1"]


def test_a_replay_of_a_captivate_request_is_a_duplicate(web):
    request = {"session_id": "s", "user_input": "hi", "metadata": {}}
    headers = signed(request)
    answers = [web.post("/v1/captivate/ava", request, token=None, **headers) for _ in range(2)]
    assert [answer.headers["Parley-Status"] for answer in answers] == ["accepted", "duplicate"]
    assert refused(web.post("/v1/captivate/ava", {**request, "user_input": "yes"}, token=None, **headers))
    old = signed(request, at=datetime.now(tz=UTC) - timedelta(minutes=6))
    assert refused(web.post("/v1/captivate/ava", request, token=None, **old))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda headers: headers | {"webhook_id": "msg_2"},
        lambda headers: headers | {"webhook_timestamp": str(int(headers["webhook_timestamp"]) + 1)},
        lambda headers: headers | {"webhook_timestamp": "nan"},
        lambda headers: headers | {"webhook_timestamp": "1e400"},
        lambda headers: headers | {"webhook_timestamp": "soon"},
        lambda headers: headers | {"webhook_signature": "v1"},
        lambda headers: headers | {"webhook_signature": "v1,not base64"},
        lambda headers: headers | {"webhook_signature": "v1,abc"},
        lambda headers: headers | {"webhook_signature": headers["webhook_signature"].replace("v1", "v2")},
        lambda headers: {name: value for name, value in headers.items() if name != "webhook_timestamp"},
        lambda _: signed(chat(message="another")),
        lambda _: signed(chat(), OTHER_SECRET),
        lambda _: signed(chat(), at=datetime.now(tz=UTC) - timedelta(minutes=6)),
        lambda _: signed(chat(), at=datetime.now(tz=UTC) + timedelta(minutes=6)),
    ],
)
def test_a_signature_that_does_not_fit_is_refused(web, waiting, spoil):
    assert refused(web.post("/v1/events", chat(), token=None, **spoil(signed(chat()))))
    assert waiting() == []


def signed_bytes(body, message_id="msg_1"):
    """The headers of a signature over bytes that the library of the standard does not take."""
    headers = signed("", message_id=message_id)
    head = f"{message_id}.{headers['webhook_timestamp']}.".encode()
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, head + body, "sha256")).decode()
    return headers | {"webhook_signature": f"v1,{signature}"}


def test_a_signed_body_that_is_no_text_is_read_by_who_reads_such_bodies(web):
    body = b'{"session_id": "s", "user_input": "hi \xc3"}'
    assert web.post("/v1/captivate/ava", body, token=None, **signed_bytes(body)).status_code == 200
    assert web.post("/v1/events", body, token=None, **signed_bytes(body)).json()["type"] == "/problems/not-json"
    for another in (b'{"session_id": "s", "user_input": "hi \xc4"}', "hi \ufffd".encode(), b"\xff{"):
        assert refused(web.post("/v1/captivate/ava", another, token=None, **signed_bytes(body)))
    assert refused(web.post("/v1/events", b"\xff{", token=None, **signed("{")))


def test_a_signed_text_of_any_letters_is_accepted(web, waiting):
    event = json.dumps(chat(message="gr\u00fc\u00df dich \U0001f600"), ensure_ascii=False)
    assert web.post("/v1/events", event.encode(), token=None, **signed(event)).status_code == 202
    body = b'{"session_id": "s", "user_input": "hi"}'
    named = signed_bytes(body, message_id="\u00e9 1")
    again = web.post("/v1/captivate/ava", body, token=None, **named)
    assert again.headers["Parley-Event-Id"].startswith("captivate-key-")


def test_a_source_that_signs_reads_with_the_signature_of_an_empty_body(web):
    receipt = web.post("/v1/events", chat(), token=None, **signed(chat())).json()["receipt"]
    headers = {name.replace("_", "-"): value for name, value in signed("").items()}
    assert httpx.get(f"{web.origin}/v1/receipts/{receipt}", headers=headers, timeout=30).status_code == 200
    headers["webhook-signature"] = signed("x")["webhook_signature"]
    assert refused(httpx.get(f"{web.origin}/v1/receipts/{receipt}", headers=headers, timeout=30))


def test_a_source_sends_only_for_its_personas_and_only_its_kinds(web, waiting):
    bank = "token-of-the-bank-0123456789"
    answer = web.post("/v1/events", chat(), token=bank)
    assert (answer.status_code, answer.json()["field"]) == (403, "persona")
    opener = {"kind": "event_trigger", "persona": "bea", "target": "@john", "event_type": "x", "channel": CHANNEL}
    answer = web.post("/v1/events", opener, token=bank)
    assert (answer.status_code, answer.json()["field"]) == (403, "kind")
    assert web.post("/v1/events", chat(persona="bea"), token=bank).status_code == 202
    assert waiting() == []


def test_without_a_source_nobody_is_answered_and_the_log_says_so(start_web, redis_server):
    web = start_web(redis_server.url, PARLEY_INGRESS__SOURCES__SHOP__TOKEN="")
    assert refused(web.post("/v1/events", chat()))
    assert refused(web.post("/v1/events", chat(), token=None))
    assert "no source is configured, so nobody may send" in web.log.read_text()


def test_an_open_source_takes_what_comes_from_this_machine_under_its_own_names(start_web, redis_server, store, waiting):
    web = start_web(redis_server.url, PARLEY_INGRESS__SOURCES__LOCAL__OPEN="true")
    assert web.post("/v1/events", chat(event_id="m"), token=None).status_code == 202
    assert refused(web.post("/v1/events", chat(), token=None, Host="evil.example"))
    assert refused(web.post("/v1/events", chat(), token="wrong"))
    assert waiting() == ["m"]


def test_a_source_that_sends_too_much_is_told_when_to_come_again_and_others_are_not(start_web, redis_server, store):
    web = start_web(
        redis_server.url,
        PARLEY_INGRESS__SOURCES__SHOP__PER_SECOND="0.01",
        PARLEY_INGRESS__SOURCES__SHOP__BURST="2",
        PARLEY_INGRESS__SOURCES__BANK__TOKEN="token-of-the-bank-0123456789",
    )
    statuses = [web.post("/v1/events", chat()).status_code for _ in range(3)]
    assert statuses == [202, 202, 429]
    assert int(web.post("/v1/events", chat()).headers["Retry-After"]) > 90
    assert web.post("/v1/events", chat(), token="token-of-the-bank-0123456789").status_code == 202
