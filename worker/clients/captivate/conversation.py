"""A Captivate conversation: the request, the answer that is being made, and how to send it.

Sources: seed "Functions Overview" 1-22, protocols.md part 2.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from worker.clients.captivate.actions import (
    ActionModel,
    checked_actions,
    escalation_to_agent,
    escalation_to_agent_router,
    escalation_to_human,
    is_escalation_to_agent_router,
)
from worker.clients.captivate.chat_request import ChatRequest
from worker.clients.captivate.errors import CaptivatePayloadError, CaptivateValueError, faults
from worker.clients.captivate.messages import CardMessageModel, FileModel, Message, MessageModel, checked_messages
from worker.clients.captivate.metadata import ChannelMetadataModel, MetadataModel, UserModel
from worker.clients.captivate.requests import readable
from worker.clients.values.json_values import JsonObject
from worker.clients.values.odd_values import LeftOut

MAX_FILE_BYTES = 10 * 1024 * 1024


class CaptivateResponseModel(BaseModel):
    """The answer: messages, actions and the conversation that they belong to.

    ``model_dump()`` is the body of the send (protocols.md 2.4): five keys, nulls included. ``response`` holds message
    models and custom dicts; dicts stay as they are (C17). ``outgoing_action`` is None until one was set.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    response: list[Any] = Field(default_factory=list)
    session_id: str
    metadata: MetadataModel
    outgoing_action: list[ActionModel] | None = None
    hasLivechat: bool  # noqa: N815 - Captivate's spelling

    @field_validator("response", mode="before")
    @classmethod
    def _checked(cls, value: Any) -> list[Message]:
        return checked_messages(value)


