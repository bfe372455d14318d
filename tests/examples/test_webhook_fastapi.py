"""The webhook as its own server process, with a real Redis behind it."""

from __future__ import annotations

import json
import socket

import httpx
import pytest

from worker.domain.conversation import Conversation
from worker.store import Store

PAYLOAD = {
    "session_id": "session-SECRET",
    "user_input": "hi SECRET",
    "metadata": {
        "internal": {
            "channelMetadata": {"channelMetadata": {"channel": "c"}, "user": {"email": "lance@SECRET.example"}}
        }
    },
    "hasLivechat": False,
}

SECRET = "of-the-platform-and-the-webhook"


def payload(**fields):
    return {**PAYLOAD, **fields}


def without_user():
    return payload(metadata={"internal": {"channelMetadata": {"channelMetadata": {"channel": "c"}}}})


@pytest.fixture(scope="module")
def serve(start_example):
    """Start the webhook over a Redis; returns a function that posts to it, and the server's log."""

    def start(redis_url: str, **variables: str):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        log = start_example(
            *("-m", "examples.webhook_fastapi", "--port", str(port)),
            ready="Uvicorn running",
            WEBHOOK_SECRET=SECRET,
            PARLEY_REDIS_URL=redis_url,
            PARLEY_PERSONAS="ava",
            PARLEY_JOIN__SETTLE_SECONDS="0",
            **variables,
        )

        def post(body: object, persona: str = "ava", **headers: str) -> httpx.Response:
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            names = {name.replace("_", "-"): value for name, value in {"X_Webhook_Secret": SECRET, **headers}.items()}
            url = f"http://127.0.0.1:{port}/captivate/{persona}"
            return httpx.post(url, content=content, headers={"Content-Type": "application/json", **names}, timeout=30)

        return post, log

    return start


@pytest.fixture(scope="module")
def webhook(serve, redis_server):
    """A webhook over the session's server."""
    return serve(redis_server.url)[0]


@pytest.fixture
def post(webhook, store):
    """Post to the webhook, whose store was emptied before."""
    return webhook


@pytest.fixture
def waiting(store: Store):
    """The conversations that wait, with the number of their events."""

    def read() -> dict[str, int]:
        names = [name for shard in store.keys.shards for name in store.redis.zrange(shard.agenda, 0, -1)]
        conversations = [Conversation.of_name(name) for name in names]
        return {each.name: store.redis.llen(store.keys.of(each).inbox(each)) for each in conversations}

    return read


def test_a_request_is_accepted_with_a_receipt_and_a_repeated_one_is_a_duplicate(post, waiting):
    first, again, other = (post(PAYLOAD, Idempotency_Key=key) for key in ("r-1", "r-1", "r-2"))
    assert (first.status_code, first.json()) == (202, {"event_id": "r-1", "status": "accepted", "position": 1})
    assert (again.status_code, again.json()) == (202, {"event_id": "r-1", "status": "duplicate", "position": 1})
    assert other.json()["position"] == 2
    assert list(waiting().values()) == [2]


def test_a_repeated_request_is_a_duplicate_also_when_nobody_gives_it_an_id(post, waiting):
    channel = {**PAYLOAD["metadata"]["internal"]["channelMetadata"], "conversationUpdatedAt": "2026-11-21T10:00:00Z"}
    request = payload(metadata={"internal": {"channelMetadata": channel}})
    first, again = post(request), post(request)
    assert (first.json()["status"], again.json()["status"]) == ("accepted", "duplicate")
    assert first.json()["event_id"] == again.json()["event_id"]
    assert post({**request, "user_input": "and more"}).json()["status"] == "accepted"


