"""Reasons, which are sentences with figures in them, as closed sets of words that can be labels.

The reasons themselves stand in ``worker.outcomes`` and ``worker.intake``; a test compares.
"""

from __future__ import annotations

OTHER = "other"

# The beginning of a reason, and its cause.
_HOLDS = {
    "throttled by the persona": "persona_throttled",
    "persona unavailable": "persona_unavailable",
    "key refused": "key_refused",
    "credits out": "credits_out",
    "no answer, it may have been acted on": "persona_unknown",
    "image cannot be": "image",
    "channel unavailable": "channel_unavailable",
    "no answer from the channel": "channel_unknown",
    "delivery refused by the channel": "channel_refused",
    "the channel takes nothing now": "channel_closed",
    "not asked": "not_asked",
    "the key's own limit of calls": "own_limit",
    "next bubble": "pacing",
    "content cannot be decrypted": "undecryptable",
    "written by a newer release": "newer_release",
    "internal error": "internal_error",
    "taken over": "taken_over",
    "quiet hours": "quiet_hours",
    "outreach ramp": "ramp",
}
_DEATHS = {
    "refused by the persona": "persona_refused",
    "bad reply": "bad_reply",
    "outcome unknown": "outcome_unknown",
    "gave up after": "gave_up",
    "poison": "poison",
    "image cannot be hosted": "image",
    "delivery refused by the channel": "delivery_refused",
    "delivery unconfirmed": "delivery_unconfirmed",
}
REFUSED_AT_THE_DOOR = "refused_at_the_door"


def of_hold(reason: str) -> str:
    """The cause of a hold."""
    return _find(_HOLDS, reason)


def of_death(reason: str) -> str:
    """The cause of a dead letter."""
    return _find(_DEATHS, reason)


def _find(causes: dict[str, str], reason: str) -> str:
    return next((cause for beginning, cause in causes.items() if reason.startswith(beginning)), OTHER)
