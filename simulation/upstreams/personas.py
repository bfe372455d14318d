"""The simulated personas: what they remember of each lead, and what they say.

Every text quotes what it answers, so that a test can tell from the answer alone which words reached the persona.
Source: seed FluidTalk "Behaviour to handle"; protocols.md 1.4 and 1.5.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

_SESSIONS = uuid.UUID("6f1a3b52-6c1e-4b0e-9d3f-0f8d5a9f7c11")


class Refused(Exception):
    """The persona does not do what was asked: an HTTP ``status`` and the ``detail`` of its body."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail


@dataclass(slots=True)
class Conversation:
    """What the persona knows of one lead. ``turns`` counts what it said; from the first on the conversation exists."""

    session_id: str
    turns: int = 0
    sealed: bool = False
    owned_elsewhere: bool = False

    @property
    def started(self) -> bool:
        """Whether there was any contact."""
        return self.turns > 0


@dataclass(frozen=True, slots=True)
class Said:
    """An answer body, and the number of the turn if the persona said something (None: nothing was changed)."""

    body: dict[str, Any]
    turn: int | None


@dataclass(slots=True)
class Persona:
    """One persona. ``starts_left``: how many conversations it can still pay for; None means any number."""

    name: str
    starts_left: int | None = None
    conversations: dict[str, Conversation] = field(default_factory=dict)

    def conversation(self, target: str) -> Conversation:
        """The conversation with ``target``, made on first use."""
        known = self.conversations.get(target)
        if known is None:
            session = uuid.uuid5(_SESSIONS, f"{self.name}\n{target}")
            known = self.conversations[target] = Conversation(session_id=str(session))
        return known

    def chat(self, target: str, message: str, images: list[str], photo_url: str) -> Said:
        """The lead wrote ``message`` and sent ``images``, named by URL or file name.

        Each line of the message is answered by a bubble of its own, each image by one more; a message with "photo
        please" also gets ``photo_url``. Raises ``Refused`` with 400 when sealed, 402 when out of credits.
        """
        conversation = self._open(target)
        if conversation.owned_elsewhere:
            return Said(_chat_body(conversation, [], None, ignored=True), None)
        self._pay(conversation)
        conversation.turns += 1
        bubbles = [f"You said: {line}" for line in message.splitlines() if line.strip()]
        bubbles += [f"You sent an image: {image}" for image in images]
        photo = photo_url if "photo please" in message.lower() else None
        return Said(_chat_body(conversation, bubbles or [f"You said: {message}"], photo), conversation.turns)

    def outreach(self, target: str) -> Said:
        """The persona speaks first; with a live conversation it says nothing and reports that. Raises ``Refused``."""
        conversation = self._open(target)
        if conversation.owned_elsewhere:
            return Said(_action_body(conversation, "", ignored=True), None)
        if conversation.started:
            return Said(_action_body(conversation, "", continued=True), None)
        self._pay(conversation)
        conversation.turns += 1
        return Said(_action_body(conversation, f"Hello {target}, this is {self.name}."), conversation.turns)

    def entry_point(self, target: str, entry_type: str, entry_context: str) -> Said:
        """Something happened on the platform; in a live conversation it is folded in. Raises ``Refused``."""
        conversation = self._open(target)
        if conversation.owned_elsewhere:
            return Said(_action_body(conversation, "", ignored=True), None)
        continued = conversation.started
        self._pay(conversation)
        conversation.turns += 1
        message = f"You did: {entry_type} {entry_context}".rstrip()
        return Said(_action_body(conversation, message, continued=continued), conversation.turns)

    def follow_up(self, target: str) -> Said:
        """The lead went quiet. Raises ``Refused`` with 404 if there was no contact before."""
        conversation = self._open(target)
        if conversation.owned_elsewhere:
            return Said(_action_body(conversation, "", ignored=True), None)
        if not conversation.started:
            raise Refused(404, "No conversation with this target yet")
        conversation.turns += 1
        return Said(_action_body(conversation, f"Are you still there, {target}?"), conversation.turns)

    def _open(self, target: str) -> Conversation:
        conversation = self.conversation(target)
        if conversation.sealed:
            raise Refused(400, "This session is DONE")
        return conversation

    def _pay(self, conversation: Conversation) -> None:
        if conversation.started or self.starts_left is None:
            return
        if self.starts_left == 0:
            raise Refused(402, "Insufficient credits to start a new conversation")
        self.starts_left -= 1


_OWNED_ELSEWHERE = "duplicate lead, owned by another account"


def _chat_body(
    conversation: Conversation, bubbles: list[str], photo_url: str | None, ignored: bool = False
) -> dict[str, Any]:
    return {
        "reply": "\n".join(bubbles),
        "replies": bubbles,
        "should_send_photo": photo_url is not None,
        "photo_url": photo_url,
        "session_id": conversation.session_id,
        "ignored": ignored,
        "ignore_reason": _OWNED_ELSEWHERE if ignored else None,
    }


def _action_body(
    conversation: Conversation, message: str, *, ignored: bool = False, continued: bool = False
) -> dict[str, Any]:
    return {
        "session_id": conversation.session_id,
        "message": message,
        "ignored": ignored,
        "ignore_reason": _OWNED_ELSEWHERE if ignored else None,
        "continued": continued,
        "continued_reason": "conversation_already_active" if continued else None,
    }
