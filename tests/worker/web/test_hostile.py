"""Whatever is sent, the answer is a receipt or a problem, never an error of the ingress, and repeats nothing of it."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.web.ingress import Ingress
from worker.web.problems import KINDS
from worker.web.schemas import ProblemDocument, Receipt, schema

TOKEN = "token-of-the-shop-0123456789"
HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
# A marker in all texts, so that a repeated one is seen.
TEXT = st.one_of(st.just("SECRET"), st.text(max_size=20).map(lambda text: f"SECRET{text}"), st.just("\ud800SECRET"))
LEAF = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT, st.just(10**400))
VALUE = st.recursive(
    LEAF, lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4))
)


def fields_of_events():
    """Names of all fields in the published schema of events, with values that fit and values that do not."""
    parts = schema("event")["$defs"].values()
    names = sorted({name for part in parts for name in part.get("properties", {})})
    good = {
        "kind": st.sampled_from([*schema("event")["discriminator"]["mapping"], "pulled_follow_up"]),
        "persona": st.sampled_from(["ava", "zoe"]),
        "target": TEXT,
        "message": TEXT,
        "channel": st.fixed_dictionaries({"session_id": TEXT, "metadata": st.dictionaries(TEXT, VALUE, max_size=3)}),
        "event_type": st.sampled_from(["purchase", "SECRET"]),
        "specversion": st.just("1.0"),
        "subject": st.just("ava/SECRET"),
        "type": st.just("parley.inbound_chat"),
        "data": st.dictionaries(st.sampled_from(names), VALUE, max_size=3),
    }
    return {name: st.one_of(good.get(name, VALUE), VALUE) for name in {*names, *good, "id", "source"}}, good


NEEDED = ("kind", "persona", "target")
FIELDS, GOOD = fields_of_events()
EVENT = st.one_of(
    st.fixed_dictionaries({}, optional=FIELDS),
    st.fixed_dictionaries(
        {name: GOOD[name] for name in NEEDED},
        optional={name: FIELDS[name] for name in FIELDS.keys() - set(NEEDED)},
    ),
    VALUE,
)


class Client:
    """Posts to the application, one request after the other."""

    def __init__(self, client: httpx.AsyncClient, runner: asyncio.Runner) -> None:
        self._client = client
        self._runner = runner

    def post(self, path, content, headers):
        return self._runner.run(self._client.post(path, content=content, headers=headers))


@pytest.fixture(scope="module")
def client(redis_server):
    """The application without a server before it: what the server does is tested with real connections."""
    from config.settings import load
    from worker.store import Store

    shop = {"token": TOKEN, "per_second": 1_000_000, "burst": 1_000_000}
    limits = {"inbox_events": 1_000_000}
    made = load(
        env_file=None,
        role="producer",
        redis_url=redis_server.url,
        personas={"ava": {}},
        limits=limits,
        ingress={"sources": {"shop": shop}},
    )
    store = Store(made, connections=5)
    transport = httpx.ASGITransport(Ingress(made, store).application())
    with asyncio.Runner() as runner:
        yield Client(httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080"), runner)
    store.close()


def seen(document):
    """A receipt, or a problem of a known type that repeats nothing."""
    if "receipt" in document:
        Receipt.model_validate(document)
        return
    ProblemDocument.model_validate(document)
    assert document["status"] == KINDS[document["type"].rpartition("/")[2]].status
    assert document["status"] < 500, document
    assert "SECRET" not in json.dumps(document)


def encoded(value):
    """As any JSON library writes it: NaN, half characters and all."""
    return json.dumps(value).encode()


@settings(max_examples=150)
@given(EVENT)
def test_any_event(client, value):
    answer = client.post("/v1/events", content=encoded(value), headers=HEADERS)
    if isinstance(value, list):
        assert all(seen(each) is None for each in answer.json()["results"])
    else:
        seen(answer.json())


@settings(max_examples=50)
@given(st.lists(EVENT, max_size=8))
def test_any_array(client, values):
    results = client.post("/v1/events", content=encoded(values), headers=HEADERS).json()["results"]
    assert len(results) == len(values)
    for each in results:
        seen(each)


@settings(max_examples=100)
@given(
    st.fixed_dictionaries(
        {"session_id": st.one_of(TEXT, VALUE)},
        optional=dict.fromkeys(("user_input", "files", "metadata", "hasLivechat", "incoming_action"), VALUE),
    )
)
def test_any_captivate_request(client, payload):
    answer = client.post("/v1/captivate/ava", content=encoded(payload), headers=HEADERS)
    if answer.status_code == 200:
        assert answer.json()["response"] == []
    else:
        seen(answer.json())


@settings(max_examples=100)
@given(st.binary(max_size=200), st.sampled_from(["/v1/events", "/v1/captivate/ava"]))
def test_any_bytes(client, body, path):
    answer = client.post(path, content=body, headers=HEADERS)
    assert answer.status_code < 500


@settings(max_examples=100)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
            for name in ("Authorization", "webhook-id", "webhook-timestamp", "webhook-signature", "Idempotency-Key")
        },
    )
)
def test_no_headers_let_a_stranger_in(client, headers):
    encoded_headers = [(name.encode(), value.strip().encode("latin-1")) for name, value in headers.items()]
    answer = client.post(
        "/v1/events", content=b"{}", headers=[(b"Content-Type", b"application/json"), *encoded_headers]
    )
    assert answer.status_code == 401


@pytest.mark.parametrize("levels", [50, 99, 101, 900, 5000, 100_000])
def test_depth_is_limited(client, levels):
    deep = b'{"a":' * levels + b"1" + b"}" * levels
    body = b'{"kind":"event_trigger","persona":"ava","target":"@john","event_type":"x","context":' + deep + b"}"
    answer = client.post("/v1/events", content=body, headers=HEADERS)
    assert answer.status_code in (202, 400, 409, 422)
    deep_metadata = b'{"session_id":"s","user_input":"hi","metadata":' + deep + b"}"
    answer = client.post("/v1/captivate/ava", content=deep_metadata, headers=HEADERS)
    assert answer.status_code in (200, 400, 422)
