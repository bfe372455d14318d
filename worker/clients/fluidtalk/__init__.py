"""A client of the FluidTalk Handshake API: each method makes one call to a persona.

It depends only on its neighbours in ``worker.clients``, so it could be a library of its own.
Source: seed FluidTalk, protocols.md part 1.
"""

from worker.clients.fluidtalk.client import DEFAULT_BASE_URL, FluidTalk
from worker.clients.fluidtalk.errors import (
    BadReply,
    ConversationNotFound,
    ConversationSealed,
    CreditsExhausted,
    FluidTalkError,
    InvalidCall,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.clients.fluidtalk.results import ActionResult, ChatResult, UploadResult

__all__ = [
    "DEFAULT_BASE_URL",
    "ActionResult",
    "BadReply",
    "ChatResult",
    "ConversationNotFound",
    "ConversationSealed",
    "CreditsExhausted",
    "FluidTalk",
    "FluidTalkError",
    "InvalidCall",
    "OutcomeUnknown",
    "Rejected",
    "Throttled",
    "Unauthorized",
    "Unavailable",
    "UploadResult",
]
