"""The crowd of the demo: leads who write side by side, so that the figures mean something. Not shown line by line."""

from __future__ import annotations

import random

from simulation.demo.leads import Script, ScriptedLead, Seen, Stage

CROWD_LEADS = 60
MESSAGES_EACH = 3
BEGINS_AT = 8.0
_ARRIVAL_SECONDS = 2.0
_PERSONAS = ("ava", "bea")


class CrowdLead(ScriptedLead):
    """Writes two messages in a row, waits for the answer, writes a third."""

    expected = "every message is answered"
    begins_at = BEGINS_AT
    shown = False

    def __init__(self, stage: Stage, number: int, seat: int) -> None:
        self.handle = f"@crowd-{seat:02d}"
        self.persona = _PERSONAS[seat % len(_PERSONAS)]
        self.over_http = seat < CROWD_LEADS // 2
        super().__init__(stage, number)
        self._seat = seat
        self._random = random.Random(seat)

    def script(self) -> Script:
        yield self._random.uniform(0.0, _ARRIVAL_SECONDS)
        self.writes(f"guest {self._seat}: good evening")
        yield self._random.uniform(0.2, 0.8)
        self.writes(f"guest {self._seat}: a table for two, please")
        yield self.got(2)
        yield self._random.uniform(0.2, 0.8)
        self.writes(f"guest {self._seat}: thank you")
        yield self.got(MESSAGES_EACH)

    def seen(self) -> Seen:
        bubbles = self.evidence.bubbles
        return bubbles == [f"You said: {message.text}" for message in self.sent], f"{len(bubbles)} bubbles"


def crowd(stage: Stage, number: int) -> list[CrowdLead]:
    """The crowd of one round."""
    return [CrowdLead(stage, number, seat) for seat in range(CROWD_LEADS)]
