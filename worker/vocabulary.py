"""The closed sets of words that the parts of Parley share: kinds of event, fates, gates, marks, lanes.

What differs by kind of event stands in one table, ``KINDS``: a new kind is one row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, get_args

from config.sections import Unknown, Validity

Kind = Literal["inbound_chat", "ai_opener", "event_trigger", "follow_up"]
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
    """What holds for one kind of event.

    ``speaks_first``: the persona writes although no lead waits. ``prepares``: its turn has more to do between begin and
    call. ``valid_seconds``: how long it may wait. ``unknown``: what to do when its call may have been acted on.
    """

    speaks_first: bool
    prepares: bool
    valid_seconds: Callable[[Validity], float]
    unknown: Callable[[Unknown], str]

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
}


def rules_of(kind: str) -> KindRules:
    """The row of a kind. A kind that only a newer release knows is treated like a message of the lead."""
    return KINDS.get(kind) or KINDS["inbound_chat"]
