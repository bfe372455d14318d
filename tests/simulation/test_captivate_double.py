"""The published client, ``captivate-ai-api==0.6.3``, is understood by the double, and a wrong wire is not."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable
from types import ModuleType
from typing import Any

import httpx
import pytest

from simulation.upstreams.control import SimulatedUpstreams

SEND_MESSAGE = "/api/channel/v2/sendMessage"


def captivate_of(package: ModuleType, upstreams: SimulatedUpstreams) -> Any:
    """The conversation of the seed's example request, with the double as its target."""
    channel = {
        "course_id": "abc",
        "channelMetadata": {"channel": "custom-channel", "channelData": {}},
        "user": {"firstName": "Lance", "lastName": "safa", "email": "lance@example.com"},
        "phoneNumber": None,
        "custom": {"mode": "non-dbfred", "title": {"type": "title", "title": "Latest"}},
    }
    return package.Captivate(
        session_id="lance_1",
        user_input="hi man",
        metadata={"internal": {"channelMetadata": channel}},
        hasLivechat=False,
        DEV_URL_V2=upstreams.captivate_url + SEND_MESSAGE,
    )


def test_the_published_client_delivers(upstreams: SimulatedUpstreams, published_captivate: ModuleType) -> None:
    captivate = captivate_of(published_captivate, upstreams)
    captivate.set_conversation_title("Lord of the rings")
    captivate.set_private_metadata("secret", 123)
    custom = {"type": "text", "content": "not a text message"}
    captivate.set_response([published_captivate.TextMessageModel(text="Welcome 🔥"), custom])
    captivate.set_outgoing_action(
        [published_captivate.ActionModel(id="navigate", payload={"url": "https://example.com"})]
    )

    answer = asyncio.run(captivate.async_send_message(environment="dev"))

    assert answer == {"success": True, "accepted": 2}
    (delivery,) = upstreams.deliveries("lance_1")
    assert delivery.messages == [{"type": "text", "text": "Welcome 🔥"}, custom]
    url = {"url": "https://example.com"}
    assert delivery.actions == [{"id": "navigate", "payload": url, "data": url}]
    (call,) = upstreams.calls()
    assert (call.service, call.session_id, call.status, call.acted) == ("captivate", "lance_1", 200, True)
    assert call.fields["metadata"]["internal"]["channelMetadata"]["private"] == {"secret": 123}


@pytest.mark.parametrize("escalate", ["escalate_to_human", "escalate_to_agent_router"])
def test_the_published_client_escalates(
    escalate: str, upstreams: SimulatedUpstreams, published_captivate: ModuleType
) -> None:
    captivate = captivate_of(published_captivate, upstreams)
    getattr(captivate, escalate)()

    asyncio.run(captivate.async_send_message())

    (delivery,) = upstreams.deliveries("lance_1")
    assert delivery.messages == []
    assert [(action["payload"], action["data"]) for action in delivery.actions or []] == [(None, None)]


def test_deliveries_keep_their_order_and_idempotency_keys(
    upstreams: SimulatedUpstreams, captivate_body: dict[str, Any]
) -> None:
    for text, key in (("one", "a"), ("two", "b"), ("two", "b")):
        captivate_body["response"] = [{"type": "text", "text": text}]
        headers = {"Idempotency-Key": key, "Authorization": "Bearer secret"}
        httpx.post(upstreams.captivate_url + SEND_MESSAGE, json=captivate_body, headers=headers)

    deliveries = upstreams.deliveries("session-1")
    assert [delivery.messages[0]["text"] for delivery in deliveries] == ["one", "two", "two"]
    assert [delivery.idempotency_key for delivery in deliveries] == ["a", "b", "b"]
    assert [call.idempotency_key for call in upstreams.calls()] == ["a", "b", "b"]
    assert deliveries[0].headers["content-type"] == "application/json"
    assert deliveries[0].headers["authorization"] == "(hidden)"
    assert upstreams.deliveries("session-2") == []


Change = Callable[[dict[str, Any]], object]


def channel_of(body: dict[str, Any]) -> dict[str, Any]:
    channel: dict[str, Any] = body["metadata"]["internal"]["channelMetadata"]
    return channel


