"""Scripted leads for whom something goes wrong on the way: the upstreams are told to fail, the worker has to cope.

They all write to one persona, because a throttled key holds all its conversations.
"""

from __future__ import annotations

from simulation.demo.leads import Script, ScriptedLead, Seen
from simulation.upstreams.faults import FaultKind, FaultRule

RETRY_AFTER_SECONDS = 2.0


class Throttled(ScriptedLead):
    """The persona's key is throttled once."""

    handle, persona, begins_at = "@bruno", "bea", 0.6
    expected = f"429, Retry-After {RETRY_AFTER_SECONDS:g}: held so long, answered once"

    def script(self) -> Script:
        self.arranges(f"the next persona call answers 429 with Retry-After {RETRY_AFTER_SECONDS:g}")
        self.stage.upstreams.add_fault(
            FaultRule(
                kind=FaultKind.ANSWER,
                service="fluidtalk",
                target=self.target,
                first=1,
                status=429,
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        )
        self.writes("are you open on Sundays?")
        yield self.got(1)

    def seen(self) -> Seen:
        asks = self.evidence.asks
        pause = asks[1].start_wall - asks[0].end_wall if len(asks) > 1 else 0.0
        right = self.evidence.statuses == [429, 200] and pause >= RETRY_AFTER_SECONDS and _answered_once(self)
        return right, f"{_listed(self.evidence.statuses)}, {pause:.1f} s apart, {len(self.evidence.bubbles)} bubble"


class PersonaUnavailable(ScriptedLead):
    """The persona is unavailable once."""

    handle, persona, begins_at = "@dana", "bea", 4.2
    expected = "503 of FluidTalk: asked again, answered once"

    def script(self) -> Script:
        self.arranges("the next persona call answers 503")
        self.stage.upstreams.add_fault(
            FaultRule(kind=FaultKind.ANSWER, service="fluidtalk", target=self.target, first=1, status=503)
        )
        self.writes("can I bring my dog?")
        yield self.got(1)

    def seen(self) -> Seen:
        right = self.evidence.statuses == [503, 200] and _answered_once(self)
        return right, f"{_listed(self.evidence.statuses)}, {len(self.evidence.bubbles)} bubble"


class ChannelUnavailable(ScriptedLead):
    """The channel is unavailable once."""

    handle, persona, begins_at = "@erik", "bea", 5.6
    expected = "503 of Captivate: sent again, not asked again"

    def script(self) -> Script:
        self.arranges("the next delivery to this lead answers 503")
        self.stage.upstreams.add_fault(
            FaultRule(kind=FaultKind.ANSWER, service="captivate", session_id=self.session_id, first=1, status=503)
        )
        self.writes("is there parking nearby?")
        yield self.got(1)

    def seen(self) -> Seen:
        sends = [call.status for call in self.evidence.sends]
        right = self.evidence.statuses == [200] and sends == [503, 200] and _answered_once(self)
        return right, f"{len(self.evidence.asks)} call, sends {_listed(sends)}"


class ChannelSilent(ScriptedLead):
    """The channel takes the message and drops the connection: nobody can know whether it arrived."""

    handle, persona, begins_at = "@fay", "bea", 7.0
    expected = "taken, but not answered: resent, same key"

    def script(self) -> Script:
        self.arranges("the next delivery to this lead is taken, but the connection is dropped without an answer")
        self.stage.upstreams.add_fault(
            FaultRule(kind=FaultKind.ACT_THEN_DROP, service="captivate", session_id=self.session_id, first=1)
        )
        self.writes("which bus goes to the beach?")
        yield self.got(2)

    def seen(self) -> Seen:
        sends = self.evidence.sends
        keys = {call.idempotency_key for call in sends}
        right = (
            self.evidence.statuses == [200]
            and [call.status for call in sends] == [None, 200]
            and self.evidence.bubbles == [f"You said: {self.sent[0].text}"] * 2
            and len(keys) == 1
            and None not in keys
            and "resent" in self.evidence.words
        )
        return right, f"{len(self.evidence.asks)} call, {len(sends)} sends under {len(keys)} key"


def _answered_once(lead: ScriptedLead) -> bool:
    return lead.evidence.bubbles == [f"You said: {message.text}" for message in lead.sent]


def _listed(statuses: list[int | None]) -> str:
    return ", ".join(map(str, statuses)) or "none"


TROUBLED: tuple[type[ScriptedLead], ...] = (Throttled, PersonaUnavailable, ChannelUnavailable, ChannelSilent)
