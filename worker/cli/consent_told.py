"""What commands say about one lead's consent."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from config.settings import Consent, Settings
from worker.cli.screen import moment
from worker.cli.session import Session
from worker.domain.conversation import Conversation
from worker.domain.operator_words import as_shown
from worker.domain.platforms import full_target
from worker.store.conversations.consents import ALL_PERSONAS, Mark


def marks_of(opened: Session, conversation: Conversation) -> list[Mark]:
    """What one lead has said to a persona, and for all that share it. Raises ``StoreError``."""
    consents, (persona, target) = opened.store.consents, conversation
    own = None if persona == ALL_PERSONAS else consents.of(conversation) or consents.of_erased(conversation)
    return [mark for mark in (own, consents.of_lead(target) if _is_shared(opened, persona) else None) if mark]


def conversation_of(settings: Settings, persona: str, target: str) -> Conversation:
    """The conversation that two words name; a target without a platform is on that of its persona, as for producers."""
    known = settings.personas.get(persona)
    if known and known.speaks == "characters" and known.platform:
        target = full_target(target, known.platform)
    return Conversation(persona, target)


def consent_told(marks: Sequence[Mark], rules: Consent) -> str:
    """One plain sentence about what a lead has consented to; '' when there is nothing to say.

    ``marks``: as ``marks_of`` returns them. ``rules``: of the persona.
    """
    out = next((mark for mark in marks if mark.state == "out"), None)
    if out:
        whom = "all personas" if out.persona == ALL_PERSONAS else out.persona
        later = "silence" if rules.later_messages == "silence" else "an answer"
        return (
            f"The lead opted out of messages of {whom} on {moment(out.since)} UTC (by {as_shown(out.by)}): no openers, "
            f"event triggers and follow-ups; a later message gets {later}. To undo: the lead writes START, or "
            f"parley consent set {shlex.quote(out.persona)} {shlex.quote(out.target)} in"
        )
    if rules.outreach == "only_opted_in" and not marks:
        return "The lead has not opted in, and only leads who did get openers, event triggers and follow-ups."
    return ""


def _is_shared(opened: Session, persona: str) -> bool:
    if persona == ALL_PERSONAS:
        return True
    return persona in opened.settings.personas and opened.settings.consent_of(persona).scope == "lead"
