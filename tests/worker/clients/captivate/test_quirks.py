"""The table of quirks and decisions, row by row (protocols.md 2.9). "either" rows say here what was chosen."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import pytest
from pydantic import ValidationError

from worker.clients.captivate import (
    ActionModel,
    Captivate,
    CaptivateClient,
    CaptivatePayloadError,
    CaptivateValueError,
    CardCollectionModel,
    CardMessageModel,
    DownloadFailed,
    FileCollectionModel,
    FileModel,
    TextMessageModel,
    UserModel,
)

CARD = {"text": "t", "description": "d", "image_url": "i", "link": "l"}


def _sent(captivate: Captivate) -> dict[str, Any]:
    sent: dict[str, Any] = captivate.body()["metadata"]["internal"]["channelMetadata"]
    return sent


@pytest.mark.parametrize("key", ["DEV_URL", "PROD_URL", "DEV_URL_V2", "PROD_URL_V2", "base_url", "environment"])
def test_c1_a_request_cannot_choose_the_address(server: Any, payload: dict[str, Any], key: str) -> None:
    captivate = Captivate.parse({**payload, key: "http://127.0.0.1:9/stolen"})
    asyncio.run(captivate.async_send_message("prod", base_url=server.origin))
    assert server.requests[0].line == "POST /api/channel/v2/sendMessage HTTP/1.1"
    assert "stolen" not in json.dumps(captivate.body())


def test_c2_a_request_cannot_prefill_the_answer(payload: dict[str, Any]) -> None:
    injected = {
        "response": {"response": [{"type": "text", "text": "injected"}], "session_id": "x", "hasLivechat": False},
        "outgoing_action": [{"id": "injected"}],
        "_messages": [{"type": "text", "text": "injected"}],
        "_actions": [{"id": "injected"}],
    }
    assert Captivate.parse({**payload, **injected}).body() == Captivate.parse(payload).body()


def test_c3_unknown_metadata_is_readable_and_not_sent(captivate: Captivate) -> None:
    metadata: Any = captivate.metadata
    channel: Any = metadata.internal.channelMetadata
    user: Any = captivate.get_user()
    assert (metadata.trace, metadata.internal.tenant, channel.course_id, user.nick) == ("x", "t-1", "abc", "lan")
    assert channel.phoneNumber is None
    text = json.dumps(captivate.body())
    assert not any(key in text for key in ("trace", "tenant", "course_id", "phoneNumber", "nick"))


def test_c4_private_is_always_sent(payload: dict[str, Any]) -> None:
    del payload["metadata"]["internal"]["channelMetadata"]["private"]
    assert _sent(Captivate.parse(payload))["private"] == {}


def test_c5_the_title_is_written_twice(captivate: Captivate) -> None:
    captivate.set_conversation_title("New")
    assert _sent(captivate)["custom"] == {
        "mode": "plain",
        "title": {"type": "title", "title": "New"},
        "conversation_title": "New",
    }


def test_c6_chosen_the_old_title_is_read(captivate: Captivate) -> None:
    assert captivate.get_conversation_title() == "Old title"


def test_c7_chosen_removing_title_leaves_conversation_title(captivate: Captivate) -> None:
    """Exactly the key that was named goes, as with the original."""
    captivate.set_conversation_title("New")
    captivate.remove_metadata("title")
    assert _sent(captivate)["custom"] == {"mode": "plain", "conversation_title": "New"}


def test_c8_chosen_removing_nothing_is_false(captivate: Captivate) -> None:
    assert captivate.remove_metadata("never set") is False
    assert captivate.remove_metadata("mode") is True


@pytest.mark.parametrize("key", ["private", "title", "conversation_title"])
def test_c9_chosen_reserved_names_are_refused_in_private(captivate: Captivate, key: str) -> None:
    with pytest.raises(CaptivateValueError, match="reserved"):
        captivate.set_private_metadata(key, "x")


def test_c9_a_private_title_that_came_in_is_read_first(payload: dict[str, Any]) -> None:
    payload["metadata"]["internal"]["channelMetadata"]["private"] = {"conversation_title": "Hidden"}
    captivate = Captivate.parse(payload)
    captivate.set_conversation_title("Shown")
    assert captivate.get_conversation_title() == "Hidden"


def test_c10_collisions_that_came_in_are_sent_back(payload: dict[str, Any]) -> None:
    channel = payload["metadata"]["internal"]["channelMetadata"]
    channel["custom"], channel["private"] = {"a": 1}, {"a": 2}
    captivate = Captivate.parse(payload)
    assert captivate.get_metadata("a") == 2
    assert (_sent(captivate)["custom"], _sent(captivate)["private"]) == ({"a": 1}, {"a": 2})


def test_c11_dollar_keys_are_refused_at_the_top_only(payload: dict[str, Any]) -> None:
    payload["metadata"]["internal"]["channelMetadata"]["custom"] = {"$in": 1}
    captivate = Captivate.parse(payload)
    captivate.set_metadata("query", {"$gt": 1})
    assert _sent(captivate)["custom"] == {"$in": 1, "query": {"$gt": 1}}
    with pytest.raises(CaptivateValueError, match="starts with"):
        captivate.set_metadata("$gt", 1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, [{"a": math.nan}]])
def test_c12_nan_is_refused_by_the_setter(captivate: Captivate, value: Any) -> None:
    with pytest.raises(CaptivateValueError, match="NaN"):
        captivate.set_metadata("ratio", value)


def test_c12_nan_in_a_request_becomes_null_before_anyone_answers_it(payload: dict[str, Any]) -> None:
    """Python's JSON reader takes NaN: with it the answer could never be sent."""
    payload["metadata"]["internal"]["channelMetadata"]["custom"] = json.loads('{"a": NaN}')
    sent = Captivate.parse(payload).body()["metadata"]["internal"]["channelMetadata"]["custom"]
    assert sent == {"a": None}


