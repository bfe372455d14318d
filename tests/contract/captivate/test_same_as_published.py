"""The same operations on the published models and on ours give the same body, and the same bytes on the wire."""

from __future__ import annotations

import asyncio
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

import worker.clients.captivate as ours

PATH = "/api/channel/v2/sendMessage"

CARD = {"text": "t", "description": "d", "image_url": "i", "link": "l"}

Operation = Callable[[Any, Any], Any]

# Each operation gets the module of one side and a conversation of that side; what it returns is compared too.
OPERATIONS: dict[str, Operation] = {
    "nothing": lambda m, c: None,
    "empty response": lambda m, c: c.set_response([]),
    "text": lambda m, c: c.set_response([m.TextMessageModel(text="hi")]),
    "empty text": lambda m, c: c.set_response([m.TextMessageModel(text="")]),
    "unicode": lambda m, c: c.set_response([m.TextMessageModel(text="zażółć 😀 \u2028 \x00 \"'</script>")]),
    "three texts": lambda m, c: c.set_response([m.TextMessageModel(text=text) for text in ("a", "a", "b")]),
    "response replaced": lambda m, c: [c.set_response([m.TextMessageModel(text=t)]) for t in ("a", "b")],
    "button list": lambda m, c: c.set_response(
        [m.ButtonMessageModel(buttons={"title": "t", "options": [{"label": "Yes", "value": "Yes"}]})]
    ),
    "button object": lambda m, c: c.set_response([m.ButtonMessageModel(buttons={"options": {"label": "Yes"}})]),
    "button empty": lambda m, c: c.set_response([m.ButtonMessageModel(buttons={})]),
    "button anything": lambda m, c: c.set_response([m.ButtonMessageModel(buttons={"a": [1, 2.5, None, True, {}]})]),
    "table": lambda m, c: c.set_response([m.TableMessageModel(table="<table></table>")]),
    "html": lambda m, c: c.set_response([m.HtmlMessageModel(html="<h2>Today's & tomorrow's</h2>")]),
    "card": lambda m, c: c.set_response([m.CardCollectionModel(cards=[m.CardMessageModel(**CARD)])]),
    "cards from dicts": lambda m, c: c.set_response([m.CardCollectionModel(cards=[CARD, CARD])]),
    "no cards": lambda m, c: c.set_response([m.CardCollectionModel(cards=[])]),
    "file": lambda m, c: c.set_response(
        [m.FileCollectionModel(files=[m.FileModel(type="a/b", url="u", filename="f")])]
    ),
    "file by name": lambda m, c: c.set_response([m.FileCollectionModel(files=[m.FileModel(type="a/b", filename="f")])]),
    "file by url": lambda m, c: c.set_response([m.FileCollectionModel(files=[{"type": "", "url": "u"}])]),
    "no files": lambda m, c: c.set_response([m.FileCollectionModel(files=[])]),
    "unknown keys dropped": lambda m, c: c.set_response([m.TextMessageModel(text="a", colour="red")]),
    "custom message": lambda m, c: c.set_response([{"type": "custom", "content": "x"}]),
    "custom empty": lambda m, c: c.set_response([{}]),
    "custom pause": lambda m, c: c.set_response([{"type": "pause", "time": 800}]),
    "custom like text": lambda m, c: c.set_response([{"type": "text", "text": "a", "more": [1]}]),
    "custom like cards": lambda m, c: c.set_response([{"type": "cards", **CARD}]),
    "custom numbers": lambda m, c: c.set_response([{"a": 1, "b": 1.5, "c": -0.0, "d": 1e100, "e": 2**70, "f": True}]),
    "custom tuple": lambda m, c: c.set_response([{"a": (1, 2)}]),
    "mixed": lambda m, c: c.set_response([m.TextMessageModel(text="a"), {"b": 1}, m.HtmlMessageModel(html="c")]),
    "action": lambda m, c: c.set_outgoing_action([m.ActionModel(id="a")]),
    "action payload": lambda m, c: c.set_outgoing_action([m.ActionModel(id="a", payload={"x": 1})]),
    "action data": lambda m, c: c.set_outgoing_action([m.ActionModel(id="a", data={"x": {"y": []}})]),
    "action both": lambda m, c: c.set_outgoing_action([m.ActionModel(id="a", payload={"x": 1}, data={"x": 1})]),
    "action empty payload": lambda m, c: c.set_outgoing_action([m.ActionModel(id="a", payload={})]),
    "action empty and full": lambda m, c: c.set_outgoing_action([m.ActionModel(id="a", payload={}, data={"x": 1})]),
    "action by alias": lambda m, c: c.set_outgoing_action([m.ActionModel(action="a")]),
    "action alias wins": lambda m, c: c.set_outgoing_action([m.ActionModel(id="a", action="b")]),
    "two actions": lambda m, c: c.set_outgoing_action([m.ActionModel(id="a"), m.ActionModel(id="a")]),
    "no actions": lambda m, c: c.set_outgoing_action([]),
    "actions cleared": lambda m, c: [c.set_outgoing_action([m.ActionModel(id="a")]), c.set_outgoing_action(None)],
    "to human": lambda m, c: c.escalate_to_human(),
    "to router": lambda m, c: c.escalate_to_agent_router(),
    "to router with all": lambda m, c: c.escalate_to_agent_router("r", "i", "a,b"),
    "to router with list": lambda m, c: c.escalate_to_agent_router(recommended_agents=["a", "b"]),
    "to router with blanks": lambda m, c: c.escalate_to_agent_router(reason="", intent=" ", recommended_agents=[]),
    "to agent": lambda m, c: c.escalate_to_agent("a"),
    "to agent with reason": lambda m, c: c.escalate_to_agent(agent_id="a", reason="r"),
    "to agent with blank reason": lambda m, c: c.escalate_to_agent("a", ""),
    "escalation replaces": lambda m, c: [c.set_outgoing_action([m.ActionModel(id="a")]), c.escalate_to_human()],
    "title": lambda m, c: [c.set_conversation_title("New \"title\""), c.get_conversation_title()],
    "empty title": lambda m, c: [c.set_conversation_title(""), c.get_conversation_title()],
    "metadata": lambda m, c: [c.set_metadata("k", {"v": [1]}), c.get_metadata("k"), c.get_private_metadata("k")],
    "metadata none": lambda m, c: [c.set_metadata("k", None), c.get_metadata("k")],
    "metadata empty key": lambda m, c: [c.set_metadata("", 1), c.get_metadata("")],
    "metadata dollar inside": lambda m, c: c.set_metadata("k", {"$gt": 1}),
    "metadata overwritten": lambda m, c: [c.set_metadata("mode", 1), c.get_metadata("mode")],
    "metadata changed in place": lambda m, c: [c.set_metadata("k", []), c.get_metadata("k").append(1)],
    "metadata missing": lambda m, c: c.get_metadata("missing"),
    "private": lambda m, c: [c.set_private_metadata("p", 1), c.get_private_metadata("p"), c.get_metadata("p")],
    "private missing": lambda m, c: c.get_private_metadata("missing"),
    "removed": lambda m, c: [c.set_metadata("k", 1), c.remove_metadata("k"), c.get_metadata("k")],
    "removed private": lambda m, c: [c.set_private_metadata("p", 1), c.remove_metadata("p"), c.get_metadata("p")],
    "removed title": lambda m, c: [c.set_conversation_title("t"), c.remove_metadata("title")],
    "user": lambda m, c: c.set_user(m.UserModel(firstName="John", lastName="Doe")),
    "user with everything": lambda m, c: c.set_user(m.UserModel(firstName="", lastName=None, email="no address")),
    "user removed": lambda m, c: [c.set_user(None), c.get_user()],
    "reading": lambda m, c: [
        c.get_session_id(), c.get_user_input(), c.get_has_livechat(), c.get_channel(), c.get_created_at(),
        c.get_updated_at(), c.get_user() and c.get_user().model_dump(),
        c.get_agents(), c.get_agents_list(), c.is_router_mode(),
        c.get_incoming_action() and [action.model_dump() for action in c.get_incoming_action()],
    ],
    "agents list": lambda m, c: [c.set_agents_list(["a", "b"]), c.get_agents_list(), c.get_agents()],
    "no agents": lambda m, c: [c.set_agents_list([]), c.get_agents_list()],
    "agents of a router": lambda m, c: [c.enable_router_mode(), c.set_agents(["a"]), c.get_agents()],
    "agents removed": lambda m, c: [c.set_agents_list(["a"]), c.remove_metadata("agents_list"), c.get_agents()],
    "agents by hand": lambda m, c: [c.set_metadata("agents_list", ["a"]), c.get_agents_list()],
    "router mode": lambda m, c: [
        c.is_router_mode(), c.enable_router_mode(), c.is_router_mode(), c.disable_router_mode(), c.is_router_mode(),
    ],
    "no action to look at": lambda m, c: [
        c.enable_router_mode(), c.get_outgoing_action(), c.is_escalating_to_agent_router(),
    ],
    "action looked at": lambda m, c: [
        c.enable_router_mode(), c.escalate_to_agent_router("r", "i", ["a"]),
        [action.model_dump() for action in c.get_outgoing_action()], c.is_escalating_to_agent_router(),
    ],
    "action of another kind": lambda m, c: [
        c.enable_router_mode(), c.escalate_to_agent("a"), c.is_escalating_to_agent_router(),
    ],
    "second action": lambda m, c: [
        c.enable_router_mode(),
        c.set_outgoing_action(
            [m.ActionModel(id="a"), m.ActionModel(id="escalate_to_agent_router", data={"intent": "i"})]
        ),
        c.is_escalating_to_agent_router(),
    ],
    "custom": lambda m, c: [
        _channel(c).set_custom("k", 1), _channel(c).get_custom("k"), _channel(c).remove_custom("k") and None,
        _channel(c).get_custom("k"), _channel(c).set_custom("l", 2),
    ],
    "agents of the channel": lambda m, c: [_channel(c).set_agents(["a"]), _channel(c).get_agents()],
    "looked up": lambda m, c: [
        c.set_metadata("k", 1), c.set_private_metadata("p", 2), _channel(c).channelMetadata.update(c=3),
        [_channel(c).get(key, "no") for key in ("k", "p", "c", "custom", "conversationCreatedAt", "missing")],
        _channel(c).get("missing"), c.metadata.get("missing"), c.metadata.internal.get("missing", "no"),
        c.metadata.get("internal").get("channelMetadata") is _channel(c),
    ],
    "everything": lambda m, c: [
        c.set_conversation_title("t"),
        c.set_response([m.TextMessageModel(text="a"), {"type": "custom"}]),
        c.set_metadata("k", 1),
        c.set_private_metadata("p", 2),
        c.set_user(m.UserModel(email="e")),
        c.set_outgoing_action([m.ActionModel(id="a", data={"x": 1})]),
    ],
}  # fmt: skip


