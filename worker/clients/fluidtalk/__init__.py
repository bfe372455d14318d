"""Clients of FluidTalk's two APIs: each method makes one call to a persona.

``FluidTalk`` speaks the Handshake API (a key ``ft_sk_...``), ``Characters`` the Characters API (a connector token
``ftc_...``); the errors are the same. They depend only on their neighbours in ``worker.clients``, so they could be a
library of their own. Source: seed FluidTalk, protocols.md part 1; characters.md.
"""

from worker.clients.fluidtalk.character_results import (
    AckResult,
    Bubble,
    CharacterReply,
    Check,
    CommentReply,
    CommentResult,
    EventResult,
    MediaResult,
    PendingFollowUp,
    Post,
    PostResult,
    SelfTest,
    SweepResult,
    Vision,
)
from worker.clients.fluidtalk.characters import Characters, FollowUps
from worker.clients.fluidtalk.client import FluidTalk
from worker.clients.fluidtalk.errors import (
    BadReply,
    Conflict,
    ConversationNotFound,
    ConversationSealed,
    CreditsExhausted,
    FluidTalkError,
    InvalidCall,
    NotFound,
    OutcomeUnknown,
    Rejected,
    Throttled,
    Unauthorized,
    Unavailable,
)
from worker.clients.fluidtalk.results import ActionResult, ChatResult, UploadResult
from worker.clients.fluidtalk.sending import DEFAULT_BASE_URL

__all__ = [
    "DEFAULT_BASE_URL",
    "AckResult",
    "ActionResult",
    "BadReply",
    "Bubble",
    "CharacterReply",
    "Characters",
    "ChatResult",
    "Check",
    "CommentReply",
    "CommentResult",
    "Conflict",
    "ConversationNotFound",
    "ConversationSealed",
    "CreditsExhausted",
    "EventResult",
    "FluidTalk",
    "FluidTalkError",
    "FollowUps",
    "InvalidCall",
    "MediaResult",
    "NotFound",
    "OutcomeUnknown",
    "PendingFollowUp",
    "Post",
    "PostResult",
    "Rejected",
    "SelfTest",
    "SweepResult",
    "Throttled",
    "Unauthorized",
    "Unavailable",
    "UploadResult",
    "Vision",
]