def test_c13_cards_nest(captivate: Captivate) -> None:
    captivate.set_response([CardCollectionModel(cards=[CardMessageModel(**CARD)])])
    assert captivate.body()["response"] == [{"type": "cards", "cards": [CARD]}]


@pytest.mark.parametrize("options", [[{"label": "Yes", "value": "Yes"}], {"label": "Yes"}, [], "text", None])
def test_c14_button_options_pass_unchanged(captivate: Captivate, options: Any) -> None:
    message = {"type": "button", "buttons": {"title": "t", "options": options}}
    captivate.set_response([message])
    assert captivate.body()["response"] == [message]


def test_c15_chosen_a_files_title_is_sent_when_given(captivate: Captivate) -> None:
    file = FileModel(type="a/b", url="u")
    captivate.set_response([FileCollectionModel(title="See below", files=[file]), FileCollectionModel(files=[file])])
    titled, untitled = captivate.body()["response"]
    assert titled["title"] == "See below"
    assert "title" not in untitled


@pytest.mark.parametrize(
    "response",
    ["hello", None, 5, {"type": "text"}, TextMessageModel(text="a"), ["hello"], [None], [[]], [ActionModel(id="a")]],
)
def test_c16_what_is_no_message_is_refused(captivate: Captivate, response: Any) -> None:
    captivate.set_response([TextMessageModel(text="before")])
    with pytest.raises(CaptivateValueError):
        captivate.set_response(response)
    assert captivate.body()["response"] == [{"type": "text", "text": "before"}]


def test_c16_a_lone_card_or_file_is_wrapped(captivate: Captivate) -> None:
    captivate.set_response([CardMessageModel(**CARD), FileModel(type="a/b", url="u")])
    assert captivate.body()["response"] == [
        {"type": "cards", "cards": [CARD]},
        {"type": "files", "files": [{"type": "a/b", "url": "u", "filename": None}]},
    ]


@pytest.mark.parametrize(
    "message",
    [{"type": "text", "text": "a", "more": 1}, {"type": "unknown", "text": "a", "html": 5}, {"text": None}, {}],
)
def test_c17_custom_messages_are_never_read_as_models(captivate: Captivate, message: dict[str, Any]) -> None:
    captivate.set_response([message])
    assert captivate.body()["response"] == [message]


