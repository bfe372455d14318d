"""What happened, as the outside saw it: the evidence by which an exploration is judged."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

from simulation.explore.values import NOTHING
from worker.domain.conversation import Conversation

# In force for a conversation: a person has it, it is sealed, its lead has opted out.
Stop = Literal["taken_over", "sealed", "opted_out"]


class Violation(Exception):
    """A promise is broken. The text says which one, with the words of the world: it has no content but what the
    exploration wrote."""


class Accepted(NamedTuple):
    """An event whose receipt the producer has. ``at``: when it came, by the store's clock. ``said``: stop or start, ''
    = neither."""

    event_id: str
    lead: Conversation
    kind: str
    at: int
    said: str = ""


class Call(NamedTuple):
    """A call of an upstream. ``events``: that it asks about or answers. ``key``, ``text``: of a delivery. ``acted``:
    whether it had an effect; ``answer``: what the worker heard; ``late``: a frozen process had begun it before."""

    kind: Literal["ask", "send"]
    lead: Conversation
    events: tuple[str, ...]
    acted: bool
    answer: str
    late: bool
    key: str = ""
    text: str = ""


class Ledger(NamedTuple):
    """``events``, ``calls``: in the order in which they came. ``fates``: event to fate, as soon as it was seen.

    ``replies``: event to the answer that is stored for it, and the step with which it was. ``fences``: lead to the last
    fence. ``since``: what is in force, and the step with which it came; ``ever``: what was in force at any time.
    ``forgotten``: events that ended with their lead. ``trouble``: leads whose turns crashed, lost an answer or their
    lease. ``dropped``: leads of whom a hand-back dropped events. ``step``: number of the present step.
    """

    events: tuple[Accepted, ...] = ()
    calls: tuple[Call, ...] = ()
    fates: Mapping[str, str] = NOTHING
    replies: Mapping[str, tuple[str, int]] = NOTHING
    fences: Mapping[str, int] = NOTHING
    since: Mapping[tuple[Conversation, Stop], int] = NOTHING
    ever: frozenset[tuple[Conversation, Stop]] = frozenset()
    forgotten: frozenset[str] = frozenset()
    trouble: frozenset[Conversation] = frozenset()
    dropped: frozenset[Conversation] = frozenset()
    step: int = 0

    def of(self, lead: Conversation) -> list[Accepted]:
        """The events of a lead that are not forgotten, in the order of acceptance."""
        return [event for event in self.events if event.lead == lead and event.event_id not in self.forgotten]

    def heard(self, lead: Conversation) -> list[str]:
        """What the persona has heard of a lead, call by call."""
        acted = (call for call in self.calls if call.kind == "ask" and call.lead == lead and call.acted)
        return [event_id for call in acted for event_id in call.events]


def answer_to(events: tuple[str, ...], number: int, bubbles: int) -> tuple[str, ...]:
    """The persona's words: they name what they answer, and no two answers are alike."""
    return tuple(f"to {'+'.join(events)} #{number}.{bubble}" for bubble in range(1, bubbles + 1))


def number_of(text: str) -> str:
    """Which answer of the persona a delivery brings, '' = none."""
    found = re.match(r"to \S+ #(\d+)", text)
    return found[1] if found else ""


def answered_by(text: str) -> tuple[str, ...]:
    """The events that a delivery answers; () when it is no answer of the persona."""
    found = re.match(r"to (\S+) #\d+", text)
    return tuple(found[1].split("+")) if found else ()
