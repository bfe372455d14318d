"""Captivate: the conversation model and the client that sends its answers.

Can be lifted out as a library of its own, together with its neighbours in ``worker.clients``.
"""

from worker.clients.captivate.actions import ActionModel
from worker.clients.captivate.client import CaptivateClient
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