def _channel(captivate: Any) -> Any:
    return captivate.metadata.internal.channelMetadata


def _with(payload: dict[str, Any], **changes: Any) -> dict[str, Any]:
    payload = copy.deepcopy(payload)
    payload["metadata"]["internal"]["channelMetadata"].update(changes)
    return payload


REQUESTS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "the seed's": lambda p: p,
    "smallest": lambda p: {"session_id": "", "hasLivechat": True, "metadata": {"internal": {"channelMetadata": {}}}},
    "no user": lambda p: _with(p, user=None),
    "agents": lambda p: _with(p, custom={"agents_list": ["a", "b"]}),
    "half a user": lambda p: _with(p, user={"email": "e", "phone": "1"}),
    "private": lambda p: _with(p, private={"score": {"a": [1]}, "mode": 2}),
    "times": lambda p: _with(p, conversationCreatedAt="2026-01-01T00:00:00Z", conversationUpdatedAt="yesterday"),
    "no channel": lambda p: _with(p, channelMetadata={}),
    "dollar keys": lambda p: _with(p, custom={"$x": 1, "private": 2, "": 3}),
    "loose boolean": lambda p: {**p, "hasLivechat": "yes"},
    "files": lambda p: {**p, "files": [{"type": "image/png", "url": "u", "extra": {"a": 1}}]},
    "no actions": lambda p: {**p, "incoming_action": []},
    "action by alias": lambda p: {**p, "incoming_action": [{"action": "x", "data": {"a": 1}}]},
    "unknown keys": lambda p: {**p, "trace": 1, "internal": {}, "metadata": {**p["metadata"], "more": 1}},
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS.keys())
@pytest.mark.parametrize("request_name", ["the seed's", "smallest"])
def test_operations_give_the_same_body(
    official: Any, request_payload: dict[str, Any], request_name: str, operation: Operation
) -> None:
    payload = REQUESTS[request_name](request_payload)
    theirs, mine = official.Captivate(**copy.deepcopy(payload)), ours.Captivate(**payload)
    assert operation(ours, mine) == operation(official, theirs)
    assert mine.get_response() == theirs.get_response()
    assert json.dumps(mine.body()) == json.dumps(theirs.get_response())


