"""Reading a request and making its answer: the documented functions one by one (seed "Functions Overview")."""

from __future__ import annotations

import copy
import json
import math
import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from worker.clients.captivate import (
    Captivate,
    CaptivateError,
    CaptivatePayloadError,
    CaptivateResponseModel,
    CaptivateValueError,
    ChannelMetadataModel,
    TextMessageModel,
    UserModel,
)

CHANNEL = "metadata.internal.channelMetadata"


def _channel(payload: dict[str, Any]) -> dict[str, Any]:
    channel: dict[str, Any] = payload["metadata"]["internal"]["channelMetadata"]
    return channel


def test_what_came_in_can_be_read(captivate: Captivate, payload: dict[str, Any]) -> None:
    assert captivate.get_session_id() == "session-secret-1"
    assert captivate.get_user_input() == "hello-secret"
    assert captivate.get_has_livechat() is True
    assert captivate.get_files() == payload["files"]
    assert captivate.get_channel() == "custom-channel"
    assert captivate.get_created_at() == "2026-01-01T00:00:00Z"
    assert captivate.get_updated_at() == "2026-01-02T00:00:00Z"
    user = captivate.get_user()
    assert user is not None
    assert (user.firstName, user.lastName, user.email) == ("Lance", "Safa", "l@example.com")
    actions = captivate.get_incoming_action()
    assert actions is not None
    assert [action.model_dump() for action in actions] == [
        {"id": "sendEmail", "payload": {"email": "a@example.com"}, "data": {"email": "a@example.com"}}
    ]


def test_the_smallest_request() -> None:
    small = Captivate(session_id="", metadata={"internal": {"channelMetadata": {}}})  # type: ignore[arg-type]
    assert small.get_user_input() is None
    assert small.get_files() == []
    assert small.get_incoming_action() is None
    assert small.get_channel() is None
    assert small.get_user() is None
    assert small.get_created_at() is None
    assert small.get_updated_at() is None
    assert small.body() == {
        "response": [],
        "session_id": "",
        "metadata": {
            "internal": {
                "channelMetadata": {
                    "user": None,
                    "channelMetadata": {},
                    "custom": {},
                    "private": {},
                    "conversationCreatedAt": None,
                    "conversationUpdatedAt": None,
                }
            }
        },
        "outgoing_action": None,
        "hasLivechat": False,
    }


def test_the_body_is_exactly_the_documented_one(captivate: Captivate, payload: dict[str, Any]) -> None:
    captivate.set_response(response=[TextMessageModel(text="hi")])
    channel = _channel(payload)
    assert captivate.body() == {
        "response": [{"type": "text", "text": "hi"}],
        "session_id": "session-secret-1",
        "metadata": {
            "internal": {
                "channelMetadata": {
                    "user": {"firstName": "Lance", "lastName": "Safa", "email": "l@example.com"},
                    "channelMetadata": channel["channelMetadata"],
                    "custom": channel["custom"],
                    "private": {"score": 7},
                    "conversationCreatedAt": "2026-01-01T00:00:00Z",
                    "conversationUpdatedAt": "2026-01-02T00:00:00Z",
                }
            }
        },
        "outgoing_action": None,
        "hasLivechat": True,
    }
    assert captivate.get_response() == captivate.body() == captivate.response.model_dump()


def test_the_body_is_independent_of_the_conversation(captivate: Captivate) -> None:
    message = {"type": "custom", "parts": ["a"]}
    captivate.set_response([message])
    before = captivate.body()
    captivate.body()["metadata"]["internal"]["channelMetadata"]["custom"]["mode"] = "changed"
    captivate.body()["response"][0]["parts"].append("b")
    assert captivate.body() == before


def test_setters_never_write_into_the_payload(payload: dict[str, Any]) -> None:
    before = copy.deepcopy(payload)
    captivate = Captivate.parse(payload)
    captivate.set_metadata("new", 1)
    captivate.set_private_metadata("newer", 2)
    captivate.set_conversation_title("t")
    captivate.remove_metadata("score")
    captivate.set_user(None)
    assert payload == before


def test_metadata_values(captivate: Captivate) -> None:
    captivate.set_metadata("public", [1])
    captivate.set_private_metadata("secret", {"a": None})
    assert captivate.get_metadata("public") == [1]
    assert captivate.get_private_metadata("public") is None
    assert captivate.get_metadata("secret") == captivate.get_private_metadata("secret") == {"a": None}
    assert captivate.get_metadata("none") is None
    assert captivate.remove_metadata("secret") is True
    assert captivate.get_metadata("secret") is None
    assert captivate.remove_metadata("public") is True
    assert captivate.body()["metadata"]["internal"]["channelMetadata"]["private"] == {"score": 7}


