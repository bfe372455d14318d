"""What a conversation carries with it: user, channel, custom and private values (protocols.md 2.3, 2.7).

Whatever came in under the six known keys is sent back as it came; only the setters police keys and values (C10, C11).
Unknown keys of every level can be read as attributes but are never sent (C3).
"""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_serializer

from worker.clients.captivate.errors import CaptivateValueError, faults
from worker.clients.values.json_values import JsonObject, json_fault

RESERVED_KEYS = frozenset({"private", "title", "conversation_title"})
AGENTS_KEY = "agents_list"


class _Readable(BaseModel):
    """Keeps unknown keys readable. What is sent is stated by each model's serializer."""

    model_config = ConfigDict(extra="allow", frozen=True, hide_input_in_errors=True)

    def _value(self, name: str, default: Any) -> Any:
        # Values only: getattr would also find the methods.
        if name in type(self).model_fields:
            return getattr(self, name)
        return (self.model_extra or {}).get(name, default)


class UserModel(_Readable):
    """The person on the other side. The address is not checked. Frozen: ``set_user`` replaces the whole."""

    firstName: str | None = None  # noqa: N815 - Captivate's spelling
    lastName: str | None = None  # noqa: N815
    email: str | None = None

    @model_serializer
    def _wire(self) -> dict[str, Any]:
        return {"firstName": self.firstName, "lastName": self.lastName, "email": self.email}


