"""A client of the FluidTalk Handshake API: ask a persona for its words, one call at a time.

Stands on ``worker.clients.http.connections`` alone, so that it could be lifted out as a library.
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
