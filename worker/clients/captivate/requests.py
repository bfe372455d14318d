"""Reading a request of the platform: what cannot be used is left out, and only a missing ``session_id`` refuses it.

The model (``captivate.conversation``) is strict; this is for what a platform sends: null for "nothing", numbers
for texts, 1 for true, and parts of another shape than documented. None of that is a reason to leave a lead without an
answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.clients.values.json_values import json_part
from worker.clients.values.odd_values import LeftOut, flag_of, name_of_type, text_of

_CHANNEL = "metadata.internal.channelMetadata"


def readable(payload: Mapping[Any, Any]) -> tuple[dict[str, Any], tuple[LeftOut, ...]]:
    """A request as the model ``Captivate`` takes it, and what was left out of it. Nothing of ``payload`` is changed.

    A ``session_id`` that is missing or no text stays as it is: without it there is nowhere to answer.
    """
    reader = _Reader()
    request: dict[str, Any] = {}
    if "session_id" in payload:
        session_id = payload["session_id"]
        text = text_of(session_id)
        request["session_id"] = session_id if text is None else text
    request["user_input"] = reader.text(payload, "user_input", "user_input")
    request["files"] = reader.files(payload.get("files"))
    request["metadata"] = reader.metadata(payload.get("metadata"))
    request["incoming_action"] = reader.actions(payload.get("incoming_action"))
    has_livechat = reader.flag(payload, "hasLivechat")
    if has_livechat is not None:
        request["hasLivechat"] = has_livechat
    return request, tuple(reader.left_out)


class _Reader:
    """Reads part by part and remembers what was left out."""

    def __init__(self) -> None:
        self.left_out: list[LeftOut] = []

    def text(self, parts: Mapping[Any, Any], key: str, part: str) -> str | None:
        value = parts.get(key)
        text = text_of(value)
        if text is None and value is not None:
            self._leave_out(part, f"it is {name_of_type(value)}, not a text")
        return text

    def flag(self, parts: Mapping[Any, Any], key: str) -> bool | None:
        value = parts.get(key)
        flag = flag_of(value)
        if flag is None and value is not None:
            self._leave_out(key, "it is neither true nor false")
        return flag

    def files(self, value: object) -> list[dict[str, Any]] | None:
        found = self._list(value, "files")
        files = [self._object(each, f"files.{position}") for position, each in enumerate(found)]
        return [file for file in files if file is not None] if found else None

    def metadata(self, value: object) -> dict[str, Any]:
        metadata = self._known(value, "metadata")
        internal = self._known(metadata.get("internal"), "metadata.internal")
        channel = self._known(internal.get("channelMetadata"), _CHANNEL)
        for key in ("channelMetadata", "custom", "private"):
            channel[key] = self._object(channel.get(key), f"{_CHANNEL}.{key}", nothing={})
        for key in ("conversationCreatedAt", "conversationUpdatedAt"):
            channel[key] = self.text(channel, key, f"{_CHANNEL}.{key}")
        channel["user"] = self._user(channel.get("user"))
        return {**metadata, "internal": {**internal, "channelMetadata": channel}}

    def actions(self, value: object) -> list[dict[str, Any]] | None:
        found = self._list(value, "incoming_action")
        actions = [self._action(each, f"incoming_action.{position}") for position, each in enumerate(found)]
        return [action for action in actions if action is not None] if found else None

    def _user(self, value: object) -> dict[str, Any] | None:
        part = f"{_CHANNEL}.user"
        if value is None:
            return None
        user = self._known(value, part)
        if not isinstance(value, dict):
            return None
        for key in ("firstName", "lastName", "email"):
            user[key] = self.text(user, key, f"{part}.{key}")
        return user

    def _action(self, value: object, part: str) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            self._leave_out(part, f"it is {name_of_type(value)}, not an object")
            return None
        # "action" wins when both are there (protocols.md C24).
        name = next((text for key in ("action", "id") if (text := text_of(value.get(key))) is not None), None)
        if name is None:
            self._leave_out(part, "it has no id")
            return None
        payload = self._object(value.get("payload"), f"{part}.payload")
        data = self._object(value.get("data"), f"{part}.data")
        if payload and data and payload != data:
            self._leave_out(f"{part}.data", "it differs from payload")
            data = None
        return {"id": name, "payload": payload, "data": data}

    def _list(self, value: object, part: str) -> list[Any]:
        if isinstance(value, dict):
            return [value]  # a lone one
        if isinstance(value, list | tuple):
            return list(value)
        if value is not None:
            self._leave_out(part, f"it is {name_of_type(value)}, not a list")
        return []

    def _known(self, value: object, part: str) -> dict[str, Any]:
        # A level of which only the documented keys are sent: other ones are kept readable, whatever they hold.
        if isinstance(value, dict):
            known = {key: item for key, item in value.items() if isinstance(key, str)}
            if len(known) < len(value):
                self._leave_out(part, "a key is not a text")
            return known
        if value is not None:
            self._leave_out(part, f"it is {name_of_type(value)}, not an object")
        return {}

    def _object(self, value: object, part: str, nothing: dict[str, Any] | None = None) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            if value is not None or part.startswith("files"):
                self._leave_out(part, f"it is {name_of_type(value)}, not an object")
            return nothing
        held, faults = json_part(value)
        for fault in sorted(faults):
            self._leave_out(part, f"a part of it: {fault}")
        return held  # type: ignore[no-any-return]

    def _leave_out(self, part: str, reason: str) -> None:
        self.left_out.append(LeftOut(part, reason))
