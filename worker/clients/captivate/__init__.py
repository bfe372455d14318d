"""Captivate: the conversation model and the client that sends its answers.

It could be a library of its own, together with its neighbours in ``worker.clients``.

``CaptivateClient`` is loaded when it is first used: the model needs no HTTP library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker.clients.captivate.actions import ActionModel
from worker.clients.captivate.chat_request import ChatRequest
from worker.clients.captivate.conversation import Captivate, CaptivateResponseModel
from worker.clients.captivate.errors import (
    CaptivateError,
    CaptivatePayloadError,
    CaptivateValueError,
    DownloadFailed,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Unavailable,
)
from worker.clients.captivate.messages import (
    ButtonMessageModel,
    CardCollectionModel,
    CardMessageModel,
    FileCollectionModel,
    FileModel,
    HtmlMessageModel,
    TableMessageModel,
    TextMessageModel,
)
from worker.clients.captivate.metadata import ChannelMetadataModel, UserModel

if TYPE_CHECKING:
    from worker.clients.captivate.client import CaptivateClient

__all__ = [
    "ActionModel",
    "ButtonMessageModel",
    "Captivate",
    "CaptivateClient",
    "CaptivateError",
    "CaptivatePayloadError",
    "CaptivateResponseModel",
    "CaptivateValueError",
    "CardCollectionModel",
    "CardMessageModel",
    "ChannelMetadataModel",
    "ChatRequest",
    "DownloadFailed",
    "FileCollectionModel",
    "FileModel",
    "HtmlMessageModel",
    "OutcomeUnknown",
    "Rejected",
    "TableMessageModel",
    "TextMessageModel",
    "Throttled",
    "Unavailable",
    "UserModel",
]


def __getattr__(name: str) -> Any:
    if name != "CaptivateClient":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from worker.clients.captivate.client import CaptivateClient

    globals()[name] = CaptivateClient
    return CaptivateClient
