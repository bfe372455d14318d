"""What happens in a chaos run: the events of its leads, drawn from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from simulation.judge.words import session_of

Kind = Literal["inbound_chat", "ai_opener", "event_trigger", "follow_up"]

_MOST_IN_A_ROW = 5
_OPENED_BY_THE_PERSONA = 0.5
# Of the bursts of a known lead; of the other events; of the chats; of the chats with an image.
_FOLLOW_UPS, _TRIGGERS, _IMAGES, _ATTACHED, _WITHOUT_TEXT = 0.1, 0.1, 0.15, 0.6, 0.3
# Of the openers: something else of the lead is accepted right behind it, so most of these give way.
_CROSSED = 0.2


@dataclass(frozen=True, slots=True)
class Message:
    """One event. ``number`` counts all events of the run; it is also what makes the event's id.

    ``text``: of a chat what the lead wrote, or nothing; of any other event its id. ``image``: the name of a chat's
    image; ``attached`` when it comes as an attachment that has to be fetched and hosted.
    """

    number: int
    persona: str
    target: str
    text: str
    kind: Kind = "inbound_chat"
    image: str = ""
    attached: bool = False

    @property
    def session_id(self) -> str:
        """The lead's Captivate conversation."""
        return session_of(self.persona, self.target)


def event_id(number: int) -> str:
    """The id of an event of this run."""
    return f"e{number}"


def number_of(event_id: str) -> int:
    """The number of the event with this id."""
    return int(event_id.removeprefix("e"))


def messages(
    seed: int, count: int, conversations: int, personas: Sequence[str], *, chats_only: bool = False
) -> Iterator[Message]:
    """``count`` events in bursts of 1 to 5 of one conversation, conversations in random order.

    Half of the leads are written to first; a follow-up comes alone. ``chats_only``: lines of text, no other event.
    """
    dice, kinds = random.Random(f"messages {seed}"), random.Random(f"kinds {seed}")
    met: set[int] = set()
    number = 0
    while number < count:
        lead = dice.randrange(conversations)
        persona, target = personas[lead % len(personas)], f"@lead-{lead}"
        length = min(dice.randint(1, _MOST_IN_A_ROW), count - number)
        first: Kind | None = None
        if not chats_only and lead in met and kinds.random() < _FOLLOW_UPS:
            first, length = "follow_up", 1
        elif not chats_only and lead not in met and kinds.random() < _OPENED_BY_THE_PERSONA:
            first, length = "ai_opener", length if kinds.random() < _CROSSED else 1
        met.add(lead)
        for place in range(length):
            kind = first if first and not place else _kind(kinds, chats_only)
            yield _message(kinds, number, persona, target, kind, chats_only)
            number += 1


def _kind(dice: random.Random, chats_only: bool) -> Kind:
    return "event_trigger" if not chats_only and dice.random() < _TRIGGERS else "inbound_chat"


def _message(dice: random.Random, number: int, persona: str, target: str, kind: Kind, chats_only: bool) -> Message:
    if kind != "inbound_chat":
        return Message(number, persona, target, event_id(number), kind)
    text = f"message {number} of {target}"
    if chats_only or dice.random() >= _IMAGES:
        return Message(number, persona, target, text)
    attached, without_text = dice.random() < _ATTACHED, dice.random() < _WITHOUT_TEXT
    image = f"{event_id(number)}.png"
    return Message(number, persona, target, "" if without_text else text, kind, image, attached)