@pytest.mark.parametrize("setter", ["set_metadata", "set_private_metadata"])
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("private", 1),
        ("title", 1),
        ("conversation_title", 1),
        ("$where", 1),
        (5, 1),
        ("ok", object()),
        ("ok", {"deep": [math.nan]}),
        ("ok", {1: 2}),
    ],
)
def test_setters_refuse_what_cannot_be_sent(captivate: Captivate, setter: str, key: Any, value: Any) -> None:
    before = captivate.body()
    with pytest.raises(CaptivateValueError) as caught:
        getattr(captivate, setter)(key, value)
    assert isinstance(caught.value, ValueError)
    assert captivate.body() == before


def test_a_key_is_public_or_private_never_both(captivate: Captivate) -> None:
    with pytest.raises(CaptivateValueError, match="private key"):
        captivate.set_metadata("score", 1)
    with pytest.raises(CaptivateValueError, match="public key"):
        captivate.set_private_metadata("mode", 1)


def test_the_title(captivate: Captivate) -> None:
    captivate.set_conversation_title("Lord of the rings")
    assert captivate.get_conversation_title() == "Lord of the rings"
    with pytest.raises(CaptivateValueError, match="must be text, not a int"):
        captivate.set_conversation_title(5)  # type: ignore[arg-type]


def test_the_user_can_be_replaced_and_removed(captivate: Captivate) -> None:
    captivate.set_user(UserModel(firstName="John"))
    sent = {"firstName": "John", "lastName": None, "email": None}
    assert captivate.body()["metadata"]["internal"]["channelMetadata"]["user"] == sent
    captivate.set_user(None)
    assert captivate.get_user() is None
    assert captivate.body()["metadata"]["internal"]["channelMetadata"]["user"] is None


def test_set_response_replaces(captivate: Captivate) -> None:
    captivate.set_response([TextMessageModel(text="a")])
    captivate.set_response([TextMessageModel(text="b")])
    assert captivate.body()["response"] == [{"type": "text", "text": "b"}]


def test_metadata_may_be_given_as_models() -> None:
    channel = ChannelMetadataModel(custom={"a": 1})
    captivate = Captivate(
        session_id="12345",
        hasLivechat=True,
        metadata={"internal": {"channelMetadata": channel}},  # type: ignore[arg-type]
    )
    assert captivate.get_metadata("a") == 1


def test_the_response_model_can_be_made_by_hand(captivate: Captivate) -> None:
    response = CaptivateResponseModel(
        response=[TextMessageModel(text="a"), {"type": "text", "more": 1}],
        session_id="s",
        metadata=captivate.metadata,
        hasLivechat=True,
    )
    assert response.model_dump()["response"] == [{"type": "text", "text": "a"}, {"type": "text", "more": 1}]
    with pytest.raises(ValidationError):
        CaptivateResponseModel(response=["text"], session_id="s", metadata=captivate.metadata, hasLivechat=True)


def test_it_survives_pickling(captivate: Captivate) -> None:
    captivate.set_response([TextMessageModel(text="a")])
    captivate.escalate_to_human()
    assert pickle.loads(pickle.dumps(captivate)).body() == captivate.body()


def test_its_text_form_shows_no_content(captivate: Captivate) -> None:
    captivate.set_response([TextMessageModel(text="answer-secret")])
    for shown in (repr(captivate), str(captivate)):
        assert "secret" not in shown
        assert "Lance" not in shown


@pytest.mark.parametrize("session_id", [None, ["private-word"], {"private-word": 1}, True, math.nan])
def test_a_request_without_a_session_is_refused(payload: dict[str, Any], session_id: Any) -> None:
    payload["session_id"] = session_id
    with pytest.raises(CaptivatePayloadError) as caught:
        Captivate.parse(payload)
    assert str(caught.value).startswith("session_id")
    assert "private-word" not in str(caught.value)
    assert isinstance(caught.value, CaptivateError)
    assert isinstance(caught.value, ValueError)
    assert caught.value.__cause__ is None, "the foreign text may quote content"
    payload.pop("session_id")
    with pytest.raises(CaptivatePayloadError, match="session_id"):
        Captivate.parse(payload)