@pytest.mark.parametrize("secret", ["", "wrong", SECRET[:-1], SECRET.upper()])
def test_who_does_not_have_the_secret_is_not_heard(post, waiting, secret):
    for body in (PAYLOAD, b"{"):
        answer = post(body, X_Webhook_Secret=secret)
        assert (answer.status_code, answer.json()["refused"]) == (401, "Unauthorized")
        assert SECRET not in answer.text
    assert waiting() == {}


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, "WEBHOOK_SECRET needs at least 16 characters"),
        ({"WEBHOOK_SECRET": "short"}, "WEBHOOK_SECRET needs at least 16 characters"),
        ({"PARLEY_PERSONAS": ""}, "no persona is configured"),
    ],
)
def test_without_secret_or_settings_it_does_not_start(run_example, monkeypatch, tmp_path, variables, says):
    for name, value in {"PARLEY_REDIS_URL": "redis://127.0.0.1:1/0", "PARLEY_PERSONAS": "ava", **variables}.items():
        monkeypatch.setenv(name, value)
    ended = run_example("-m", "examples.webhook_fastapi", "--port", "0")
    assert ended.returncode == 1
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_lead_is_told_by_the_user_or_else_by_the_session(post, waiting):
    post(PAYLOAD)
    post(payload(session_id="another session of the same user"))
    assert list(waiting().values()) == [2]
    post(without_user())
    post({**without_user(), "session_id": "somebody else"})
    assert sorted(waiting().values()) == [1, 1, 2]


def test_neither_address_nor_session_id_stands_in_a_conversation_name(post, waiting):
    post(PAYLOAD)
    post(without_user())
    assert len(waiting()) == 2
    assert "SECRET" not in " ".join(waiting())


@pytest.mark.parametrize(
    "odd", [{"metadata": {}}, {"files": [None]}, {"hasLivechat": "SECRET"}, {"incoming_action": 7}]
)
def test_a_part_that_cannot_be_used_does_not_cost_the_words(post, waiting, odd):
    assert post(payload(**odd)).status_code == 202
    assert list(waiting().values()) == [1]


@pytest.mark.parametrize(
    ("body", "persona", "refused", "words"),
    [
        (payload(session_id=None), "ava", "InvalidEvent", "not a Captivate request: session_id"),
        (payload(user_input=["SECRET"]), "ava", "InvalidEvent", "left out: user_input: it is a list, not a text"),
        ([PAYLOAD], "ava", "InvalidEvent", "a Captivate request is a JSON object, not a list"),
        (payload(user_input=""), "ava", "InvalidEvent", "needs a message or an image"),
        (payload(user_input="SECRET" * 2000), "ava", "TooLarge", "message has 12000 characters"),
        (PAYLOAD, "zoe", "UnknownPersona", "persona 'zoe' is not configured; known: ava"),
    ],
)
def test_what_can_never_be_accepted_is_422_with_the_reason_and_no_content(post, waiting, body, persona, refused, words):
    answer = post(body, persona)
    assert (answer.status_code, answer.json()["refused"]) == (422, refused)
    assert words in answer.json()["why"]
    assert "SECRET" not in answer.text
    assert waiting() == {}


def test_a_key_that_can_be_no_event_id_gives_the_request_the_same_id_each_time(post):
    answers = [post(PAYLOAD, Idempotency_Key="two words").json() for _ in range(2)]
    assert [each["status"] for each in answers] == ["accepted", "duplicate"]


def test_what_is_not_json_is_422(post):
    assert post(b"{").status_code == 422


def test_a_full_inbox_is_409(serve, redis_server, store):
    post, _ = serve(redis_server.url, PARLEY_LIMITS__INBOX_EVENTS="1")
    assert post(PAYLOAD).status_code == 202
    answer = post(payload(user_input="and more"))
    assert (answer.status_code, answer.json()["refused"]) == (409, "InboxFull")


def test_a_store_that_is_away_is_503_and_the_log_says_nothing_of_the_lead(serve):
    post, log = serve("redis://127.0.0.1:1/0")
    answer = post(PAYLOAD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "send the same request again" in answer.json()["why"]
    assert "SECRET" not in log.read_text()
