"""Where we differ from the published client on purpose (protocols.md 2.9): each case shows both sides."""

from __future__ import annotations

import asyncio
import copy
import math
from typing import Any

import pytest

import worker.clients.captivate as ours

PATH = "/api/channel/v2/sendMessage"


@pytest.fixture
def both(official: Any, request_payload: dict[str, Any]) -> tuple[Any, Any]:
    """The seed's conversation on the published side and on ours."""
    return official.Captivate(**copy.deepcopy(request_payload)), ours.Captivate(**request_payload)


def _answer(captivate: Any) -> Any:
    return captivate.get_response()["response"]


def test_c1_the_payload_chooses_the_address_of_theirs_only(
    official: Any, recorder: Any, request_payload: dict[str, Any]
) -> None:
    request_payload["DEV_URL_V2"] = f"{recorder.origin}/stolen"
    asyncio.run(official.Captivate(**request_payload).async_send_message())
    asyncio.run(ours.Captivate(**request_payload).async_send_message(base_url=recorder.origin))
    assert [path for path, _, _ in recorder.requests] == ["/stolen", PATH]


def test_c2_the_payload_prefills_theirs_only(official: Any, request_payload: dict[str, Any]) -> None:
    request_payload["response"] = {
        **{key: request_payload[key] for key in ("session_id", "metadata", "hasLivechat")},
        "response": [{"type": "custom", "text": "injected"}],
        "outgoing_action": [{"id": "injected"}],
    }
    assert _answer(official.Captivate(**request_payload)) != []
    mine = ours.Captivate(**request_payload).get_response()
    assert (mine["response"], mine["outgoing_action"]) == ([], None)


def test_c6_only_ours_reads_the_old_title(both: Any) -> None:
    theirs, mine = both
    assert theirs.get_conversation_title() is None
    assert mine.get_conversation_title() == '"Latest Updates on EU Regulations"'


def test_c8_only_ours_is_honest_about_a_missing_key(both: Any) -> None:
    theirs, mine = both
    assert theirs.remove_metadata("missing") is True
    assert mine.remove_metadata("missing") is False


@pytest.mark.parametrize("key", ["private", "title", "conversation_title"])
def test_c9_only_ours_refuses_reserved_private_keys(official: Any, key: str) -> None:
    bare: dict[str, Any] = {"session_id": "s", "hasLivechat": False, "metadata": {"internal": {"channelMetadata": {}}}}
    official.Captivate(**bare).set_private_metadata(key, 1)
    with pytest.raises(ours.CaptivateValueError, match="reserved"):
        ours.Captivate(**bare).set_private_metadata(key, 1)


def test_c12_only_ours_refuses_nan(both: Any) -> None:
    theirs, mine = both
    theirs.set_metadata("k", math.nan)
    with pytest.raises(ours.CaptivateValueError):
        mine.set_metadata("k", math.nan)


def test_c15_only_ours_sends_the_title_of_files(official: Any, both: Any) -> None:
    for module, captivate in zip((official, ours), both, strict=True):
        file = module.FileModel(type="a/b", url="u")
        captivate.set_response([module.FileCollectionModel(title="Files", files=[file])])
    theirs, mine = both
    file = {"type": "a/b", "url": "u", "filename": None}
    assert _answer(theirs) == [{"type": "files", "files": [file]}]
    assert _answer(mine) == [{"type": "files", "files": [file], "title": "Files"}]


def test_c16_only_ours_wraps_a_lone_card(official: Any, both: Any) -> None:
    card = {"text": "t", "description": "d", "image_url": "i", "link": "l"}
    for module, captivate in zip((official, ours), both, strict=True):
        captivate.set_response([module.CardMessageModel(**card)])
    theirs, mine = both
    with pytest.warns(UserWarning, match="serialized value"):
        assert _answer(theirs) == [card]
    assert _answer(mine) == [{"type": "cards", "cards": [card]}]


def test_c17_and_c2_only_theirs_reads_custom_objects_as_models(official: Any, both: Any) -> None:
    custom = {"type": "unknown", "text": "a", "more": 1}
    arguments = {"session_id": "s", "metadata": {"internal": {"channelMetadata": {}}}, "hasLivechat": False}
    theirs = official.CaptivateResponseModel(**arguments, response=[custom]).model_dump()
    mine = ours.CaptivateResponseModel(**arguments, response=[custom]).model_dump()
    assert theirs["response"] == [{"type": "unknown", "text": "a"}]
    assert mine["response"] == [custom]


def test_c19_only_theirs_lets_the_type_be_overridden(official: Any) -> None:
    assert official.TextMessageModel(type="html", text="a").type == "html"
    with pytest.raises(ValueError, match="type"):
        ours.TextMessageModel(type="html", text="a")  # type: ignore[arg-type]


