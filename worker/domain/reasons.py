"""Reads stored reasons: codes with their detail, and the sentences that 0.1.0 stored instead."""

from __future__ import annotations

from typing import NamedTuple

from worker.domain.vocabulary import STORED_OF_PERSONA, Cause, figures, stored

# How 0.1.0 took the cause of a hold or of a death from the beginning of its sentence, and the causes that it joined.
_OF_0_1_0 = (
    ("throttled by the persona", Cause.PERSONA_THROTTLED),
    ("persona unavailable", Cause.PERSONA_UNAVAILABLE),
    ("key refused", Cause.KEY_REFUSED),
    ("credits out", Cause.CREDITS_OUT),
    ("no answer, it may have been acted on", Cause.PERSONA_UNKNOWN),
    ("image cannot be hosted yet", Cause.IMAGE_NOT_HOSTED),
    ("image cannot be hosted", Cause.IMAGE_MISSING),
    ("channel unavailable", Cause.CHANNEL_UNAVAILABLE),
    ("no answer from the channel", Cause.CHANNEL_UNKNOWN),
    ("the key's own limit of calls", Cause.OWN_LIMIT),
    ("next bubble", Cause.PACING),
    ("content cannot be decrypted", Cause.UNDECRYPTABLE),
    ("taken over", Cause.TAKEN_OVER),
    ("quiet hours", Cause.QUIET_HOURS),
    ("outreach ramp", Cause.RAMP),
    ("refused by the persona", Cause.PERSONA_REFUSED),
    ("bad reply", Cause.BAD_REPLY),
    ("outcome unknown: it may have been sent", Cause.NUDGE_UNKNOWN),
    ("outcome unknown", Cause.OUTCOME_UNKNOWN),
    ("gave up after", Cause.GAVE_UP),
    ("poison: its worker vanished 3 times while delivering", Cause.POISON_DELIVERING),
    ("poison", Cause.POISON_ASKING),
    ("delivery refused by the channel", Cause.DELIVERY_REFUSED),
    ("delivery unconfirmed", Cause.DELIVERY_UNCONFIRMED),
    ("the conversation is sealed", Cause.SEALED),
    ("the persona ended the conversation", Cause.PERSONA_ENDED),
    ("the lead belongs to another account of the persona", Cause.OWNED_ELSEWHERE),
    ("the lead wrote in the meantime", Cause.LEAD_WROTE),
    ("too old", Cause.TOO_OLD),
    ("outreach is stopped", Cause.OUTREACH_STOPPED),
    ("it waited for the end of quiet hours", Cause.QUIET_GAVE_WAY),
    ("it waited for its moment", Cause.RAMP_GAVE_WAY),
    ("the lead's zone is not known", Cause.ZONE_UNKNOWN),
    ("the persona had nothing to say", Cause.NOTHING_SAID),
    ("text lost", Cause.TEXT_LOST),
    ("the lead already has a live conversation", Cause.ALREADY_LIVE),
    ("no conversation yet", Cause.NO_CONVERSATION),
    ("dropped at hand-back", Cause.DROPPED_AT_HAND_BACK),
    ("InvalidEvent:", Cause.INVALID_EVENT),
    ("UnknownPersona:", Cause.PERSONA_NOT_KNOWN),
    ("MissingChannel:", Cause.CHANNEL_MISSING),
    ("TooLarge:", Cause.TOO_LARGE),
    ("InboxFull:", Cause.INBOX_FULL),
    ("the store refuses it", Cause.STORE_REFUSES),
    ("internal error (", Cause.STUMBLED_AT_THE_DOOR),
    ("step ", Cause.CADENCE_STEP),
    ("asked for by a producer", Cause.ASKED_FOR),
    ("all personas had their", Cause.CAP_OF_ALL),
    ("its moment, at", Cause.PACE),
    ("another event waits", Cause.EVENT_IN_FRONT),
    ("late by", Cause.LATE),
    ("the cadence is over", Cause.CADENCE_OVER),
    ("the cadence has no further step", Cause.NO_FURTHER_STEP),
    ("the lead has had", Cause.LIMIT_OF_LEAD),
    ("the conversation has expired", Cause.CONVERSATION_EXPIRED),
    ("the conversation has no channel", Cause.CHANNEL_MISSING),
    ("the event asked for can no longer be read", Cause.EVENT_GONE),
    ("an event with its id was accepted before", Cause.ID_TAKEN),
    ("cancelled by", Cause.CANCELLED),
    ("sealed by an operator", Cause.SEALED_BY_OPERATOR),
    ("the lead wrote", Cause.LEAD_WROTE),
)

# 0.1.0 takes the label of a death from how the reason of a stored farewell begins.
_BEGINNINGS = {
    Cause.PERSONA_REFUSED: "refused by the persona",
    Cause.BAD_REPLY: "bad reply",
    Cause.OUTCOME_UNKNOWN: "outcome unknown",
    Cause.GAVE_UP: "gave up after",
    Cause.POISON_ASKING: "poison",
    Cause.POISON_DELIVERING: "poison",
    Cause.POISON_ERROR: "poison",
    Cause.IMAGE_MISSING: "image cannot be hosted",
    Cause.DELIVERY_REFUSED: "delivery refused by the channel",
    Cause.DELIVERY_UNCONFIRMED: "delivery unconfirmed",
}


class Reason(NamedTuple):
    """``detail``: figures as ``worker.domain.vocabulary.figures`` makes them, or ``text=`` and a text up to its end."""

    cause: Cause
    detail: str = ""


def read(text: str) -> Reason | None:
    """Read a stored reason. A sentence of 0.1.0 becomes its cause, with the sentence as detail. An unknown one becomes
    ``Cause.OTHER``. Nothing stays None."""
    if not text:
        return None
    if of_code := _of_code(text):
        return of_code
    persona, _, behind = text.partition(" ")
    if cause := _OF_PERSONA.get(behind):
        return Reason(cause, figures(persona=persona))
    if behind.startswith("had its "):
        return Reason(Cause.CAP_OF_PERSONA, f"text={text}")
    for beginning, cause in _OF_0_1_0:
        if text.startswith(beginning):
            behind = text[len(beginning) :]
            of_code = _of_code(behind[2:]) if behind.startswith(": ") else None
            return of_code or Reason(cause, "" if text == stored(cause) else f"text={text}")
    return Reason(Cause.OTHER, f"text={text}")


def _of_code(text: str) -> Reason | None:
    word, _, detail = text.partition(" ")
    cause = _CODES.get(word)
    return Reason(cause, detail) if cause else None


def of_farewell(cause: Cause, detail: str = "") -> str:
    """The reason of a reply that ends its event as dead, as the store keeps it: it begins as with 0.1.0, whose workers
    may deliver it and count its cause."""
    beginning = _BEGINNINGS.get(cause, "")
    return f"{beginning}: {stored(cause, detail)}" if beginning else stored(cause, detail)


_CODES = {cause.value: cause for cause in Cause}
_OF_PERSONA = {behind: cause for cause, behind in STORED_OF_PERSONA.items()}
