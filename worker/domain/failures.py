"""Why a call to a persona or to the channel failed: one class for each case that the decisions distinguish.

CallFailed                         the other side acted
├── Unsendable      refused here, before anything was sent     no
├── Unavailable     surely not acted on: not sent, 503, a page no
├── Throttled       too fast                                   no
├── KeyRefused      the key or the login is not accepted       no
├── CreditsOut      no credits to start a conversation         no
│   └── WalletEmpty no credits for any conversation, or paused no
├── Sealed          the conversation is finished               no
├── NoConversation  there is no conversation yet               no
├── Rejected        any other refusal                          no
├── OutcomeUnknown  sent, and no clear answer came             perhaps
└── BadReply        answered, with nothing that can be read    probably

A page, or a redirect, is an answer of something in front of the service, which says nothing about this call: with 2xx
it is an ``OutcomeUnknown``. The adapters make these of what each client raises; the domain knows no client.
"""

from __future__ import annotations

from typing import Any


class CallFailed(Exception):
    """A call failed. The text has no content: it may be logged and shown.

    ``status``: the HTTP status of the answer, 0 without one. ``retry_after``: seconds that the server asks to wait.
    ``detail``: what the server said, of any type; it may quote content, so it is for the journal of a dead letter only.
    ``why``: without an answer, why there was none, as far as that is known; for operators, without content.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int = 0,
        retry_after: float | None = None,
        detail: Any = None,
        why: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after
        self.detail = detail
        self.why = why


class Unsendable(CallFailed):
    """The call cannot be made and was refused on this side: nothing was sent, and nothing would be the next time."""


class Unavailable(CallFailed):
    """Surely not acted on: nothing was sent, the server said that it is not available, or something in front of it
    answered in its place with a redirect or a refusal."""


class Throttled(CallFailed):
    """The server asks to slow down. Not acted on."""


class KeyRefused(CallFailed):
    """The server does not accept the key or the login, or not for this. Not acted on."""


class CreditsOut(CallFailed):
    """There are no credits to start a conversation. Not acted on; conversations that have begun may continue."""


class WalletEmpty(CreditsOut):
    """There are no credits for any conversation, or the persona is paused (``why``, a word). Not acted on."""


class Sealed(CallFailed):
    """The persona has finished this conversation: nothing more is to be sent to the lead."""


class NoConversation(CallFailed):
    """The persona has no conversation with this lead yet."""


class Rejected(CallFailed):
    """Any other refusal: the same call would be refused again."""


class OutcomeUnknown(CallFailed):
    """The call was sent and no clear answer of the server came: it may have been acted on."""


class BadReply(CallFailed):
    """The server itself answered, probably acted, and its answer is not one that can be read."""


class ImageUnavailable(Exception):
    """The image cannot be fetched. The text names the host at most. ``retryable``: whether trying later can help."""

    def __init__(self, message: str, *, retryable: bool = False) -> None:
        super().__init__(message)
        self.retryable = retryable
