"""Why an event is not accepted. A refusal changes nothing that was accepted before.

Refused (ValueError)
├── InvalidEvent      not an event: wrong type, missing or malformed field
├── UnknownPersona    no such persona in the settings
├── MissingChannel    the conversation has no channel context and the event brings none
├── TooLarge          a part is over its limit
├── InboxFull         the conversation has too many events waiting
└── Expired           its Celery message was read after its time (expires)
"""

from __future__ import annotations

from typing import ClassVar

from worker.domain.vocabulary import Cause


class Refused(ValueError):
    """The event was not accepted. The text says why and what to do, never what the event contains; ``cause`` is the
    code of the reason, for programs."""

    cause: ClassVar[Cause] = Cause.REFUSED_AT_THE_DOOR


class InvalidEvent(Refused):
    """The value is not an event: wrong type, missing or malformed field."""

    cause = Cause.INVALID_EVENT


class UnknownPersona(Refused):
    """The event names a persona that the settings do not have."""

    cause = Cause.PERSONA_NOT_KNOWN


class MissingChannel(Refused):
    """Neither the event nor the conversation has a channel context, so an answer could not be delivered."""

    cause = Cause.CHANNEL_MISSING


class TooLarge(Refused):
    """A part of the event is over its limit."""

    cause = Cause.TOO_LARGE


class InboxFull(Refused):
    """The conversation already has as many events waiting as one conversation may have."""

    cause = Cause.INBOX_FULL


class Expired(Refused):
    """The Celery message was read after the time until which it was valid (``expires``)."""

    cause = Cause.EXPIRED
