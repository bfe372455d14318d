"""What happens in a chaos run: the events of its leads, drawn from a seed."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from simulation.judge.log import Api, Word
from simulation.judge.words import session_of

Kind = Literal["inbound_chat", "ai_opener", "event_trigger", "follow_up"]

CHARACTERS_PLATFORM = "instagram"
_MOST_IN_A_ROW = 5
_OPENED_BY_THE_PERSONA = 0.5
# Of the bursts of a known lead; of the other events; of the chats; of the chats with an image.
_FOLLOW_UPS, _TRIGGERS, _IMAGES, _ATTACHED, _WITHOUT_TEXT = 0.1, 0.1, 0.15, 0.6, 0.3
# Of the openers: something else of the lead is accepted right behind it, so most of these give way.
_CROSSED = 0.2
# Shares. _STOPS: of a known lead's bursts, those that are outreach and are followed by a STOP, at most _LONGEST_LATER
# bursts later. _TWICE: of these STOPs, those that come twice. _STARTS: of an opted-out lead's bursts, those that begin
# with START.
_STOPS, _LONGEST_LATER, _TWICE, _STARTS = 0.05, 12, 0.3, 0.33
# Signs around a word do not count: they tell one START from the other.
_SIGNS = ".,!?:;-~"


@dataclass(frozen=True, slots=True)
class Message:
    """One event. ``number`` counts all events of the run; it is also what makes the event's id.

    ``text``: of a chat what the lead wrote, or nothing; of a STOP and of any other event its id. ``image``: the name of
    a chat's image; ``attached`` when it comes as an attachment that has to be fetched and hosted. ``api``: that its
    persona has. ``said``: whether the chat is a STOP or a START.
    """

    number: int
    persona: str
    target: str
    text: str
    kind: Kind = "inbound_chat"
    image: str = ""
    attached: bool = False
    api: Api = "handshake"
    said: Word = ""

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
    seed: int,
    count: int,
    conversations: int,
    personas: Sequence[str],
    *,
    characters: Collection[str] = (),
    chats_only: bool = False,
    consent: bool = False,
) -> Iterator[Message]:
    """``count`` events in bursts of 1 to 5 of one conversation, conversations in random order.

    Half of the leads are written to first; a follow-up comes alone. ``characters``: those of the personas that have the
    Characters API, which takes no follow-up. ``chats_only``: lines of text, no other event. ``consent``: leads write
    STOP soon after outreach, and START later.
    """
    says = _Says(random.Random(f"consent {seed}"), _STOPS if consent else 0.0)
    dice, kinds = random.Random(f"messages {seed}"), random.Random(f"kinds {seed}")
    met: set[int] = set()
    number = 0
    while number < count:
        lead = dice.randrange(conversations)
        persona = personas[lead % len(personas)]
        who = _Lead(persona, f"@lead-{lead}")
        if persona in characters:
            who = _Lead(persona, f"{CHARACTERS_PLATFORM}/@lead-{lead}", "characters")
        length = min(dice.randint(1, _MOST_IN_A_ROW), count - number)
        first: Kind | None = None
        if not chats_only and lead in met and kinds.random() < _FOLLOW_UPS and who.api == "handshake":
            first, length = "follow_up", 1
        elif not chats_only and lead not in met and kinds.random() < _OPENED_BY_THE_PERSONA:
            first, length = "ai_opener", length if kinds.random() < _CROSSED else 1
        elif lead in met and (touch := says.stops_soon(who)):
            first, length = touch, 1
        met.add(lead)
        starts = not first and says.starts(who)
        for place in range(length):
            kind = first if first and not place else _kind(kinds, chats_only)
            word = starts and not place
            yield _word(number, who, "start") if word else _message(kinds, number, who, kind, chats_only)
            number += 1
        for other in says.stopping()[: count - number]:
            yield _word(number, other, "stop")
            number += 1


@dataclass(frozen=True, slots=True)
class _Lead:
    persona: str
    target: str
    api: Api = "handshake"


class _Says:
    """Which leads opt out and in, burst by burst. ``share``: of the bursts of a known lead that lead to a STOP."""

    def __init__(self, dice: random.Random, share: float) -> None:
        self._dice, self._share = dice, share
        self._burst = 0
        self._due: dict[int, list[_Lead]] = defaultdict(list)
        self._leaving: set[_Lead] = set()
        self._out: set[_Lead] = set()

    def stops_soon(self, who: _Lead) -> Kind | None:
        """The outreach that this burst of a known lead is when the lead opts out soon after it."""
        if not self._share or who in self._leaving | self._out or self._dice.random() >= self._share:
            return None
        self._leaving.add(who)
        times = 2 if self._dice.random() < _TWICE else 1
        self._due[self._burst + self._dice.randint(0, _LONGEST_LATER)] += [who] * times
        return "follow_up" if who.api == "handshake" and self._dice.random() < 0.5 else "event_trigger"

    def starts(self, who: _Lead) -> bool:
        """Whether the lead is out and opts in with this burst."""
        if who not in self._out or self._dice.random() >= _STARTS:
            return False
        self._out.discard(who)
        return True

    def stopping(self) -> list[_Lead]:
        """The end of a burst: who opts out, a lead for each STOP."""
        leads = self._due.pop(self._burst, [])
        self._burst += 1
        self._leaving.difference_update(leads)
        self._out.update(leads)
        return leads


def _word(number: int, who: _Lead, said: Word) -> Message:
    signs = "".join(_SIGNS[int(digit)] for digit in f"{number:o}")
    text = event_id(number) if said == "stop" else f"START{signs}"
    return Message(number, who.persona, who.target, text, api=who.api, said=said)


def _kind(dice: random.Random, chats_only: bool) -> Kind:
    return "event_trigger" if not chats_only and dice.random() < _TRIGGERS else "inbound_chat"


def _message(dice: random.Random, number: int, who: _Lead, kind: Kind, chats_only: bool) -> Message:
    message = Message(number, who.persona, who.target, event_id(number), kind, api=who.api)
    if kind != "inbound_chat":
        return message
    text = f"message {number} of {who.target}"
    if chats_only or dice.random() >= _IMAGES:
        return replace(message, text=text)
    attached, without_text = dice.random() < _ATTACHED, dice.random() < _WITHOUT_TEXT
    image = f"{event_id(number)}.png"
    return replace(message, text="" if without_text else text, image=image, attached=attached)