def test_c20_only_ours_reads_an_action_dict(both: Any) -> None:
    theirs, mine = both
    for captivate in both:
        captivate.set_outgoing_action([{"action": "go", "data": {"x": 1}}])
    assert mine.get_response()["outgoing_action"] == [{"id": "go", "payload": {"x": 1}, "data": {"x": 1}}]
    with pytest.warns(UserWarning, match="serialized value"):
        assert theirs.get_response()["outgoing_action"] == [{"action": "go", "data": {"x": 1}}]


def test_c26_only_ours_refuses_an_escalation_to_nobody(both: Any) -> None:
    theirs, mine = both
    theirs.escalate_to_agent("")
    with pytest.raises(ours.CaptivateValueError):
        mine.escalate_to_agent("")


def test_c27_c28_only_theirs_can_be_reassigned(both: Any) -> None:
    theirs, mine = both
    theirs.session_id = "other"
    assert theirs.get_response()["session_id"] != "other", "not even sent"
    with pytest.raises(ValueError, match="frozen"):
        mine.session_id = "other"
    with pytest.raises(ValueError, match="frozen"):
        mine.metadata = theirs.metadata


def test_c30_only_ours_accepts_a_request_without_has_livechat(official: Any, request_payload: dict[str, Any]) -> None:
    del request_payload["hasLivechat"]
    with pytest.raises(ValueError, match="hasLivechat"):
        official.Captivate(**request_payload)
    assert ours.Captivate(**request_payload).get_response()["hasLivechat"] is False


def test_c31_only_theirs_takes_an_unknown_environment_for_dev(
    official: Any, recorder: Any, request_payload: dict[str, Any]
) -> None:
    theirs = official.Captivate(**request_payload, DEV_URL_V2=recorder.origin + PATH)
    asyncio.run(theirs.async_send_message("production"))
    assert len(recorder.requests) == 1
    with pytest.raises(ValueError, match="choose dev or prod"):
        asyncio.run(ours.Captivate(**request_payload).async_send_message("production", base_url=recorder.origin))
    assert len(recorder.requests) == 1


def test_c36_only_theirs_fails_untyped_for_none(official: Any) -> None:
    with pytest.raises(TypeError):
        official.Captivate.model_validate(None)
    with pytest.raises(ours.CaptivatePayloadError):
        ours.Captivate.parse(None)


@pytest.mark.parametrize("agents", ["a", None, ["a", 5], {"a": 1}])
def test_c38_only_ours_refuses_agents_that_are_no_list_of_texts(both: Any, agents: Any) -> None:
    theirs, mine = both
    theirs.set_agents_list(agents)
    with pytest.raises(ours.CaptivateValueError, match="list of ids"):
        mine.set_agents_list(agents)
    mine.set_agents_list(["a"])


def test_c38_only_ours_does_not_take_a_private_name_for_the_agents(both: Any) -> None:
    theirs, mine = both
    for captivate in both:
        captivate.set_private_metadata("agents_list", ["p"])
    theirs.set_agents_list(["a"])
    with pytest.raises(ours.CaptivateValueError, match="private key"):
        mine.set_agents_list(["a"])


def test_only_ours_sees_an_escalation_without_a_word(both: Any) -> None:
    for captivate in both:
        captivate.enable_router_mode()
        captivate.escalate_to_agent_router()
    theirs, mine = both
    assert theirs.is_escalating_to_agent_router() is None, "as if it did not"
    assert mine.is_escalating_to_agent_router() == {}


def test_only_ours_reads_an_odd_list_of_agents_as_none(official: Any, request_payload: dict[str, Any]) -> None:
    request_payload["metadata"]["internal"]["channelMetadata"]["custom"] = {"agents_list": "a"}
    assert official.Captivate(**copy.deepcopy(request_payload)).get_agents() == "a"
    assert ours.Captivate(**request_payload).get_agents() is None


def test_only_theirs_looks_up_methods(both: Any) -> None:
    theirs, mine = both
    assert callable(theirs.metadata.get("model_dump"))
    assert mine.metadata.get("model_dump") is None


def test_a_chat_request_is_checked_when_it_becomes_a_conversation(official: Any) -> None:
    """It is loose. Theirs raises pydantic's error then, ours its own."""
    for side, error in ((official, ValueError), (ours, ours.CaptivatePayloadError)):
        request = side.ChatRequest(session_id="s", metadata={})
        with pytest.raises(error, match=r"metadata\.internal"):
            side.Captivate.create(request)


def test_the_first_endpoint_is_not_built(both: Any) -> None:
    """Deprecated there, and "will not be maintained"."""
    theirs, mine = both
    assert hasattr(theirs, "async_send_message_v1")
    assert not hasattr(mine, "async_send_message_v1")


def test_c39_only_ours_refuses_a_private_address(recorder: Any, both: Any) -> None:
    theirs, mine = both
    file_info = {"url": f"{recorder.origin}/a"}
    with pytest.raises(Exception, match="501"):  # it went there: the recorder knows no GET
        asyncio.run(theirs.download_file_to_memory(file_info))
    with pytest.raises(ours.DownloadFailed, match="not on the public internet"):
        asyncio.run(mine.download_file_to_memory(file_info))
