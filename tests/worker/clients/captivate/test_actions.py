"""Actions: two spellings of the id, a mirrored payload, escalations (protocols.md 2.6)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from worker.clients.captivate import ActionModel, Captivate, CaptivateValueError


@pytest.mark.parametrize(
    ("given", "wire"),
    [
        ({"id": "a"}, {"id": "a", "payload": None, "data": None}),
        ({"action": "a"}, {"id": "a", "payload": None, "data": None}),
        ({"id": "a", "payload": {"x": 1}}, {"id": "a", "payload": {"x": 1}, "data": {"x": 1}}),
        ({"id": "a", "data": {"x": 1}}, {"id": "a", "payload": {"x": 1}, "data": {"x": 1}}),
        ({"id": "a", "payload": {"x": 1}, "data": {"x": 1}}, {"id": "a", "payload": {"x": 1}, "data": {"x": 1}}),
        ({"id": "a", "payload": {}, "data": {"x": 1}}, {"id": "a", "payload": {"x": 1}, "data": {"x": 1}}),
        ({"id": "", "payload": {}, "data": {}}, {"id": "", "payload": None, "data": None}),
    ],
)
def test_wire_shape(captivate: Captivate, given: dict[str, Any], wire: dict[str, Any]) -> None:
    assert ActionModel(**given).model_dump() == wire
    captivate.set_outgoing_action([given, ActionModel(**given)])
    assert captivate.body()["outgoing_action"] == [wire, wire]


def test_setting_replaces_and_none_clears(captivate: Captivate) -> None:
    assert captivate.body()["outgoing_action"] is None
    captivate.set_outgoing_action(actions=[ActionModel(id="first")])
    captivate.set_outgoing_action([])
    assert captivate.body()["outgoing_action"] == []
    captivate.set_outgoing_action(None)
    assert captivate.body()["outgoing_action"] is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("navigate", "must be a list, not a str"),
        ({"id": "a"}, "must be a list, not a dict"),
        ([ActionModel(id="a"), {"payload": {}}], "action 1: action: Field required"),
        ([{"id": "a", "payload": {"x": "secret-word"}, "data": {"x": 2}}], "payload and data differ"),
        ([{"id": "a", "payload": {"x": float("nan")}}], "action 0: payload: holds what JSON cannot hold"),
        ([7], "action 0"),
    ],
)
def test_what_is_no_action_is_refused(captivate: Captivate, given: Any, said: str) -> None:
    with pytest.raises(CaptivateValueError, match=said) as caught:
        captivate.set_outgoing_action(given)
    assert "secret-word" not in str(caught.value)
    assert captivate.body()["outgoing_action"] is None


def test_actions_are_frozen() -> None:
    action = ActionModel(id="a", payload={"x": 1})
    with pytest.raises(ValidationError):
        action.payload = None  # type: ignore[misc]


def _escalated(captivate: Captivate) -> Any:
    return captivate.body()["outgoing_action"]


def test_escalate_to_human(captivate: Captivate) -> None:
    captivate.escalate_to_human()
    assert _escalated(captivate) == [{"id": "escalateToHuman", "payload": None, "data": None}]


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        ({}, None),
        ({"reason": "", "intent": None, "recommended_agents": ""}, None),
        ({"reason": "r"}, {"reason": "r"}),
        ({"intent": "i", "recommended_agents": "a,b"}, {"intent": "i", "recommended_agents": "a,b"}),
        ({"recommended_agents": ["a", "b"]}, {"recommended_agents": ["a", "b"]}),
        ({"recommended_agents": []}, None),
    ],
)
def test_escalate_to_agent_router(captivate: Captivate, arguments: dict[str, Any], sent: Any) -> None:
    captivate.escalate_to_agent_router(**arguments)
    assert _escalated(captivate) == [{"id": "escalate_to_agent_router", "payload": sent, "data": sent}]


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (("agent_1",), {"agent_id": "agent_1"}),
        (("agent_1", ""), {"agent_id": "agent_1"}),
        (("agent_1", "why"), {"agent_id": "agent_1", "reason": "why"}),
    ],
)
def test_escalate_to_agent(captivate: Captivate, arguments: tuple[str, ...], sent: Any) -> None:
    captivate.escalate_to_agent(*arguments)
    assert _escalated(captivate) == [{"id": "escalate_to_agent", "payload": sent, "data": sent}]
