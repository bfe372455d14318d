"""Captivate as the channel: a stored reply becomes messages; errors of the client become the domain's words."""

from __future__ import annotations

from typing import Any

from config.settings import Escalation
from worker.adapters.captivate_requests import conversation_of
from worker.clients import captivate
from worker.clients.captivate import (
    Captivate,
    CaptivateClient,
    CaptivateError,
    FileCollectionModel,
    FileModel,
    TextMessageModel,
)
from worker.clients.http.answers import no_answer
from worker.clients.pictures import name_and_type_of_link
from worker.domain import failures
from worker.domain.events import ChannelContext
from worker.domain.failures import CallFailed
from worker.domain.reply import Reply

_FAILURES: dict[type[CaptivateError], type[CallFailed]] = {
    captivate.Throttled: failures.Throttled,
    captivate.Unavailable: failures.Unavailable,
    captivate.OutcomeUnknown: failures.OutcomeUnknown,
    captivate.Rejected: failures.Rejected,
}
_LOGIN_STATUSES = (401, 403)


class CaptivateChannel:
    """Where replies go. Safe for threads, as its client is."""

    def __init__(self, client: CaptivateClient) -> None:
        self._client = client

    def message_of(self, context: ChannelContext, reply: Reply, sent: int) -> dict[str, Any]:
        """What the next send of a reply is to carry, for ``send``. ``sent``: how many sends of it are done, fewer than
        ``reply.sends``. Raises ``Unsendable``."""
        try:
            return fill(conversation_of(context), reply, sent).body()
        except CaptivateError as error:
            raise failure_of(error) from error

    def send(self, message: dict[str, Any], idempotency_key: str) -> None:
        """Deliver a message once. Raises ``worker.domain.failures.CallFailed``, in the class that says what is known;
        ``KeyRefused`` is the login of the whole channel or this conversation alone."""
        try:
            self._client.send_body(message, idempotency_key)
        except CaptivateError as error:
            raise failure_of(error) from error

    def reachable(self) -> bool:
        """Whether the channel answers at all. Sends nothing."""
        return self._client.reachable()


def fill(conversation: Captivate, reply: Reply, sent: int = 0) -> Captivate:
    """Put the next send of a reply into a fresh conversation: each bubble a text message, the photo last, then the
    escalation.

    ``sent``: how many sends of it are done, fewer than ``reply.sends``.

    Source: seed FluidTalk "Send replies as separate bubbles; when should_send_photo, also send photo_url".
    """
    messages: list[TextMessageModel | FileCollectionModel] = [
        FileCollectionModel(files=[_photo(bubble)]) if place in reply.photos else TextMessageModel(text=bubble)
        for place, bubble in enumerate(reply.bubbles)
    ]
    if reply.photo_url:
        messages.append(FileCollectionModel(files=[_photo(reply.photo_url)]))
    conversation.set_response(messages[sent : sent + 1] if reply.pauses else messages)
    if reply.escalation and sent + 1 == reply.sends:
        _escalate(conversation, Escalation(**reply.escalation))
    return conversation


def failure_of(error: CaptivateError) -> CallFailed:
    """The domain's word for an error of the client."""
    # Any other kind was refused before it was sent.
    kind = _FAILURES.get(type(error), failures.Unsendable)
    if kind is failures.Rejected and error.status in _LOGIN_STATUSES:
        kind = failures.KeyRefused
    if kind is failures.Rejected and error.foreign:
        # What is in front of Captivate answered in its place: nothing is known of this message.
        kind = failures.Unavailable
    return kind(str(error), status=error.status or 0, retry_after=error.retry_after, why=no_answer(error))


def _photo(url: str) -> FileModel:
    filename, kind = name_and_type_of_link(url)
    return FileModel(type=kind, url=url, filename=filename)


def _escalate(conversation: Captivate, escalation: Escalation) -> None:
    if escalation.action == "escalate_to_human":
        conversation.escalate_to_human()
    elif escalation.action == "escalate_to_agent_router":
        conversation.escalate_to_agent_router(reason=escalation.reason)
    elif escalation.action == "escalate_to_agent":
        conversation.escalate_to_agent(escalation.agent_id or "", reason=escalation.reason)
