"""Signatures are those of Standard Webhooks, as its own library makes and checks them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook

from parley_client import AsyncClient, Client
from parley_client.credentials import Signature

SECRET = "whsec_" + "c2VjcmV0" * 6
BARE = "c2VjcmV0" * 6


@given(st.text(max_size=50), st.integers(0, 2**40), st.sampled_from([SECRET, BARE]))
def test_a_signature_is_that_of_the_library(body, at, secret):
    made = Signature(secret, now=lambda: at + 0.9).headers("msg_1", body.encode())
    at = min(at, 2**37)
    if int(made["webhook-timestamp"]) == at:
        expected = Webhook(secret).sign("msg_1", datetime.fromtimestamp(at, UTC), body)
        assert made["webhook-signature"] == expected


def test_the_library_takes_what_is_signed_now():
    made = Signature(SECRET).headers("msg_1", b'{"kind": "ai_opener"}')
    assert Webhook(SECRET).verify(b'{"kind": "ai_opener"}', dict(made)) == {"kind": "ai_opener"}


@pytest.mark.parametrize("client", [Client, AsyncClient])
@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"token": ""}, "token"),
        ({"token": "to ken-0123456789"}, "token"),
        ({"token": "token-0123456789\n"}, "token"),
        ({"token": "tokén-0123456789"}, "token"),
        ({"signing_secret": "whsec_"}, "signing_secret"),
        ({"signing_secret": "whsec_not base64!"}, "signing_secret"),
        ({"token": "token-0123456789", "signing_secret": SECRET}, "not both"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": None}, "timeout"),
        ({"timeout": float("inf")}, "timeout"),
        ({"retry_seconds": -1}, "retry_seconds"),
        ({"base_url": "127.0.0.1:8080"}, "base_url"),
        ({"base_url": "ftp://parley.example"}, "base_url"),
        ({"base_url": "https://user:pass-word@parley.example"}, "base_url"),
        ({"base_url": "https://parley.example/?a=b"}, "base_url"),
        ({"base_url": "https://"}, "base_url"),
    ],
)
def test_what_cannot_be_used_is_refused_without_being_shown(client, options, named):
    with pytest.raises(ValueError, match=named) as caught:
        client(**{"base_url": "http://127.0.0.1:8080", **options})
    for hidden in ("to ken", "token-0123456789", "tokén", "not base64", "pass-word"):
        assert hidden not in str(caught.value)