@pytest.mark.parametrize("change", REQUESTS.values(), ids=REQUESTS.keys())
def test_requests_give_the_same_body(
    official: Any, request_payload: dict[str, Any], change: Callable[[Any], Any]
) -> None:
    payload = change(request_payload)
    theirs, mine = official.Captivate(**copy.deepcopy(payload)), ours.Captivate.parse(payload)
    assert json.dumps(mine.body()) == json.dumps(theirs.get_response())
    assert OPERATIONS["reading"](ours, mine) == OPERATIONS["reading"](official, theirs)
    assert mine.get_files() == (theirs.get_files() or [])


@pytest.mark.parametrize("change", REQUESTS.values(), ids=REQUESTS.keys())
def test_create_reads_a_dict_and_a_chat_request(official: Any, request_payload: dict[str, Any], change: Any) -> None:
    payload = change(request_payload)
    for kind in (dict, "ChatRequest"):
        theirs, mine = (
            side.Captivate.create(
                copy.deepcopy(payload) if kind is dict else side.ChatRequest(**copy.deepcopy(payload))
            )
            for side in (official, ours)
        )
        assert json.dumps(mine.body()) == json.dumps(theirs.get_response())
        assert OPERATIONS["reading"](ours, mine) == OPERATIONS["reading"](official, theirs)