def _too_deep() -> dict[str, Any]:
    deep: dict[str, Any] = {}
    for _ in range(3000):
        deep = {"private-word": deep}
    return deep


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda p: p.update(user_input=["private-word"]), "user_input"),
        (lambda p: p.update(hasLivechat="private-word"), "hasLivechat"),
        (lambda p: p.update(files="private-word"), "files"),
        (lambda p: p.update(files=["private-word"]), "files.0"),
        (lambda p: p.update(files=[None]), "files.0"),
        (lambda p: p.update(files=[{"type": "image/png", "private-word": _too_deep()}]), "files.0"),
        (lambda p: p.update(metadata="private-word"), "metadata"),
        (lambda p: p.update(metadata={"internal": ["private-word"]}), "metadata.internal"),
        (lambda p: p["metadata"]["internal"].update(channelMetadata=7), CHANNEL),
        (lambda p: _channel(p).update(custom=["private-word"]), f"{CHANNEL}.custom"),
        (lambda p: _channel(p).update(private=5), f"{CHANNEL}.private"),
        (lambda p: _channel(p).update(channelMetadata="private-word"), f"{CHANNEL}.channelMetadata"),
        (lambda p: _channel(p).update(custom={5: "private-word"}), f"{CHANNEL}.custom"),
        (lambda p: _channel(p).update(custom={"private-word": {1, 2}}), f"{CHANNEL}.custom"),
        (lambda p: _channel(p).update(custom={"private-word": 10**5000}), f"{CHANNEL}.custom"),
        (lambda p: _channel(p).update(custom=_too_deep()), f"{CHANNEL}.custom"),
        (lambda p: _channel(p).update({b"\xff": "private-word"}), CHANNEL),
        (lambda p: _channel(p).update(conversationUpdatedAt=["private-word"]), f"{CHANNEL}.conversationUpdatedAt"),
        (lambda p: _channel(p).update(user="private-word"), f"{CHANNEL}.user"),
        (lambda p: _channel(p)["user"].update(email=["private-word"]), f"{CHANNEL}.user.email"),
        (lambda p: p.update(incoming_action="private-word"), "incoming_action"),
        (lambda p: p.update(incoming_action=[{"id": "a"}, {"payload": {"private-word": 1}}]), "incoming_action.1"),
        (lambda p: p.update(incoming_action=[{"id": "a", "payload": "private-word"}]), "incoming_action.0.payload"),
        (lambda p: p.update(incoming_action=[{"id": "a", "payload": {"x": "private-word"}, "data": {"x": 2}}]),
         "incoming_action.0.data"),
    ],
)  # fmt: skip
def test_a_part_that_cannot_be_used_is_left_out_and_named(payload: dict[str, Any], change: Any, part: str) -> None:
    change(payload)
    captivate = Captivate.parse(payload)
    assert [left.part for left in captivate.left_out] == [part]
    assert "private-word" not in str(captivate.left_out)
    assert captivate.get_session_id() == "session-secret-1"
    if part != "user_input":
        assert captivate.get_user_input() == "hello-secret"
    assert json.loads(json.dumps(captivate.body(), allow_nan=False))["session_id"] == "session-secret-1"


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.update(session_id=5, user_input=7),
        lambda p: p.update(hasLivechat=None, files=None, incoming_action=None),
        lambda p: p.update(files={"type": "image/png", "url": "https://files.test/1"}),
        lambda p: p.update(incoming_action={"action": 7}),
        lambda p: p.pop("metadata"),
        lambda p: p.update(metadata={"internal": None}),
        lambda p: _channel(p).update(custom=None, private=None, channelMetadata=None, user=None),
        lambda p: _channel(p).update(conversationCreatedAt=1764316800000),
        lambda p: _channel(p)["user"].update(firstName=7),
    ],
)
def test_what_has_one_meaning_is_read(payload: dict[str, Any], change: Any) -> None:
    change(payload)
    captivate = Captivate.parse(payload)
    assert captivate.left_out == ()
    assert captivate.get_session_id() == str(payload["session_id"])
    assert captivate.get_user_input() == str(payload["user_input"])


@pytest.mark.parametrize("value", [None, "text", 5, [], [{}], b"{}"])
def test_what_is_no_object_is_no_request(value: object) -> None:
    with pytest.raises(CaptivatePayloadError, match="a Captivate request is a JSON object, not a"):
        Captivate.parse(value)


def test_the_plain_constructor_never_quotes_values(payload: dict[str, Any]) -> None:
    payload["user_input"] = ["private-word"]
    with pytest.raises(ValidationError) as caught:
        Captivate(**payload)
    assert "user_input" in str(caught.value)
    assert "private-word" not in str(caught.value)


@pytest.mark.parametrize("value", ["true", "no", 0, 1])
def test_loose_booleans_are_read(payload: dict[str, Any], value: Any) -> None:
    payload["hasLivechat"] = value
    assert Captivate.parse(payload).get_has_livechat() is (value in ("true", 1))
