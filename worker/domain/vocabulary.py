"""The closed sets of words that the parts of Parley share: kinds of event, fates, gates, marks, lanes, causes.

What differs by kind of event is in one table, ``KINDS``: a new kind is one row. A ``Cause`` with its detail is what
scripts, journals, metrics and logs carry; people read the sentence that ``worker.domain.sentences`` makes of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from config.sections import Unknown, Validity

Kind = Literal[
    "inbound_chat", "ai_opener", "event_trigger", "follow_up", "money_event", "pulled_follow_up", "operator_message"
]
Fate = Literal["answered", "joined", "ignored", "sealed", "skipped", "dead"]
Mark = Literal["", "started", "sealed", "owned_elsewhere", "escalated"]
Lane = Literal["turns", "outreach"]

FATES: tuple[Fate, ...] = get_args(Fate)

TURNS: Lane = "turns"
OUTREACH: Lane = "outreach"


class Gate(StrEnum):
    """The gates of a persona, and that of the channel, which all personas share (docs/architecture.md)."""

    PAUSED = "paused"
    QUARANTINED = "quarantined"
    HOLD = "hold"
    CIRCUIT = "circuit"
    CREDITS = "credits"
    OUTREACH = "outreach"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class KindRules:
    """The rules for one kind of event.

    ``speaks_first``: the persona writes although no lead waits. ``prepares``: its turn has more to do between begin and
    call. ``valid_seconds``: how long it may wait. ``unknown``: what to do when its call may have been acted on.
    ``asks``: its turn calls the persona. ``enqueued``: producers may send it; else only Parley makes it.
    ``only_told``: its call only tells the persona something. Nothing is said to the lead, so no rule for messages holds
    for it: no consent, no channel, no takeover, no seal, no credits.
    ``by_operator``: a person says it in the persona's place. It goes out before all that waits, also while the person
    has the conversation, and no gate of the persona and no rule for outreach keeps it.
    """

    speaks_first: bool
    prepares: bool
    valid_seconds: Callable[[Validity], float]
    unknown: Callable[[Unknown], str]
    asks: bool = True
    enqueued: bool = True
    only_told: bool = False
    by_operator: bool = False

    @property
    def lane(self) -> Lane:
        """The queue of a conversation whose head is of this kind: ``turns`` when a lead waits, else ``outreach``."""
        return OUTREACH if self.speaks_first else TURNS


KINDS: dict[str, KindRules] = {
    "inbound_chat": KindRules(
        speaks_first=False,
        prepares=False,
        valid_seconds=lambda validity: validity.inbound_chat_seconds,
        unknown=lambda unknown: unknown.inbound_chat,
    ),
    "ai_opener": KindRules(
        speaks_first=True,
        prepares=True,
        valid_seconds=lambda validity: validity.ai_opener_seconds,
        unknown=lambda unknown: unknown.ai_opener,
    ),
    "event_trigger": KindRules(
        speaks_first=False,
        prepares=True,
        valid_seconds=lambda validity: validity.event_trigger_seconds,
        unknown=lambda unknown: unknown.event_trigger,
    ),
    "follow_up": KindRules(
        speaks_first=True,
        prepares=True,
        valid_seconds=lambda validity: validity.follow_up_seconds,
        unknown=lambda unknown: unknown.follow_up,
    ),
    "money_event": KindRules(
        speaks_first=False,
        prepares=False,
        valid_seconds=lambda _: math.inf,
        unknown=lambda _: "ask_again",
        only_told=True,
    ),
    "pulled_follow_up": KindRules(
        speaks_first=True,
        prepares=True,
        valid_seconds=lambda validity: validity.follow_up_seconds,
        unknown=lambda unknown: unknown.follow_up,
        asks=False,
        enqueued=False,
    ),
    "operator_message": KindRules(
        speaks_first=False,
        prepares=False,
        valid_seconds=lambda _: math.inf,
        unknown=lambda _: "ask_again",
        asks=False,
        enqueued=False,
        by_operator=True,
    ),
}


def rules_of(kind: str) -> KindRules:
    """The row of a kind. A kind that only a newer release knows is treated like a message of the lead."""
    return KINDS.get(kind) or KINDS["inbound_chat"]


def is_outreach(kind: str) -> bool:
    """Whether the rules for outreach hold: for what the persona writes that is no answer to the lead's words."""
    return kind in KINDS and kind != "inbound_chat" and not KINDS[kind].only_told and not KINDS[kind].by_operator


