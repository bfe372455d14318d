"""Reading a request of the platform: what cannot be used is left out, and only a missing ``session_id`` refuses it.

The model (``captivate.conversation``) is strict; this is for what a platform sends: null for "nothing", numbers
for texts, 1 for true, and parts of another shape than documented. None of that is a reason to leave a lead without an
answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from worker.clients.values.odd_values import LeftOut, name_of_type, text_of
from worker.clients.values.reader import Reader

_CHANNEL = "metadata.internal.channelMetadata"


def readable(payload: Mapping[Any, Any]) -> tuple[dict[str, Any], tuple[LeftOut, ...]]:
    """A request as the model ``Captivate`` takes it, and what was left out of it. Nothing of ``payload`` is changed.

    A ``session_id`` that is missing or no text stays as it is: without it there is nowhere to answer.
    """
    reader = _Request()
    request: dict[str, Any] = {}
    if "session_id" in payload:
        session_id = payload["session_id"]
        text = text_of(session_id)
        request["session_id"] = session_id if text is None else text
    request["user_input"] = reader.text(payload.get("user_input"), "user_input")
    request["files"] = reader.files(payload.get("files"))
    request["metadata"] = reader.metadata(payload.get("metadata"))
    request["incoming_action"] = reader.actions(payload.get("incoming_action"))
    has_livechat = reader.flag(payload.get("hasLivechat"), "hasLivechat")
    if has_livechat is not None:
        request["hasLivechat"] = has_livechat
    return request, tuple(reader.left_out)


class _Request(Reader):
    def files(self, value: object) -> list[dict[str, Any]] | None:
        found = self._list(value, "files")
        files = [self._file(each, f"files.{position}") for position, each in enumerate(found)]
        return [file for file in files if file is not None] if found else None

    def metadata(self, value: object) -> dict[str, Any]:
        metadata = self._known(value, "metadata")
        internal = self._known(metadata.get("internal"), "metadata.internal")
        channel = self._known(internal.get("channelMetadata"), _CHANNEL)
        for key in ("channelMetadata", "custom", "private"):
            channel[key] = self.json_object(channel.get(key), f"{_CHANNEL}.{key}") or {}
        for key in ("conversationCreatedAt", "conversationUpdatedAt"):
            channel[key] = self.text(channel.get(key), f"{_CHANNEL}.{key}")
        channel["user"] = self._user(channel.get("user"))
        return {**metadata, "internal": {**internal, "channelMetadata": channel}}

    def actions(self, value: object) -> list[dict[str, Any]] | None:
        found = self._list(value, "incoming_action")
        actions = [self._action(each, f"incoming_action.{position}") for position, each in enumerate(found)]
        return [action for action in actions if action is not None] if found else None

    def _file(self, value: object, part: str) -> dict[str, Any] | None:
        if value is None:
            self.leave_out(part, "it is null, not an object")
        return self.json_object(value, part)

    def _user(self, value: object) -> dict[str, Any] | None:
        part = f"{_CHANNEL}.user"
        if value is None:
            return None
        user = self._known(value, part)
        if not isinstance(value, dict):
            return None
        for key in ("firstName", "lastName", "email"):
            user[key] = self.text(user.get(key), f"{part}.{key}")
        return user

    def _action(self, value: object, part: str) -> dict[str, Any] | None:
        if not isinstance(value, dict):
            self.leave_out(part, f"it is {name_of_type(value)}, not an object")
            return None
        # "action" wins when both are there (protocols.md C24).
        name = next((text for key in ("action", "id") if (text := text_of(value.get(key))) is not None), None)
        if name is None:
            self.leave_out(part, "it has no id")
            return None
        payload = self.json_object(value.get("payload"), f"{part}.payload")
        data = self.json_object(value.get("data"), f"{part}.data")
        if payload and data and payload != data:
            self.leave_out(f"{part}.data", "it differs from payload")
            data = None
        return {"id": name, "payload": payload, "data": data}

    def _list(self, value: object, part: str) -> list[Any]:
        if isinstance(value, dict):
            return [value]  # a lone one
        if isinstance(value, list | tuple):
            return list(value)
        if value is not None:
            self.leave_out(part, f"it is {name_of_type(value)}, not a list")
        return []

    def _known(self, value: object, part: str) -> dict[str, Any]:
        # A level of which only the documented keys are sent: other ones are kept readable, whatever they hold.
        if isinstance(value, dict):
            known = {key: item for key, item in value.items() if isinstance(key, str)}
            if len(known) < len(value):
                self.leave_out(part, "a key is not a text")
            return known
        if value is not None:
            self.leave_out(part, f"it is {name_of_type(value)}, not an object")
        return {}