@pytest.mark.parametrize(
    "changes",
    [{}, {"files": None}, {"incoming_action": [{"anything": 1}]}, {"metadata": {}}, {"hasLivechat": "yes", "more": 1}],
)
def test_a_chat_request_has_the_same_fields(official: Any, request_payload: dict[str, Any], changes: Any) -> None:
    smallest = {key: request_payload[key] for key in ("session_id", "metadata")}
    for payload in ({**request_payload, **changes}, {**smallest, **changes}):
        theirs, mine = (side.ChatRequest(**copy.deepcopy(payload)) for side in (official, ours))
        assert mine.model_dump() == theirs.model_dump()


@pytest.mark.parametrize(
    "changes", [{"session_id": 5}, {"metadata": None}, {"files": ["a"]}, {"hasLivechat": None}, {"user_input": 5}]
)
def test_the_same_chat_requests_are_refused(official: Any, request_payload: dict[str, Any], changes: Any) -> None:
    for side in (official, ours):
        with pytest.raises(ValueError):  # noqa: PT011 - both are pydantic's
            side.ChatRequest(**{**request_payload, **changes})


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p.pop("session_id"),
        lambda p: p.update(session_id=5),
        lambda p: p.update(session_id=None),
        lambda p: p.update(hasLivechat=None),
        lambda p: p.update(hasLivechat="maybe"),
        lambda p: p.update(user_input=5),
        lambda p: p.pop("metadata"),
        lambda p: p.update(metadata={}),
        lambda p: p.update(metadata={"internal": {}}),
        lambda p: p.update(metadata={"internal": {"channelMetadata": {"custom": None}}}),
        lambda p: p.update(metadata={"internal": {"channelMetadata": {"private": None}}}),
        lambda p: p.update(metadata={"internal": {"channelMetadata": {"user": {"email": 5}}}}),
        lambda p: p.update(files=["a"]),
        lambda p: p.update(incoming_action=[{"payload": {}}]),
        lambda p: p.update(incoming_action=[{"id": "a", "payload": {"x": 1}, "data": {"x": 2}}]),
    ],
)
def test_the_same_requests_are_refused(official: Any, request_payload: dict[str, Any], change: Any) -> None:
    """By the model. ``parse`` reads what a platform sends, and needs nothing but the id of the session."""
    change(request_payload)
    with pytest.raises(ValueError):  # noqa: PT011 - the published error is pydantic's
        official.Captivate(**request_payload)
    with pytest.raises(ValueError):  # noqa: PT011
        ours.Captivate(**request_payload)
    with pytest.raises(ours.CaptivatePayloadError):
        ours.Captivate.create(request_payload)
    if isinstance(request_payload.get("session_id"), str | int):
        ours.Captivate.parse(request_payload).body()
        return
    with pytest.raises(ours.CaptivatePayloadError, match="session_id"):
        ours.Captivate.parse(request_payload)


