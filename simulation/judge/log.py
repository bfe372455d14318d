"""What the servers' logs say of the events that a producer sent, read once for all who judge by it."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from simulation.judge.words import asked, is_ask, session_of, told
from simulation.upstreams.call_log import Call

Lead = tuple[str, str]
Api = Literal["handshake", "characters"]
Word = Literal["", "stop", "start"]

# A request that lay in a frozen process reaches the server at once when the process goes on.
_WAKING_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Sent:
    """One event that the producer had accepted.

    ``text``: of a chat its text, a single line used once, or nothing; of a STOP and of any other event its id. ``at``:
    seconds since 1970 when the receipt came; ``tried_at``: when it was first sent, None when there was one try only.
    ``kind``: as the producer calls it. ``image``: the name of a chat's image, used once. ``api``: the API of FluidTalk
    that its persona has. ``said``: whether the chat is a STOP or a START.
    """

    persona: str
    target: str
    text: str
    at: float
    kind: str = "inbound_chat"
    image: str = ""
    api: Api = "handshake"
    said: Word = ""
    tried_at: float | None = None

    @property
    def label(self) -> str:
        """The kind, or what was said, with the API where it is not the usual one."""
        kind = self.said.upper() or self.kind
        return kind if self.api == "handshake" else f"{kind} (Characters)"

    @property
    def is_outreach(self) -> bool:
        """Whether it needs the lead's consent: every event but what the lead wrote."""
        return self.kind != "inbound_chat"

    @property
    def earliest(self) -> float:
        """The time before which it was certainly not accepted."""
        return self.at if self.tried_at is None else self.tried_at

    @property
    def words(self) -> tuple[str, ...]:
        """By which the logs show it: the persona hears all of them, and the lead gets an answer to each.

        Of a STOP the persona hears nothing, and the answer is its confirmation.
        """
        return tuple(filter(None, (self.text, self.image)))

    @property
    def lead(self) -> Lead:
        """Persona and target."""
        return self.persona, self.target


class Log:
    """The calls to both upstreams, with or without effect, in the order in which they arrived.

    ``sent``: in the order of acceptance. ``calls``: in any order. ``said``: texts of persons who spoke in a persona's
    place.
    """

    def __init__(self, sent: Sequence[Sent], calls: Iterable[Call], said: Iterable[str] = ()) -> None:
        self.sent = sent
        self.said = frozenset(said)
        self.calls = sorted(calls, key=lambda call: call.arrived)
        # The place in ``sent`` of the event that a word belongs to.
        self.number_of = {word: number for number, message in enumerate(sent) for word in message.words}

    @cached_property
    def asks(self) -> list[tuple[Call, list[str]]]:
        """Persona calls about a lead, each with its words: those of ``sent``, and other lines of its message."""
        return [(call, asked(call, self.number_of)) for call in self.calls if is_ask(call)]

    @cached_property
    def sends(self) -> list[tuple[Call, list[str]]]:
        """Deliveries, each with the words that its bubbles answer, or their texts."""
        return [(call, told(call, self.number_of, self.said)) for call in self.calls if call.service == "captivate"]

    @cached_property
    def answered_at(self) -> dict[str, float]:
        """For each word when its answer first reached the lead, in seconds since 1970."""
        found: dict[str, float] = {}
        for call, words in self.sends:
            if call.acted:
                for word in words:
                    found.setdefault(word, call.end_wall)
        return found

    def lead_of(self, call: Call) -> Lead | None:
        """Whom a call is about: of a delivery known by the calls about its lead and by ``session_of``."""
        return lead_asked(call) if is_ask(call) else self._of_session.get(call.session_id or "")

    @cached_property
    def _of_session(self) -> dict[str, Lead]:
        leads = {lead_asked(call) for call, _ in self.asks}
        return {session_of(*lead): lead for lead in leads}


def read_calls(file: Path) -> list[Call]:
    """The call log, in the order in which the calls arrived. A last line that was cut by a kill is left out."""
    calls = []
    for line in file.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            calls.append(Call(**json.loads(line)))
    return sorted(calls, key=lambda call: call.arrived)


def lead_asked(call: Call) -> Lead:
    """Whom a persona call is about."""
    return call.persona or "", call.target or ""


def just_thawed(call: Call, thawed_at: Sequence[float]) -> bool:
    """Whether a call began in the second after a frozen worker went on. ``thawed_at``: ascending."""
    index = bisect_right(thawed_at, call.start_wall)
    return index > 0 and call.start_wall - thawed_at[index - 1] < _WAKING_SECONDS
