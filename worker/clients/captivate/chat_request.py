"""A request as a web framework reads it: ``captivate-ai-api`` has this model since 0.6.0 (protocols.md 2.2)."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from worker.clients.values.json_values import JsonObject


class ChatRequest(BaseModel):
    """The body of a request of Captivate, for a signature such as FastAPI's; ``Captivate.create`` takes it.

    Only ``session_id`` and ``metadata`` are required, whatever is inside of them. Unknown keys are dropped.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    session_id: str
    user_input: str | None = None
    files: list[JsonObject] | None = None
    incoming_action: list[JsonObject] | None = None
    metadata: JsonObject
    hasLivechat: bool = False  # noqa: N815 - Captivate's spelling

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        # Tracebacks and error trackers print local variables: they must not show the id or what was said.
        return [("files", len(self.files or [])), ("incoming_action", len(self.incoming_action or []))]
