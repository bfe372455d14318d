"""What Captivate posts to a chat endpoint."""

from __future__ import annotations

import json

import pytest

from worker.clients.captivate import CaptivateResponseModel
from worker.domain.conversation import Conversation
from worker.store.views.waiting_words import waiting_words

CHANNEL = {"channelMetadata": {"channel": "c"}, "user": {"email": "lance@SECRET.example"}}
PAYLOAD = {
    "session_id": "session-SECRET",
    "user_input": "hi SECRET",
    "metadata": {"internal": {"channelMetadata": CHANNEL}},
    "hasLivechat": False,
}


def payload(**fields):
    return {**PAYLOAD, **fields}


@pytest.fixture
def conversations(store):
    """The conversations that wait, with the number of their events."""

    def read():
        names = [name for shard in store.keys.shards for name in store.redis.zrange(shard.agenda, 0, -1)]
        found = [Conversation.of_name(name) for name in names]
        return {each.name: store.redis.llen(store.keys.of(each).inbox(each)) for each in found}

    return read


def test_captivate_gets_a_response_without_messages_and_the_receipt_in_headers(web, conversations):
    answer = web.post("/v1/captivate/ava", PAYLOAD, Idempotency_Key="r-1")
    assert answer.status_code == 200
    assert set(answer.json()) == {"response", "session_id", "metadata", "outgoing_action", "hasLivechat"}
    response = CaptivateResponseModel(**answer.json())
    assert (response.response, response.session_id) == ([], PAYLOAD["session_id"])
    assert (answer.headers["Parley-Event-Id"], answer.headers["Parley-Status"]) == ("r-1", "accepted")
    assert answer.headers["Parley-Receipt"]
    (name,) = conversations()
    assert name.startswith("ava:lead-")
    assert "SECRET" not in name


def test_a_request_that_is_sent_twice_at_once_is_one_event(web, conversations):
    first, again = (web.post("/v1/captivate/ava", PAYLOAD) for _ in range(2))
    assert (first.headers["Parley-Status"], again.headers["Parley-Status"]) == ("accepted", "duplicate")
    assert first.headers["Parley-Event-Id"] == again.headers["Parley-Event-Id"]
    assert list(conversations().values()) == [1]


@pytest.mark.parametrize(
    "other",
    [
        payload(user_input="hi again"),
        payload(files=[{"url": "https://files.example/a.jpg"}]),
        payload(incoming_action=[{"id": "button"}]),
    ],
)
def test_another_message_of_the_session_is_another_event(web, conversations, other):
    web.post("/v1/captivate/ava", PAYLOAD)
    assert web.post("/v1/captivate/ava", other).headers["Parley-Status"] == "accepted"
    assert list(conversations().values()) == [2]


def test_the_same_words_count_again_after_the_window(web, store, conversations):
    web.post("/v1/captivate/ava", PAYLOAD)
    for key in store.redis.scan_iter(match="parley:same:*"):
        assert 0 < store.redis.pttl(key) <= 2000
        store.redis.delete(key)
    assert web.post("/v1/captivate/ava", PAYLOAD).headers["Parley-Status"] == "accepted"
    assert list(conversations().values()) == [2]


def test_by_setting_it_is_202_with_the_receipt_and_nothing_is_taken_for_a_repetition(start_web, redis_server, store):
    web = start_web(
        redis_server.url, PARLEY_INGRESS__CAPTIVATE__ANSWER="receipt", PARLEY_INGRESS__CAPTIVATE__SAME_SECONDS="0"
    )
    first, again = (web.post("/v1/captivate/ava", PAYLOAD) for _ in range(2))
    assert (first.status_code, first.json()["status"], again.json()["status"]) == (202, "accepted", "accepted")


@pytest.mark.parametrize(
    ("persona", "body", "status", "kind"),
    [
        ("zoe", PAYLOAD, 404, "unknown-persona"),
        ("ava", [PAYLOAD], 422, "refused"),
        ("ava", payload(session_id=None), 422, "refused"),
        ("ava", payload(user_input=""), 422, "refused"),
        ("ava", payload(user_input="SECRET" * 3000), 422, "refused"),
        ("ava", b"{", 400, "not-json"),
    ],
)
def test_what_is_refused_stores_nothing_of_the_lead(web, store, persona, body, status, kind):
    answer = web.post(f"/v1/captivate/{persona}", body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"/problems/{kind}")
    assert "SECRET" not in answer.text
    assert not [key for key in store.redis.scan_iter() if ":session" in key or ":inbox:" in key]


def test_a_source_that_may_not_send_for_the_persona_is_refused(web):
    assert web.post("/v1/captivate/ava", PAYLOAD, token="token-of-the-bank-0123456789").status_code == 403


