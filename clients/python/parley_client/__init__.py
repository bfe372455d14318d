"""A client for producers: it sends events to a Parley ingress, and tells what became of them.

    from parley_client import Client, InboundChat

It has the event models of the worker, and imports nothing of it.
"""

from __future__ import annotations

from parley_client.about import __version__
from parley_client.answers import Attempts, Notice, Receipt, State
from parley_client.async_client import AsyncClient, AsyncNotices
from parley_client.client import Client, Notices
from parley_client.errors import (
    BadAnswer,
    Forbidden,
    InboxFull,
    InvalidEvent,
    MissingChannel,
    NoticesOff,
    ParleyError,
    Problem,
    Refused,
    TooFast,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnknownCursor,
    UnknownPersona,
    UnknownReceipt,
    Unreachable,
)
from parley_client.models.events import (
    AiOpener,
    Attachment,
    ChannelContext,
    Event,
    EventTrigger,
    FollowUp,
    InboundChat,
    MoneyEvent,
    parse,
)

__all__ = [
    "AiOpener",
    "AsyncClient",
    "AsyncNotices",
    "Attachment",
    "Attempts",
    "BadAnswer",
    "ChannelContext",
    "Client",
    "Event",
    "EventTrigger",
    "FollowUp",
    "Forbidden",
    "InboundChat",
    "InboxFull",
    "InvalidEvent",
    "MissingChannel",
    "MoneyEvent",
    "Notice",
    "Notices",
    "NoticesOff",
    "ParleyError",
    "Problem",
    "Receipt",
    "Refused",
    "State",
    "TooFast",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "UnknownCursor",
    "UnknownPersona",
    "UnknownReceipt",
    "Unreachable",
    "__version__",
    "parse",
]