WRONG: dict[str, tuple[Change, str]] = {
    "no response": (lambda body: body.pop("response"), "body: the key response is missing"),
    "no session": (lambda body: body.pop("session_id"), "body: the key session_id is missing"),
    "no metadata": (lambda body: body.pop("metadata"), "body: the key metadata is missing"),
    "no actions": (lambda body: body.pop("outgoing_action"), "body: the key outgoing_action is missing"),
    "no livechat": (lambda body: body.pop("hasLivechat"), "body: the key hasLivechat is missing"),
    "another key": (lambda body: body.update(user_input="hi"), "body: only the keys"),
    "session as number": (lambda body: body.update(session_id=1), "session_id: expected text"),
    "livechat as text": (lambda body: body.update(hasLivechat="false"), "hasLivechat: expected true or false"),
    "livechat as number": (lambda body: body.update(hasLivechat=0), "hasLivechat: expected true or false"),
    "response null": (lambda body: body.update(response=None), "response: expected a list"),
    "message as text": (lambda body: body.update(response=["hi"]), "response[0]: expected an object"),
    "metadata list": (lambda body: body.update(metadata=[]), "metadata: expected an object"),
    "metadata empty": (lambda body: body.update(metadata={}), "metadata: the key internal is missing"),
    "no private": (lambda body: channel_of(body).pop("private"), "the key private is missing"),
    "private null": (lambda body: channel_of(body).update(private=None), "private: expected an object"),
    "course_id": (lambda body: channel_of(body).update(course_id="abc"), "channelMetadata: only the keys"),
    "date as number": (lambda body: channel_of(body).update(conversationCreatedAt=1), "expected text or null"),
    "user incomplete": (lambda body: channel_of(body)["user"].pop("email"), "user: the key email is missing"),
    "user with more": (lambda body: channel_of(body)["user"].update(age=3), "user: only the keys"),
    "action as text": (lambda body: body.update(outgoing_action=["x"]), "outgoing_action[0]: expected an object"),
    "action by name": (lambda body: body.update(outgoing_action=[{"action": "x"}]), "the key id is missing"),
    "action not mirrored": (
        lambda body: body["outgoing_action"][0].update(data=None),
        "outgoing_action[0]: payload and data must be equal",
    ),
    "action with empty payload": (
        lambda body: body["outgoing_action"][0].update(payload={}, data={}),
        "outgoing_action[0].payload: expected a filled object or null",
    ),
}


@pytest.mark.parametrize(("change", "problem"), WRONG.values(), ids=WRONG)
def test_a_wrong_body_is_refused_with_the_reason(
    change: Change, problem: str, upstreams: SimulatedUpstreams, captivate_body: dict[str, Any]
) -> None:
    change(captivate_body)

    answer = httpx.post(upstreams.captivate_url + SEND_MESSAGE, json=captivate_body)

    assert answer.status_code == 422
    assert any(problem in reason for reason in answer.json()["detail"]), answer.json()
    assert upstreams.deliveries("session-1") == []
    assert [(call.status, call.acted) for call in upstreams.calls()] == [(422, False)]


RIGHT: dict[str, Change] = {
    "as it is": lambda body: None,
    "no messages": lambda body: body.update(response=[]),
    "no actions ever": lambda body: body.update(outgoing_action=None),
    "no actions left": lambda body: body.update(outgoing_action=[]),
    "no user": lambda body: channel_of(body).update(user=None),
    "empty session": lambda body: body.update(session_id=""),
}


@pytest.mark.parametrize("change", RIGHT.values(), ids=RIGHT)
def test_a_documented_body_is_accepted(
    change: Change, upstreams: SimulatedUpstreams, captivate_body: dict[str, Any]
) -> None:
    body = copy.deepcopy(captivate_body)
    change(body)

    answer = httpx.post(upstreams.captivate_url + SEND_MESSAGE, json=body)

    assert answer.status_code == 200, answer.json()
    assert upstreams.calls()[0].fields == body


@pytest.mark.parametrize("text", ["", "[", "null", "[]", '"\ud800"'.encode("utf-8", "surrogatepass")])
def test_a_body_that_is_no_json_object_is_refused(text: str | bytes, upstreams: SimulatedUpstreams) -> None:
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(upstreams.captivate_url + SEND_MESSAGE, content=text, headers=headers)

    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_nan_is_not_json(upstreams: SimulatedUpstreams, captivate_body: dict[str, Any]) -> None:
    channel_of(captivate_body)["custom"]["score"] = float("nan")
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(upstreams.captivate_url + SEND_MESSAGE, content=json.dumps(captivate_body), headers=headers)

    assert (answer.status_code, answer.json()["detail"]) == (422, ["the body is not JSON in UTF-8"])


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
def test_the_content_type_must_say_json(
    content_type: str, upstreams: SimulatedUpstreams, captivate_body: dict[str, Any]
) -> None:
    content = json.dumps(captivate_body)
    headers = {"Content-Type": content_type}
    answer = httpx.post(upstreams.captivate_url + SEND_MESSAGE, content=content, headers=headers)

    assert (answer.status_code, answer.json()["detail"]) == (422, ["Content-Type: expected application/json"])


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", SEND_MESSAGE, 405), ("POST", "/api/channel/sendMessage", 404)]
)
def test_unknown_addresses_are_refused(
    method: str, path: str, status: int, upstreams: SimulatedUpstreams, captivate_body: dict[str, Any]
) -> None:
    assert httpx.request(method, upstreams.captivate_url + path, json=captivate_body).status_code == status
    assert upstreams.deliveries("session-1") == []
