"""Scripted leads of a persona that has FluidTalk's Characters API, beside the others in the same worker."""

from __future__ import annotations

from simulation.demo.leads import WORDS_LOST, Script, ScriptedLead, Seen
from simulation.upstreams.faults import FaultKind, FaultRule


class PhotoInTheMiddle(ScriptedLead):
    """Gets a photo between two texts."""

    handle, persona, begins_at = "x/@finn", "dora", 2.2
    expected = "Characters: the photo is second of three"

    def script(self) -> Script:
        self.writes("a photo please, of the room")
        yield 0.4
        self.writes("and does it face the sea?")
        yield self.got(2)

    def seen(self) -> Seen:
        kinds = [message["type"] for call in self.evidence.delivered for message in call.fields["response"]]
        right = (
            self.evidence.statuses == [200]
            and [call.path.rpartition("/")[2] for call in self.evidence.asks] == ["chat"]
            and kinds == ["text", "files", "text"]
            and self.evidence.bubbles == [f"You said: {message.text}" for message in self.sent]
        )
        return right, f"{len(self.evidence.asks)} call, {', '.join(kinds) or 'nothing'}"


class TriggerInDoubt(ScriptedLead):
    """Does something on the platform; the persona acts on it, but its answer never arrives."""

    handle, persona, begins_at = "x/@gwen", "dora", 4.6
    over_http = True
    expected = "Characters: cut off, asked again, acted on once"

    def script(self) -> Script:
        self.arranges("the next persona call takes effect, but the connection is dropped without an answer")
        self.stage.upstreams.add_fault(
            FaultRule(kind=FaultKind.ACT_THEN_DROP, service="fluidtalk", target=self.target, first=1)
        )
        self.does("new_follower", {"source": "reel"})
        yield self.got(1)

    def seen(self) -> Seen:
        asks = self.evidence.asks
        ids = {call.fields.get("external_event_id") for call in asks}
        right = (
            self.evidence.statuses == [None, 200]
            and [call.acted for call in asks] == [True, False]
            and len(ids) == 1
            and None not in ids
            and self.evidence.bubbles == [WORDS_LOST]
        )
        return right, f"{len(asks)} calls with {len(ids)} id, {sum(call.acted for call in asks)} took effect"


OF_CHARACTERS: tuple[type[ScriptedLead], ...] = (PhotoInTheMiddle, TriggerInDoubt)
