"""A notice as it goes out: a receiver with the published library verifies it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from worker.web.push.signing import Signer, envelope

SECRET = "whsec_" + "c2VjcmV0" * 6
NEXT = "whsec_" + "bmV3IG9u" * 6
OTHER = "whsec_" + "b3RoZXIg" * 6

NOTICE = {
    "id": "03-1764420000000-7",
    "type": "parley.event.answered",
    "time": "2026-11-29T12:40:00.000Z",
    "persona": "ava",
    "target": "@jürgen",
    "sequence": 7,
    "fate": "answered",
    "cause": None,
}


def test_it_is_a_cloud_event():
    told = json.loads(envelope(NOTICE))
    assert {name: told[name] for name in ("specversion", "source", "id", "type", "time", "subject")} == {
        "specversion": "1.0",
        "source": "/parley",
        "id": "03-1764420000000-7",
        "type": "parley.event.answered",
        "time": "2026-11-29T12:40:00.000Z",
        "subject": "ava/@jürgen",
    }
    assert told["data"] == {"persona": "ava", "target": "@jürgen", "sequence": 7, "fate": "answered", "cause": None}


def test_a_notice_about_a_persona_names_only_the_persona():
    assert json.loads(envelope({**NOTICE, "target": None}))["subject"] == "ava"


def test_the_body_is_the_same_at_each_try():
    assert envelope(NOTICE) == envelope(dict(NOTICE))


@pytest.mark.parametrize("known", [SECRET, NEXT])
def test_a_receiver_that_knows_one_of_the_secrets_verifies_it(known):
    body = envelope(NOTICE)
    headers = Signer([SECRET, NEXT]).headers(NOTICE["id"], body, datetime.now(UTC))
    assert Webhook(known).verify(body, headers)["id"] == NOTICE["id"]


def test_another_secret_or_another_body_does_not():
    body = envelope(NOTICE)
    headers = Signer([SECRET]).headers(NOTICE["id"], body, datetime.now(UTC))
    with pytest.raises(WebhookVerificationError):
        Webhook(OTHER).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body.replace(b"answered", b"dead"), headers)