def test_a_session_stays_with_its_lead_when_the_setting_changes(web, start_web, redis_server, store, conversations):
    web.post("/v1/captivate/ava", PAYLOAD)
    by_address = start_web(
        redis_server.url,
        PARLEY_INGRESS__CAPTIVATE__TARGET="metadata.internal.channelMetadata.user.email",
        PARLEY_INGRESS__CAPTIVATE__TARGET_AS="shown",
    )
    by_address.post("/v1/captivate/ava", payload(user_input="and more"))
    assert list(conversations().values()) == [2]
    by_address.post("/v1/captivate/ava", payload(session_id="another"))
    assert sorted(conversations()) == sorted(
        [*(name for name in conversations() if "lead-" in name), "ava:lance@SECRET.example"]
    )


def test_forgetting_a_lead_forgets_its_sessions(web, store, conversations):
    web.post("/v1/captivate/ava", PAYLOAD)
    (name,) = conversations()
    conversation = Conversation.of_name(name)
    traces = store.forgetting.traces(conversation)
    assert traces.sessions == 1
    store.forgetting.forget(conversation, traces)
    assert not list(store.redis.scan_iter(match="parley:*session*"))
    assert store.forgetting.traces(conversation).sessions == 0


def whole(replaced, by, **fields):
    """The bytes of a request with something in it that no JSON library writes."""
    return json.dumps(payload(odd="ODD", **fields)).encode().replace(replaced, by)


@pytest.mark.parametrize(
    ("body", "characters"),
    [
        (whole(b'"ODD"', b"9" * 5000), 9),
        (whole(b'"ODD"', b"[" * 2000 + b"]" * 2000), 9),
        (whole(b"hi SECRET", b"hi \xc3SECRET"), 10),
        (whole(b"hi SECRET", b"hi \xed\xa0\xbd\xed\xb8\x80"), 4),
        (whole(b"hi SECRET", b"hi\nSECRET"), 9),
        (whole(b"hi SECRET", b"hi \\ud83d"), 4),
        (whole(b'"metadata": {', b'"metadata": {"a": ' + b"[" * 3000 + b"]" * 3000 + b", "), 9),
        (json.dumps(payload()).encode("utf-16"), 9),
    ],
    ids=["long number", "deep", "cut off", "CESU-8", "line break", "half", "deep metadata", "utf-16"],
)
def test_an_odd_part_does_not_cost_the_words_of_the_lead(web, store, body, characters):
    answer = web.post("/v1/captivate/ava", body, Idempotency_Key="r-1")
    assert answer.status_code == 200
    (name,) = [name for shard in store.keys.shards for name in store.redis.zrange(shard.agenda, 0, -1)]
    (waiting,) = waiting_words(store.redis, store.keys, store.content, Conversation.of_name(name))
    assert [len(text) for text in waiting.texts] == [characters]


@pytest.mark.parametrize(
    "key",
    ["a b", "x" * 300, "x" * 250, "\u00e9", "follow-up-3-0-1750000000000~x"],
    ids=["blank", "long", "with images", "no ASCII", "like ours"],
)
def test_any_key_of_the_platform_names_its_request(web, conversations, key):
    images = [{"url": f"https://files.example/{number}.jpg"} for number in range(2)]
    answers = [
        web.post("/v1/captivate/ava", payload(files=images), Idempotency_Key=key.encode("utf-8")) for _ in range(2)
    ]
    assert [each.headers["Parley-Status"] for each in answers] == ["accepted", "duplicate"]
    assert len({each.headers["Parley-Event-Id"] for each in answers}) == 1
    other = web.post("/v1/captivate/ava", payload(), Idempotency_Key=f"{key}y".encode())
    assert other.headers["Parley-Status"] == "accepted"
    assert list(conversations().values()) == [3]


@pytest.fixture
def by_name(start_web, redis_server, store):
    """A web process whose leads are known by a name, for personas on platforms."""
    return start_web(
        redis_server.url,
        PARLEY_PERSONAS="ava,cleo,dora",
        PARLEY_PERSONAS__CLEO__PLATFORM="instagram",
        PARLEY_PERSONAS__DORA__PLATFORM="instagram",
        PARLEY_PERSONAS__DORA__SEPARATE_ACCOUNTS="a1,a2",
        PARLEY_PERSONAS__DORA__OWN_USERNAME="a2",
        PARLEY_INGRESS__CAPTIVATE__TARGET="user.name",
        PARLEY_INGRESS__CAPTIVATE__TARGET_AS="shown",
    )


def test_a_name_chooses_neither_platform_nor_account_and_costs_no_words(by_name, conversations):
    names = ["bob", "telegram/bob", "a1/bob", "instagram/a1/bob", "x" * 250, "\ud800", "/"]
    for persona in ("cleo", "dora"):
        for number, name in enumerate(names):
            body = payload(session_id=f"s-{number}", user={"name": name})
            assert by_name.post(f"/v1/captivate/{persona}", body).status_code == 200
    found = sorted(conversations())
    assert len(found) == 2 * len(names)
    hashed = [name for name in found if "/lead-" in name]
    assert {name.rpartition("/")[0] for name in hashed} == {"cleo:instagram", "dora:instagram/a2"}
    assert [name for name in found if name not in hashed] == ["cleo:instagram/bob", "dora:instagram/a2/bob"]