@pytest.mark.parametrize(
    "operation",
    [
        lambda m, c: c.set_metadata("private", 1),
        lambda m, c: c.set_metadata("title", 1),
        lambda m, c: c.set_metadata("conversation_title", 1),
        lambda m, c: c.set_metadata("$x", 1),
        lambda m, c: c.set_metadata(5, 1),
        lambda m, c: c.set_metadata("k", object()),
        lambda m, c: c.set_private_metadata("mode", 1),
        lambda m, c: c.set_private_metadata("$x", 1),
        lambda m, c: c.set_private_metadata("k", {1, 2}),
        lambda m, c: [c.set_private_metadata("p", 1), c.set_metadata("p", 2)],
        lambda m, c: m.ActionModel(id="a", payload={"x": 1}, data={"x": 2}),
        lambda m, c: c.set_agents(["a"]),
        lambda m, c: c.get_outgoing_action(),
        lambda m, c: c.is_escalating_to_agent_router(),
        lambda m, c: [c.enable_router_mode(), c.disable_router_mode(), c.set_agents(["a"])],
        lambda m, c: [c.set_agents_list(["a"]), c.set_agents_list(["a"])],
        lambda m, c: [c.enable_router_mode(), c.set_agents(["a"]), c.set_agents_list(["b"])],
        lambda m, c: [c.set_agents_list(["a"]), _channel(c).set_agents(["a"])],
        lambda m, c: _channel(c).set_custom("title", 1),
        lambda m, c: m.Captivate.create("text"),
        lambda m, c: m.ActionModel(payload={}),
        lambda m, c: m.FileModel(type="a/b"),
        lambda m, c: m.FileModel(type="a/b", url="", filename=""),
        lambda m, c: m.TextMessageModel(text=None),
        lambda m, c: m.ButtonMessageModel(buttons=[]),
        lambda m, c: m.CardMessageModel(text="t"),
    ],
)
def test_the_same_operations_are_refused(official: Any, request_payload: dict[str, Any], operation: Operation) -> None:
    for module in (official, ours):
        with pytest.raises(ValueError):  # noqa: PT011 - each side has its own type below ValueError
            operation(module, module.Captivate(**copy.deepcopy(request_payload)))


# What is done to an answer has nothing to do with where it is sent.
@pytest.mark.parametrize(
    ("operation", "environment"),
    [
        *(pytest.param(operation, "dev", id=name) for name, operation in OPERATIONS.items()),
        pytest.param(OPERATIONS["three texts"], "prod", id="prod"),
    ],
)
def test_the_same_bytes_are_sent(
    official: Any, recorder: Any, request_payload: dict[str, Any], operation: Operation, environment: str
) -> None:
    """The published client lets the payload choose the address (C1): here that leads it to the recorder."""
    address = recorder.origin + PATH
    theirs = official.Captivate(**copy.deepcopy(request_payload), DEV_URL_V2=address, PROD_URL_V2=address)
    mine = ours.Captivate(**request_payload)
    operation(official, theirs)
    operation(ours, mine)
    their_answer = asyncio.run(theirs.async_send_message(environment=environment))
    my_answer = asyncio.run(mine.async_send_message(environment=environment, base_url=recorder.origin))
    (their_path, their_headers, their_body), (my_path, my_headers, my_body) = recorder.requests
    assert (my_path, my_body) == (their_path, their_body)
    assert my_headers["content-type"] == their_headers["content-type"]
    assert my_headers["content-length"] == their_headers["content-length"]
    assert my_answer == their_answer == {"ok": True}
