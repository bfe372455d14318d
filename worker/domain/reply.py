"""What goes back to the lead: pure, from a stored reply to Captivate messages."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from config.settings import Escalation
from worker.clients.captivate import Captivate, FileCollectionModel, FileModel, TextMessageModel
from worker.clients.pictures import name_and_type_of_link
from worker.domain.unreadable import by_a_newer_release
from worker.domain.vocabulary import Fate, Mark

_COMPACT = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Reply:
    """What one turn delivers and how it ends once that is delivered.

    ``bubbles``: separate text messages in order. ``photo_url``: sent after them. ``escalation``: an action for the
    channel, with or without messages. ``fate``, ``reason``, ``mark`` and ``detail`` are what settle writes afterwards.
    ``pauses``: seconds before each message after the first, each of which is then a send of its own; empty: one send
    carries everything.
    """

    __pydantic_config__ = ConfigDict(extra="forbid", hide_input_in_errors=True)

    bubbles: tuple[str, ...] = ()
    photo_url: str | None = None
    escalation: dict[str, Any] | None = None
    fate: Fate = "answered"
    reason: str = ""
    mark: Mark = "started"
    detail: str = ""
    pauses: tuple[float, ...] = ()

    @property
    def sends(self) -> int:
        """How many sends deliver it."""
        return len(self.pauses) + 1

    def to_json(self) -> str:
        """For the journal; ``of_json`` reads it back."""
        values = {name: getattr(self, name) for name in _FIELDS}
        if not self.pauses:
            # Workers of a release without pacing may run beside this one, and refuse what they do not know.
            del values["pauses"]
        return _COMPACT.encode(values)

    @classmethod
    def of_json(cls, text: str) -> Reply:
        """The reply that ``to_json`` wrote. Raises ``Unreadable`` for one of another release."""
        try:
            reply = _STORED.validate_json(text)
            if reply.escalation is not None:
                Escalation(**reply.escalation)
        except ValidationError as error:
            raise by_a_newer_release("a stored reply", error.errors(include_input=False, include_url=False)) from None
        return reply


_FIELDS = tuple(field.name for field in fields(Reply))
_STORED = TypeAdapter(Reply)


def farewell(fate: Literal["sealed", "dead"], reason: str, escalation: Escalation, detail: str = "") -> Reply | None:
    """The reply that only hands the conversation over, or None when the policy is silence."""
    if escalation.action == "silence":
        return None
    return Reply(
        escalation=escalation.model_dump(exclude_none=True),
        fate=fate,
        reason=reason,
        mark="sealed" if fate == "sealed" else "escalated",
        detail=detail,
    )


def fill(captivate: Captivate, reply: Reply, sent: int = 0) -> Captivate:
    """Put the next send of a reply into a fresh conversation: each bubble a text message, the photo last, then the
    escalation.

    ``sent``: how many sends of it are done, fewer than ``reply.sends``.

    Source: seed FluidTalk "Send replies as separate bubbles; when should_send_photo, also send photo_url".
    """
    messages: list[TextMessageModel | FileCollectionModel] = [TextMessageModel(text=bubble) for bubble in reply.bubbles]
    if reply.photo_url:
        messages.append(FileCollectionModel(files=[_photo(reply.photo_url)]))
    captivate.set_response(messages[sent : sent + 1] if reply.pauses else messages)
    if reply.escalation and sent + 1 == reply.sends:
        _escalate(captivate, Escalation(**reply.escalation))
    return captivate


def _photo(url: str) -> FileModel:
    filename, kind = name_and_type_of_link(url)
    return FileModel(type=kind, url=url, filename=filename)


def _escalate(captivate: Captivate, escalation: Escalation) -> None:
    if escalation.action == "escalate_to_human":
        captivate.escalate_to_human()
    elif escalation.action == "escalate_to_agent_router":
        captivate.escalate_to_agent_router(reason=escalation.reason)
    elif escalation.action == "escalate_to_agent":
        captivate.escalate_to_agent(escalation.agent_id or "", reason=escalation.reason)
