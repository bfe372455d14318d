"""Actions, which come with a request or go with an answer (protocols.md 2.6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from worker.clients.captivate.errors import CaptivateValueError, faults
from worker.clients.values.json_values import JsonObject

_TO_AGENT_ROUTER = "escalate_to_agent_router"


class ActionModel(BaseModel):
    """An action: ``id`` (also read from ``action``, which wins when both are there, C24) and its ``payload``.

    ``payload`` and ``data`` mirror each other: give either, both are sent. Equal ones are fine, different ones are
    refused (C23), an empty object counts as absent (C22). Frozen, so that they cannot drift apart later (C21).
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True, hide_input_in_errors=True)

    id: str = Field(validation_alias="action")
    payload: JsonObject | None = None
    data: JsonObject | None = None

    @model_validator(mode="after")
    def _mirror(self) -> ActionModel:
        if self.payload and self.data and self.payload != self.data:
            raise ValueError("payload and data differ: give one of them, the other follows")
        self.__dict__["payload"] = self.__dict__["data"] = self.payload or self.data or None
        return self


def checked_actions(values: Sequence[ActionModel | dict[str, Any]]) -> list[ActionModel]:
    """The actions of an answer, checked; a dict is read as an action (C20).

    Raises ``CaptivateValueError`` naming the position and the field at fault.
    """
    if not isinstance(values, list | tuple):
        raise CaptivateValueError(f"the actions must be a list, not a {type(values).__name__}: put them into [...]")
    return [_action(position, value) for position, value in enumerate(values)]


def _action(position: int, value: object) -> ActionModel:
    try:
        return ActionModel.model_validate(value)
    except ValidationError as error:
        raise CaptivateValueError(f"action {position}: {faults(error, 'action')}") from None


def is_escalation_to_agent_router(action: ActionModel) -> bool:
    """Whether it hands the conversation to the agent router."""
    return action.id == _TO_AGENT_ROUTER


def escalation_to_human() -> ActionModel:
    """Hand the conversation to a person. The id is a reserved name of the platform (seed function 19)."""
    return ActionModel(id="escalateToHuman")


def escalation_to_agent_router(
    reason: str | None, intent: str | None, recommended_agents: str | list[str] | None
) -> ActionModel:
    """Hand the conversation to the agent router; blank arguments are left out (seed function 20)."""
    given = {"reason": reason, "intent": intent, "recommended_agents": recommended_agents}
    payload = {name: value for name, value in given.items() if value}
    return _action(0, {"id": _TO_AGENT_ROUTER, "payload": payload})


def escalation_to_agent(agent_id: str, reason: str | None) -> ActionModel:
    """Hand the conversation to one agent (seed function 21). An empty agent id is refused (C26)."""
    if not isinstance(agent_id, str) or not agent_id.strip():
        raise CaptivateValueError("agent_id is empty: name the agent that shall take over")
    payload = {"agent_id": agent_id, "reason": reason} if reason else {"agent_id": agent_id}
    return _action(0, {"id": "escalate_to_agent", "payload": payload})
