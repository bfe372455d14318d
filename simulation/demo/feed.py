"""Follows the logs while the demo runs: files what concerns each lead and gives what a person would read of it."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence

from simulation.demo.leads import ScriptedLead
from simulation.demo.lines import Line, of_moment, of_send
from simulation.upstreams.call_log import Call
from simulation.upstreams.control import SimulationControl
from worker.domain.conversation import Conversation
from worker.store.views.timeline import Timeline

# The logs are read one after the other; a line waits for so long that an earlier one from another log can pass it.
_SETTLE_SECONDS = 0.3


class Feed:
    """The logs of one round. ``calls``: all calls read so far, in the order of their end."""

    def __init__(self, upstreams: SimulationControl, timeline: Timeline, leads: Sequence[ScriptedLead]) -> None:
        self._upstreams = upstreams
        self._timeline = timeline
        self._watched = [lead for lead in leads if lead.shown]
        self._by_target = {(lead.persona, lead.target): lead for lead in leads}
        self._by_session = {lead.session_id: lead for lead in leads}
        self._by_image = {lead.image_name: lead for lead in leads if lead.image_name}
        self._lines: list[tuple[float, int, Line]] = []
        self._numbers = itertools.count()
        self.calls: list[Call] = []

    def add(self, line: Line) -> None:
        """Put a line of one's own among those from the logs."""
        heapq.heappush(self._lines, (line.at, next(self._numbers), line))

    def follow(self) -> None:
        """Read what is new. Raises ``SimulationFailed`` or ``redis.RedisError`` when a log cannot be read."""
        for lead in self._watched:
            moments = self._timeline.of(Conversation(lead.persona, lead.target))
            for moment in moments[len(lead.evidence.moments) :]:
                lead.evidence.moments.append(moment)
                line = of_moment(moment, lead.target)
                if line:
                    self.add(line)
        new = self._upstreams.calls(self.calls[-1].seq if self.calls else 0)
        self.calls += new
        for call in new:
            self._file(call)

    def lines(self, now: float) -> list[Line]:
        """The lines that are old enough at ``now`` (seconds since 1970), each once, oldest first."""
        old: list[Line] = []
        while self._lines and self._lines[0][0] <= now - _SETTLE_SECONDS:
            old.append(heapq.heappop(self._lines)[2])
        return old

    def rest(self) -> list[Line]:
        """All lines that are left, oldest first."""
        return self.lines(float("inf"))

    def _file(self, call: Call) -> None:
        if call.service == "captivate":
            lead = self._by_session.get(call.session_id or "")
            if lead:
                self._file_send(call, lead)
        elif "file" in call.fields:
            lead = self._by_image.get(call.fields["file"]["name"])
            if lead:
                lead.evidence.uploads.append(call)
        else:
            lead = self._by_target.get((call.persona or "", call.target or ""))
            if lead:
                lead.evidence.asks.append(call)

    def _file_send(self, call: Call, lead: ScriptedLead) -> None:
        again = any(call.idempotency_key == before.idempotency_key for before in lead.evidence.delivered)
        lead.evidence.sends.append(call)
        if lead.shown and call.acted:
            for line in of_send(call, lead.target, lead.persona, again=again):
                self.add(line)