def test_c18_fields_that_a_subclass_adds_are_sent(captivate: Captivate) -> None:
    class Delayed(TextMessageModel):
        delay: int

    captivate.set_response([Delayed(text="a", delay=5)])
    assert captivate.body()["response"] == [{"type": "text", "text": "a", "delay": 5}]


def test_c19_chosen_the_type_of_a_model_is_fixed() -> None:
    assert TextMessageModel(type="text", text="a").type == "text"
    with pytest.raises(ValidationError):
        TextMessageModel(type="html", text="a")  # type: ignore[arg-type]


def test_c20_dicts_for_user_and_actions_are_validated(captivate: Captivate) -> None:
    captivate.set_user({"firstName": "A", "other": 1})
    assert _sent(captivate)["user"] == {"firstName": "A", "lastName": None, "email": None}
    with pytest.raises(CaptivateValueError, match="user: email"):
        captivate.set_user({"email": 5})
    captivate.set_outgoing_action([{"action": "go", "data": {"x": 1}}])
    assert captivate.body()["outgoing_action"] == [{"id": "go", "payload": {"x": 1}, "data": {"x": 1}}]


@pytest.mark.parametrize("field", ["id", "payload", "data"])
def test_c21_actions_cannot_drift_apart(field: str) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        setattr(ActionModel(id="a", data={"x": 1}), field, None)


def test_c22_an_empty_payload_becomes_null() -> None:
    assert ActionModel(id="a", payload={}).model_dump() == {"id": "a", "payload": None, "data": None}


def test_c23_payload_and_data_that_differ_are_refused(payload: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="payload and data differ"):
        ActionModel(id="a", payload={"x": 1}, data={"x": 2})
    payload["incoming_action"] = [{"id": "a", "payload": {"x": 1}, "data": {"x": 2}}]
    with pytest.raises(ValidationError):
        Captivate(**payload)
    captivate = Captivate.parse(payload)
    assert captivate.get_incoming_action() == [ActionModel(id="a", payload={"x": 1})]
    assert captivate.left_out == (("incoming_action.0.data", "it differs from payload"),)


def test_c24_chosen_action_wins_over_id() -> None:
    assert ActionModel.model_validate({"id": "a", "action": "b"}).model_dump()["id"] == "b"


def test_c25_an_escalation_replaces_actions_and_keeps_messages(captivate: Captivate) -> None:
    captivate.set_response([TextMessageModel(text="a")])
    captivate.set_outgoing_action([ActionModel(id="first")])
    captivate.escalate_to_agent_router()
    captivate.escalate_to_human()
    body = captivate.body()
    assert [action["id"] for action in body["outgoing_action"]] == ["escalateToHuman"]
    assert body["response"] == [{"type": "text", "text": "a"}]


@pytest.mark.parametrize("agent_id", ["", "  ", None, 5])
def test_c26_an_escalation_to_nobody_is_refused(captivate: Captivate, agent_id: Any) -> None:
    with pytest.raises(CaptivateValueError, match="agent_id"):
        captivate.escalate_to_agent(agent_id)
    assert captivate.body()["outgoing_action"] is None


@pytest.mark.parametrize("field", ["session_id", "hasLivechat", "user_input", "files", "incoming_action"])
def test_c27_what_came_in_is_frozen(captivate: Captivate, field: str) -> None:
    before = captivate.body()
    with pytest.raises(ValidationError, match="frozen"):
        setattr(captivate, field, getattr(captivate, field))
    assert captivate.body() == before


def test_c28_metadata_cannot_be_replaced(captivate: Captivate) -> None:
    metadata = captivate.metadata
    for owner, field in (
        (captivate, "metadata"),
        (metadata, "internal"),
        (metadata.internal, "channelMetadata"),
        (metadata.internal.channelMetadata, "custom"),
        (metadata.internal.channelMetadata, "user"),
    ):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(owner, field, None)


def test_c29_chosen_get_response_is_an_object(captivate: Captivate) -> None:
    assert captivate.get_response() == captivate.body()
    assert json.loads(json.dumps(captivate.get_response())) == captivate.body()


def test_c30_chosen_a_missing_has_livechat_is_false(payload: dict[str, Any]) -> None:
    del payload["hasLivechat"]
    captivate = Captivate.parse(payload)
    assert captivate.get_has_livechat() is False
    assert captivate.body()["hasLivechat"] is False


