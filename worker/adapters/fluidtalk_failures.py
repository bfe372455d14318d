"""What an error of a FluidTalk client means, whichever API it speaks."""

from __future__ import annotations

from worker.clients import fluidtalk
from worker.clients.fluidtalk import FluidTalkError
from worker.clients.http.answers import no_answer
from worker.domain import failures
from worker.domain.failures import CallFailed

_FAILURES: dict[type[FluidTalkError], type[CallFailed]] = {
    fluidtalk.InvalidCall: failures.Unsendable,
    fluidtalk.Unauthorized: failures.KeyRefused,
    fluidtalk.CreditsExhausted: failures.CreditsOut,
    fluidtalk.ConversationSealed: failures.Sealed,
    fluidtalk.ConversationNotFound: failures.NoConversation,
    fluidtalk.Throttled: failures.Throttled,
    fluidtalk.Rejected: failures.Rejected,
    fluidtalk.Unavailable: failures.Unavailable,
    fluidtalk.OutcomeUnknown: failures.OutcomeUnknown,
    fluidtalk.BadReply: failures.BadReply,
}
# What is in front of FluidTalk answered in its place: nothing is known of the key or of this call. A refusal was not
# passed on; a page with 2xx may have taken the place of FluidTalk's answer.
_OF_A_PAGE: dict[type[FluidTalkError], type[CallFailed]] = {
    fluidtalk.Unauthorized: failures.Unavailable,
    fluidtalk.ConversationNotFound: failures.Unavailable,
    fluidtalk.NotFound: failures.Unavailable,
    fluidtalk.Conflict: failures.Unavailable,
    fluidtalk.Rejected: failures.Unavailable,
    fluidtalk.BadReply: failures.OutcomeUnknown,
}


def failure_of(error: FluidTalkError) -> CallFailed:
    """The domain's word for an error of the client."""
    kind = _FAILURES.get(type(error), CallFailed)
    if error.foreign:
        kind = _OF_A_PAGE.get(type(error), kind)
    return kind(
        str(error), status=error.status, retry_after=error.retry_after, detail=error.detail, why=no_answer(error)
    )