class ChannelMetadataModel(_Readable):
    """Dynamic channel and conversation metadata. ``channelMetadata["channel"]`` is the name of the channel.

    ``custom`` is public, ``private`` is not shown to the lead. The times are opaque texts, usually ISO 8601.
    """

    user: UserModel | None = None
    channelMetadata: JsonObject = Field(default_factory=dict)  # noqa: N815 - Captivate's spelling, as below
    custom: JsonObject = Field(default_factory=dict)
    private: JsonObject = Field(default_factory=dict)
    conversationCreatedAt: str | None = None  # noqa: N815
    conversationUpdatedAt: str | None = None  # noqa: N815

    # No private attribute: each of them costs every conversation as much as a field.
    _agents_are_set: ClassVar[bool] = False

    @model_serializer
    def _wire(self) -> dict[str, Any]:
        return {
            "user": self.user,
            "channelMetadata": self.channelMetadata,
            "custom": self.custom,
            "private": self.private,
            "conversationCreatedAt": self.conversationCreatedAt,
            "conversationUpdatedAt": self.conversationUpdatedAt,
        }

    def set_conversation_title(self, title: str) -> None:
        """Write the title in the old and in the new place, for readers of both (C5)."""
        if not isinstance(title, str):
            raise CaptivateValueError(f"the conversation title must be text, not a {type(title).__name__}")
        self.custom["title"] = {"type": "title", "title": title}
        self.custom["conversation_title"] = title

    def get_conversation_title(self) -> str | None:
        """The title, from the new place or else from the old one (C6), None when there is none that is text."""
        title = self.get_metadata("conversation_title")
        if title is None and isinstance(legacy := self.custom.get("title"), dict):
            title = legacy.get("title")
        return title if isinstance(title, str) else None

    def set_metadata(self, key: str, value: Any) -> None:
        """Set a public value. Raises ``CaptivateValueError`` for a key or a value that must not be sent."""
        self._check(key, value)
        if key in self.private:
            raise CaptivateValueError(f"{key!r} is a private key: remove it first or choose another name")
        self.custom[key] = value

    def set_private_metadata(self, key: str, value: Any) -> None:
        """Set a private value. Refuses what ``set_metadata`` refuses, reserved keys too (C9)."""
        self._check(key, value)
        if key in self.custom:
            raise CaptivateValueError(f"{key!r} is a public key: remove it first or choose another name")
        self.private[key] = value

    def get_metadata(self, key: str) -> Any | None:
        """The value of a key, private before public, or None."""
        return self.private[key] if key in self.private else self.custom.get(key)

    def get_private_metadata(self, key: str) -> Any | None:
        """The value of a private key, or None."""
        return self.private.get(key)

    def remove_metadata(self, key: str) -> bool:
        """Remove exactly this key from both parts (C7). Whether there was anything to remove (C8)."""
        found = key in self.private or key in self.custom
        self.private.pop(key, None)
        self.custom.pop(key, None)
        return found

    def set_custom(self, key: str, value: Any) -> None:
        """The published name of ``set_metadata``."""
        self.set_metadata(key, value)

    def get_custom(self, key: str) -> Any | None:
        """The published name of ``get_metadata``."""
        return self.get_metadata(key)

    def remove_custom(self, key: str) -> bool:
        """The published name of ``remove_metadata``."""
        return self.remove_metadata(key)

    def set_agents(self, agents_list: list[str]) -> None:
        """Set the ids of the agents to choose from, once for each request (C38). They are public, under
        ``agents_list``. Raises ``CaptivateValueError`` for the second time, and for anything but a list of texts."""
        if self._agents_are_set:
            raise CaptivateValueError("the agents are set already: they can be set once for each request")
        if not isinstance(agents_list, list) or not all(isinstance(agent, str) for agent in agents_list):
            raise CaptivateValueError("the agents must be a list of ids: put them into [...], each as text")
        self.set_metadata(AGENTS_KEY, agents_list)
        self.__dict__["_agents_are_set"] = True

    def get_agents(self) -> list[str] | None:
        """The ids of the agents to choose from, also those that came with the request; None = there is no list."""
        agents = self.custom.get(AGENTS_KEY)
        return agents if isinstance(agents, list) else None

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key: public, private, of the channel, or else a field of this model."""
        for values in (self.custom, self.private, self.channelMetadata):
            if key in values:
                return values[key]
        return self._value(key, default)

    def get_channel(self) -> str | None:
        """The name of the channel, or None when it has none that is text."""
        channel = self.channelMetadata.get("channel")
        return channel if isinstance(channel, str) else None

    def set_user(self, user: UserModel | dict[str, Any] | None) -> None:
        """Replace the user; a dict is read as one, None removes it (C20)."""
        try:
            self.__dict__["user"] = None if user is None else UserModel.model_validate(user)
        except ValidationError as error:
            raise CaptivateValueError(f"user: {faults(error, 'user')}") from None

    @staticmethod
    def _check(key: object, value: object) -> None:
        if not isinstance(key, str):
            raise CaptivateValueError(f"a metadata key must be text, not a {type(key).__name__}")
        if key in RESERVED_KEYS:
            raise CaptivateValueError(f"{key!r} is a reserved key: use set_conversation_title or set_private_metadata")
        if key.startswith("$"):
            raise CaptivateValueError(
                f"{key!r} starts with $, which the platform keeps for itself: choose another name"
            )
        fault = json_fault(value)
        if fault is not None:
            raise CaptivateValueError(f"the value of {key!r} cannot be sent: {fault}")


class InternalMetadataModel(_Readable):
    """The level between ``metadata`` and its ``channelMetadata``."""

    channelMetadata: ChannelMetadataModel  # noqa: N815 - Captivate's spelling

    @model_serializer
    def _wire(self) -> dict[str, Any]:
        return {"channelMetadata": self.channelMetadata}

    def get(self, attr: str, default: Any = None) -> Any:
        """A field by its name, as of a dict."""
        return self._value(attr, default)


class MetadataModel(_Readable):
    """The ``metadata`` of a request and of its answer."""

    internal: InternalMetadataModel

    @model_serializer
    def _wire(self) -> dict[str, Any]:
        return {"internal": self.internal}

    def get(self, attr: str, default: Any = None) -> Any:
        """A field by its name, as of a dict."""
        return self._value(attr, default)