@pytest.mark.parametrize("environment", ["production", "Prod", "DEV", "", "staging"])
def test_c31_unknown_environments_are_refused(captivate: Captivate, environment: Any) -> None:
    with pytest.raises(ValueError, match="choose dev or prod"):
        CaptivateClient(environment)
    with pytest.raises(ValueError, match="choose dev or prod"):
        asyncio.run(captivate.async_send_message(environment))


@pytest.mark.parametrize("body", [b"", b"<html>ok</html>", b"[1]", b"null", b'"ok"', b"\xff\xfe", b"{", b"[" * 99_999])
def test_c32_any_2xx_is_delivered(make_client: Any, server: Any, captivate: Captivate, body: bytes) -> None:
    server.answers(202, body)
    assert make_client().send_message(captivate) is None
    assert asyncio.run(captivate.async_send_message(base_url=server.origin)) == {}


def test_c32_a_2xx_that_breaks_off_is_delivered(make_client: Any, server: Any, captivate: Captivate) -> None:
    server.reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"
    assert make_client().send_message(captivate) is None


def test_c33_one_connection_serves_many_sends(make_client: Any, server: Any, captivate: Captivate) -> None:
    client = make_client()
    for _ in range(5):
        client.send_message(captivate)
    assert (len(server.requests), server.connections) == (5, 1)


def test_c34_no_credential_but_the_configured_header_is_sent(
    make_client: Any, server: Any, captivate: Captivate
) -> None:
    make_client(headers={"X-Gateway": "g"}).send_message(captivate)
    headers = server.requests[0].headers
    assert headers["x-gateway"] == "g"
    assert not {"authorization", "cookie", "x-api-key"} & set(headers)


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        ("a\ud83db", "a\N{REPLACEMENT CHARACTER}b"),
        ("\udc00", "\N{REPLACEMENT CHARACTER}"),
        ("\ud83d\ude00", "\N{GRINNING FACE}"),
        ("è\N{GRINNING FACE}", "è\N{GRINNING FACE}"),
    ],
)
def test_c35_chosen_half_an_emoji_arrives_as_a_replacement(
    make_client: Any, server: Any, payload: dict[str, Any], text: str, arrives: str
) -> None:
    payload["metadata"]["internal"]["channelMetadata"]["custom"] = {text: text}
    captivate = Captivate.parse(payload)
    captivate.set_response([TextMessageModel(text=text), {"x": text}])
    make_client().send_message(captivate)
    sent = server.requests[0].json
    assert sent["response"] == [{"type": "text", "text": arrives}, {"x": arrives}]
    assert sent["metadata"]["internal"]["channelMetadata"]["custom"] == {arrives: arrives}


def test_c36_none_is_a_typed_error() -> None:
    with pytest.raises(ValidationError):
        Captivate.model_validate(None)
    with pytest.raises(CaptivatePayloadError):
        Captivate.parse(None)


def test_c37_all_models_come_from_the_package_root() -> None:
    import worker.clients.captivate as package

    assert package.FileCollectionModel is FileCollectionModel
    assert package.CardCollectionModel is CardCollectionModel
    assert package.UserModel is UserModel
    assert isinstance(package.Captivate, type)


def test_c38_agents_list_stays_an_ordinary_value(captivate: Captivate) -> None:
    captivate.set_agents_list(["a"])
    captivate.set_metadata("agents_list", ["b"])
    assert _sent(captivate)["custom"]["agents_list"] == captivate.get_agents() == ["b"]


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://localhost/", "http://[::1]/", "http://[::ffff:127.0.0.1]/", "http://169.254.169.254/",
        "http://10.0.0.1/", "http://2130706433/", "http://0x7f.1/", "http://0/", "file:///etc/passwd", "ftp://example.com/",
        "http://user:pw@example.com/", "//example.com/", "",
    ],
)  # fmt: skip
def test_c39_only_public_addresses_are_downloaded_from(captivate: Captivate, url: str) -> None:
    with pytest.raises((DownloadFailed, CaptivateValueError)):
        asyncio.run(captivate.download_file_to_memory({"url": url}))
