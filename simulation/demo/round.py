"""One round of the demo: all scripted leads and the crowd, from the first message to the last fate."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from simulation.demo.characters import OF_CHARACTERS
from simulation.demo.crowd import BEGINS_AT, CROWD_LEADS, MESSAGES_EACH, crowd
from simulation.demo.doors import DemoEvent, Doors
from simulation.demo.feed import Feed
from simulation.demo.leads import CALM, ScriptedLead, Step
from simulation.demo.lines import CROWD, Line
from simulation.demo.troubles import TROUBLED
from simulation.upstreams.control import SimulatedUpstreams
from worker.store import Store

# A lead gives up waiting after so long. The worker may be late, the demo has to end.
PATIENCE_SECONDS = 20.0


class Performance:
    """A script under way."""

    def __init__(self, lead: ScriptedLead, started_at: float) -> None:
        self._script = lead.script()
        self._step: Step = 0.0
        self._since = started_at + lead.begins_at
        self.finished = False

    def advance(self, now: float) -> None:
        """Go on as far as the script allows at ``now`` (monotonic seconds)."""
        while not self.finished and self._passed(now):
            try:
                self._step, self._since = next(self._script), now
            except StopIteration:
                self.finished = True

    def _passed(self, now: float) -> bool:
        if isinstance(self._step, float | int):
            return now - self._since >= self._step
        return self._step() or now - self._since >= PATIENCE_SECONDS


class Round:
    """The stage on which the leads act. ``number`` is part of their names from the second round on.

    ``doors``: through which what they do comes in, with what these have accepted in this round.
    """

    def __init__(self, number: int, upstreams: SimulatedUpstreams, doors: Doors, store: Store) -> None:
        self.upstreams = upstreams
        self.doors = doors
        stories = sorted((*CALM, *TROUBLED, *OF_CHARACTERS), key=lambda story: story.begins_at)
        self.scripted = [story(self, number) for story in stories]
        self.crowd = crowd(self, number)
        self.feed = Feed(upstreams, store.timeline, self.leads)
        started_at = time.monotonic()
        self._performances = {lead.target: Performance(lead, started_at) for lead in self.leads}
        self._notices = self._notices_of_crowd(started_at)

    @property
    def leads(self) -> list[ScriptedLead]:
        """The scripted leads, then the crowd."""
        return [*self.scripted, *self.crowd]

    @property
    def fluidtalk_url(self) -> str:
        """Where the simulated persona, and its pictures, are."""
        return self.upstreams.fluidtalk_url

    @property
    def finished(self) -> bool:
        """Whether all scripts are at their end."""
        return all(performance.finished for performance in self._performances.values())

    def has_finished(self, lead: ScriptedLead) -> bool:
        """Whether this lead's script is at its end."""
        return self._performances[lead.target].finished

    def enqueue(self, event: DemoEvent) -> None:
        """Hand an event to the producer. Raises ``redis.RedisError``, or a ``Refused``."""
        self.doors.enqueue(event)

    def post(self, event: DemoEvent) -> None:
        """Send an event to the ingress. Raises ``IngressFailed``."""
        self.doors.post(event)

    def post_captivate(self, persona: str, payload: dict[str, Any]) -> None:
        """Send to the ingress what Captivate posts to a chat endpoint. Raises ``IngressFailed``."""
        self.doors.post_captivate(persona, payload)

    def show(self, line: Line) -> None:
        """Put a line before the spectator."""
        self.feed.add(line)

    def advance(self) -> list[Line]:
        """Read the logs, let every lead go on, and return the lines that are due."""
        self.feed.follow()
        now = time.monotonic()
        for performance in self._performances.values():
            performance.advance(now)
        self._notices = [notice for notice in self._notices if not self._given(*notice)]
        return self.feed.lines(time.time())

    def watch(self) -> list[Line]:
        """Read the logs and return the lines that are due; the leads do nothing more."""
        self.feed.follow()
        return self.feed.lines(time.time())

    def close(self) -> list[Line]:
        """Read the logs a last time and return all lines that are left."""
        self.feed.follow()
        return self.feed.rest()

    def crowd_answered(self) -> int:
        """How many messages of the crowd have their answer."""
        return sum(len(lead.evidence.bubbles) for lead in self.crowd)

    def _notices_of_crowd(self, started_at: float) -> list[tuple[Callable[[], bool], str]]:
        done = CROWD_LEADS * MESSAGES_EACH
        return [
            (
                lambda: time.monotonic() >= started_at + BEGINS_AT,
                f"a crowd of {CROWD_LEADS} leads starts to write {MESSAGES_EACH} messages each, half of them over "
                "HTTP, not shown here",
            ),
            (lambda: self.crowd_answered() >= done, f"the crowd has its {done} answers"),
        ]

    def _given(self, due: Callable[[], bool], text: str) -> bool:
        if due():
            self.show(Line(time.time(), CROWD, "stage", text))
            return True
        return False