class Captivate(BaseModel):
    """One conversation, made from a request: ``Captivate.parse(payload)`` for a request from outside, or
    ``Captivate(**payload)``, which refuses whatever is not as documented.

    What came in is frozen (C27, C28); the setters change the answer and the values in the metadata. A request can
    neither choose the address of the answer (C1) nor pre-fill it (C2): keys not listed here are dropped.
    """

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    session_id: str
    user_input: str | None = None
    files: list[JsonObject] | None = None
    metadata: MetadataModel
    incoming_action: list[ActionModel] | None = None
    hasLivechat: bool = False  # noqa: N815 - Captivate's spelling; the default is C30

    _messages: list[Message] = PrivateAttr(default_factory=list)
    _actions: list[ActionModel] | None = PrivateAttr(default=None)
    # No private attribute: each of them costs every conversation as much as a field.
    _left_out: ClassVar[tuple[LeftOut, ...]] = ()
    _router_mode: ClassVar[bool] = False

    @classmethod
    def parse(cls, payload: object) -> Captivate:
        """Read a request from outside, a JSON object already decoded, as the platform meant it.

        Only ``session_id`` is needed. Null counts as absent, a number where a text is usual as its digits, 1 and 0 as
        true and false. Another part that cannot be used is left out and listed in ``left_out``.
        Raises ``CaptivatePayloadError``, which names each field at fault and never a value (C36).
        """
        if not isinstance(payload, dict):
            raise CaptivatePayloadError(f"a Captivate request is a JSON object, not a {type(payload).__name__}")
        try:
            return cls.model_validate(payload)
        except ValidationError:
            request, left_out = readable(payload)
        try:
            captivate = cls.model_validate(request)
        except ValidationError as error:
            raise CaptivatePayloadError(faults(error, "request")) from None
        captivate.__dict__["_left_out"] = left_out
        return captivate

    @classmethod
    def create(cls, data: ChatRequest | dict[str, Any]) -> Captivate:
        """Make a conversation from a ``ChatRequest`` or a decoded request, as ``Captivate(**data)`` does.

        Raises ``CaptivatePayloadError`` for what is not as documented. ``parse`` is more tolerant.
        """
        if not isinstance(data, ChatRequest | dict):
            raise CaptivatePayloadError(f"a request is a ChatRequest or a dict, not a {type(data).__name__}")
        try:
            return cls.model_validate(data.model_dump() if isinstance(data, ChatRequest) else data)
        except ValidationError as error:
            raise CaptivatePayloadError(faults(error, "request")) from None

    @property
    def left_out(self) -> tuple[LeftOut, ...]:
        """The parts of the request that ``parse`` could not use: documented names and reasons, never a value."""
        return self._left_out

    @property
    def response(self) -> CaptivateResponseModel:
        """The answer as it stands."""
        return CaptivateResponseModel.model_construct(
            response=self._messages,
            session_id=self.session_id,
            metadata=self.metadata,
            outgoing_action=self._actions,
            hasLivechat=self.hasLivechat,
        )

    def body(self) -> dict[str, Any]:
        """What is sent: a new object of its own with the five keys of protocols.md 2.4, also before any setter."""
        return self.response.model_dump()

    def get_response(self) -> dict[str, Any]:
        """The same as ``body()``: the answer as a JSON object, which is what the platform expects from /chat (C29)."""
        return self.body()

    def get_session_id(self) -> str:
        """Captivate's id of the conversation. It is enough to write to the lead: keep it out of logs."""
        return self.session_id

    def get_user_input(self) -> str | None:
        """What the lead wrote."""
        return self.user_input

    def get_has_livechat(self) -> bool:
        """Whether a person can take over."""
        return self.hasLivechat

    def get_incoming_action(self) -> list[ActionModel] | None:
        """The actions that came with the request."""
        return self.incoming_action

    def get_files(self) -> list[dict[str, Any]]:
        """The files that came with the request, as they came; ``[]`` when there are none. They are never sent."""
        return self.files or []

    def set_conversation_title(self, title: str) -> None:
        """Set the title of the conversation, in the places of old and new readers (C5)."""
        self._channel_metadata.set_conversation_title(title)

    def get_conversation_title(self) -> str | None:
        """The title of the conversation, also where only old writers put it (C6)."""
        return self._channel_metadata.get_conversation_title()

    def set_metadata(self, key: str, value: Any) -> None:
        """Set a public value.

        Raises ``CaptivateValueError`` for a reserved key (private, title, conversation_title), a key that is private
        or starts with ``$``, and a value that JSON cannot hold.
        """
        self._channel_metadata.set_metadata(key, value)

    def get_metadata(self, key: str) -> Any | None:
        """The value of a key, private before public, or None."""
        return self._channel_metadata.get_metadata(key)

    def remove_metadata(self, key: str) -> bool:
        """Remove a key, public and private. Whether there was anything to remove (C8)."""
        return self._channel_metadata.remove_metadata(key)

    def set_private_metadata(self, key: str, value: Any) -> None:
        """Set a private value. Raises ``CaptivateValueError`` as ``set_metadata`` does, also for a public key."""
        self._channel_metadata.set_private_metadata(key, value)

    def get_private_metadata(self, key: str) -> Any | None:
        """The value of a private key, or None."""
        return self._channel_metadata.get_private_metadata(key)

    def get_channel(self) -> str | None:
        """The name of the channel."""
        return self._channel_metadata.get_channel()

    def get_user(self) -> UserModel | None:
        """The person on the other side."""
        return self._channel_metadata.user

    def set_user(self, user: UserModel | dict[str, Any] | None) -> None:
        """Replace the user; None removes it. Raises ``CaptivateValueError`` for a dict that is no user (C20)."""
        self._channel_metadata.set_user(user)

    def get_created_at(self) -> str | None:
        """When the conversation began, as Captivate wrote it."""
        return self._channel_metadata.conversationCreatedAt

    def get_updated_at(self) -> str | None:
        """When the conversation last changed, as Captivate wrote it."""
        return self._channel_metadata.conversationUpdatedAt

    def set_response(self, response: Sequence[MessageModel | CardMessageModel | FileModel | dict[str, Any]]) -> None:
        """Replace the messages of the answer.

        A lone card or file is wrapped into a collection; a dict is sent as it is. Raises ``CaptivateValueError`` for
        anything else (C16).
        """
        self._messages = checked_messages(response)

    def set_outgoing_action(self, actions: Sequence[ActionModel | dict[str, Any]] | None) -> None:
        """Replace the actions of the answer; None clears them. Raises ``CaptivateValueError`` for what is no action."""
        self._actions = None if actions is None else checked_actions(actions)

    def enable_router_mode(self) -> None:
        """Say that this agent is a router: it may choose agents and look at the actions of its answer."""
        self.__dict__["_router_mode"] = True

    def disable_router_mode(self) -> None:
        """Say that this agent is none, which is where every conversation begins."""
        self.__dict__["_router_mode"] = False

    def is_router_mode(self) -> bool:
        """Whether this agent is a router."""
        return self._router_mode

    def set_agents(self, agents_list: list[str]) -> None:
        """Set the ids of the agents to choose from, once for each request.

        Raises ``CaptivateValueError`` outside of router mode, the second time, and for anything but a list of texts.
        """
        self._need_router_mode("set_agents")
        self._channel_metadata.set_agents(agents_list)

    def get_agents(self) -> list[str] | None:
        """The ids of the agents to choose from, also those that came with the request; None = there is no list."""
        return self._channel_metadata.get_agents()

    def set_agents_list(self, agents_list: list[str]) -> None:
        """The same as ``set_agents``, also outside of router mode (C38)."""
        self._channel_metadata.set_agents(agents_list)

    def get_agents_list(self) -> list[str] | None:
        """The same as ``get_agents``."""
        return self.get_agents()

    def get_outgoing_action(self) -> list[ActionModel] | None:
        """The actions of the answer, None until one was set. Raises ``CaptivateValueError`` outside of router mode."""
        self._need_router_mode("get_outgoing_action")
        return self._actions

    def is_escalating_to_agent_router(self) -> dict[str, Any] | None:
        """What the answer hands to the agent router, ``{}`` when it hands over without a word; None = it does not hand
        over. Raises ``CaptivateValueError`` outside of router mode."""
        self._need_router_mode("is_escalating_to_agent_router")
        handed = next(filter(is_escalation_to_agent_router, self._actions or []), None)
        return None if handed is None else handed.payload or {}

    def escalate_to_human(self) -> None:
        """Ask for a person. Replaces the actions set before (C25); messages travel with it."""
        self._actions = [escalation_to_human()]

    def escalate_to_agent_router(
        self, reason: str | None = None, intent: str | None = None, recommended_agents: str | list[str] | None = None
    ) -> None:
        """Ask the agent router to choose an agent. ``recommended_agents``: ids separated by commas, or a list.

        Replaces the actions set before (C25).
        """
        self._actions = [escalation_to_agent_router(reason, intent, recommended_agents)]

    def escalate_to_agent(self, agent_id: str, reason: str | None = None) -> None:
        """Hand over to one agent. Replaces the actions set before (C25); an empty ``agent_id`` is refused (C26)."""
        self._actions = [escalation_to_agent(agent_id, reason)]

    async def async_send_message(self, environment: str = "dev", *, base_url: str | None = None) -> dict[str, Any]:
        """Send the answer as it stands now, without blocking the event loop.

        ``environment``: "dev" or "prod"; any other name is refused with ValueError (C31). ``base_url`` replaces the
        host. Returns the decoded answer of the server, ``{}`` when it is not a JSON object (C32). Raises
        ``CaptivateError``. Cancelling the call does not stop a message that is already being sent.
        """
        return await asyncio.to_thread(_send, environment, base_url, self.body()) or {}

    async def download_file_to_memory(
        self, file_info: dict[str, Any], *, allow_private_addresses: bool = False, max_bytes: int = MAX_FILE_BYTES
    ) -> io.BytesIO:
        """Fetch a file of the conversation from ``file_info["url"]`` or ``file_info["storage"]["presignedUrl"]``.

        Only public http and https addresses, also after redirects, at most ``max_bytes``, within a time limit (C39).
        ``allow_private_addresses`` is for tests. Raises ``CaptivateValueError`` without an address, else
        ``DownloadFailed``.
        """
        return io.BytesIO(await asyncio.to_thread(_download, file_info, allow_private_addresses, max_bytes))

    def __repr_args__(self) -> list[tuple[str | None, Any]]:
        # Tracebacks and error trackers print local variables: they must not show the id or what was said.
        return [("messages", len(self._messages)), ("actions", len(self._actions or []))]

    def _need_router_mode(self, function: str) -> None:
        if not self._router_mode:
            raise CaptivateValueError(f"{function} is for routers: call enable_router_mode first")

    @property
    def _channel_metadata(self) -> ChannelMetadataModel:
        return self.metadata.internal.channelMetadata


# The HTTP client is loaded with the first call: to read a request and to write an answer needs none.


def _send(environment: str, base_url: str | None, body: dict[str, Any]) -> dict[str, Any] | None:
    from worker.clients.captivate.client import shared_client

    return shared_client(environment, base_url).send_body(body)


def _download(file_info: dict[str, Any], allow_private_addresses: bool, max_bytes: int) -> bytes:
    from worker.clients.captivate.files import address_of, download

    return download(address_of(file_info), allow_private_addresses, max_bytes)
