"""Captivate: the conversation model and the client that sends its answers.

Can be lifted out as a library of its own, together with ``worker.connections``, ``worker.odd_values`` and
``worker.public_addresses``.
"""

from worker.captivate.actions import ActionModel
from worker.captivate.client import CaptivateClient
from worker.captivate.conversation import Captivate, CaptivateResponseModel
from worker.captivate.errors import (
    CaptivateError,
    CaptivatePayloadError,
    CaptivateValueError,
    DownloadFailed,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Unavailable,
)
from worker.captivate.messages import (
    ButtonMessageModel,
    CardCollectionModel,
    CardMessageModel,
    FileCollectionModel,
    FileModel,
    HtmlMessageModel,
    TableMessageModel,
    TextMessageModel,
)
from worker.captivate.metadata import ChannelMetadataModel, UserModel

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