class Cause(StrEnum):
    """Why a turn waits, why an event ended or was refused, why a gate is closed, why a touch is planned or dropped."""

    # The persona.
    PERSONA_PAUSED = "persona_paused"
    PERSONA_THROTTLED = "persona_throttled"
    PERSONA_UNAVAILABLE = "persona_unavailable"
    PERSONA_UNKNOWN = "persona_unknown"
    PERSONA_REFUSED = "persona_refused"
    KEY_REFUSED = "key_refused"
    CREDITS_OUT = "credits_out"
    BAD_REPLY = "bad_reply"
    IMAGE_NOT_HOSTED = "image_not_hosted"
    IMAGE_NOT_FETCHED = "image_not_fetched"
    IMAGE_MISSING = "image_missing"
    OWN_LIMIT = "own_limit"
    IN_LINE = "in_line"
    # The channel.
    CHANNEL_UNAVAILABLE = "channel_unavailable"
    CHANNEL_UNKNOWN = "channel_unknown"
    CHANNEL_REFUSED = "channel_refused"
    CHANNEL_CLOSED = "channel_closed"
    DELIVERY_REFUSED = "delivery_refused"
    DELIVERY_UNCONFIRMED = "delivery_unconfirmed"
    PACING = "pacing"
    TAKEN_OVER = "taken_over"
    INTERRUPTED = "interrupted"
    # Either of them, as the cause of a closed gate.
    NO_ANSWER = "no_answer"
    OPENERS_BAD = "openers_bad"
    # Attempts that came to nothing.
    OUTCOME_UNKNOWN = "outcome_unknown"
    NUDGE_UNKNOWN = "nudge_unknown"
    GAVE_UP = "gave_up"
    POISON_ASKING = "poison_asking"
    POISON_DELIVERING = "poison_delivering"
    POISON_ERROR = "poison_error"
    INTERNAL_ERROR = "internal_error"
    SUSPECT = "suspect"
    NOT_ASKED = "not_asked"
    UNDECRYPTABLE = "undecryptable"
    NEWER_RELEASE = "newer_release"
    # A better moment.
    QUIET_HOURS = "quiet_hours"
    RAMP = "ramp"
    FREQUENCY_CAP = "frequency_cap"
    # Ends without a call, or without anything to deliver.
    SEALED = "already_sealed"
    PERSONA_ENDED = "persona_ended"
    OWNED_ELSEWHERE = "owned_elsewhere"
    LEAD_WROTE = "lead_wrote"
    TOO_OLD = "too_old"
    OUTREACH_STOPPED = "outreach_stopped"
    WINDOW_CLOSED = "window_closed"
    OUTREACH_OFF_ON_CHANNEL = "outreach_off_on_channel"
    OPTED_OUT = "opted_out"
    NOT_OPTED_IN = "not_opted_in"
    QUIET_GAVE_WAY = "quiet_gave_way"
    RAMP_GAVE_WAY = "ramp_gave_way"
    ZONE_UNKNOWN = "zone_unknown"
    NOTHING_SAID = "nothing_said"
    ONLY_TOLD = "only_told"
    TEXT_LOST = "text_lost"
    ALREADY_LIVE = "already_live"
    NO_CONVERSATION = "no_conversation"
    NO_SUCH_TRIGGER = "no_such_trigger"
    # Turns that left their event to another one, and events that never came in.
    LEASE_LOST = "lease_lost"
    DROPPED_AT_HAND_BACK = "dropped_at_hand_back"
    FORGOTTEN = "forgotten"
    REFUSED_AT_THE_DOOR = "refused_at_the_door"
    INVALID_EVENT = "invalid_event"
    PERSONA_NOT_KNOWN = "persona_not_known"
    CHANNEL_MISSING = "channel_missing"
    TOO_LARGE = "too_large"
    INBOX_FULL = "inbox_full"
    EXPIRED = "message_expired"
    STORE_REFUSES = "store_refuses"
    STUMBLED_AT_THE_DOOR = "stumbled_at_the_door"
    # The next touch of a lead: why at that moment, why later, why none.
    CADENCE_STEP = "cadence_step"
    ASKED_FOR = "asked_for"
    CAP_OF_PERSONA = "cap_of_persona"
    CAP_OF_ALL = "cap_of_all"
    PACE = "hourly_pace"
    TOUCH_PAUSED = "touch_paused"
    TOUCH_QUARANTINED = "touch_quarantined"
    TOUCH_STOPPED = "touch_stopped"
    TOUCH_UNCONFIGURED = "touch_unconfigured"
    EVENT_IN_FRONT = "event_in_front"
    LATE = "touch_late"
    CADENCE_OVER = "cadence_over"
    NO_FURTHER_STEP = "no_further_step"
    LIMIT_OF_LEAD = "limit_of_lead"
    CONVERSATION_EXPIRED = "conversation_expired"
    EVENT_GONE = "event_gone"
    ID_TAKEN = "id_taken"
    CANCELLED = "touch_cancelled"
    SEALED_BY_OPERATOR = "sealed_by_operator"
    NONE_PLANNED = "none_planned"
    # In a record of another release.
    OTHER = "other"


# Scripts of 0.1.0 compare these texts with what is stored, and may run beside this release.
STORED_AS = {
    Cause.QUIET_HOURS: "quiet hours",
    Cause.RAMP: "outreach ramp",
    Cause.EVENT_IN_FRONT: "another event waits",
}
# Likewise, behind the name of the persona.
STORED_OF_PERSONA = {
    Cause.TOUCH_PAUSED: "is paused",
    Cause.TOUCH_QUARANTINED: "is quarantined",
    Cause.TOUCH_STOPPED: "is stopped in its outreach",
    Cause.TOUCH_UNCONFIGURED: "is not configured",
}


def stored(cause: Cause | None, detail: str = "") -> str:
    """A reason as the store keeps it: the code and its detail; '' without a cause. ``reasons.read`` reads it."""
    if cause is None:
        return ""
    word = STORED_AS.get(cause, cause.value)
    return f"{word} {detail}" if detail else word


def stored_of_persona(cause: Cause, persona: str) -> str:
    """Why a touch of this persona waits, as the store keeps it."""
    return f"{persona} {STORED_OF_PERSONA[cause]}"


def figures(**values: object) -> str:
    """The detail of a cause: names and values without blanks, such as ``status=503``. None and 0 are left out."""
    return " ".join(f"{name}={value}" for name, value in values.items() if value)
