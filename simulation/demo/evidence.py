"""What the logs say about one lead, read by the demo from the simulated upstreams and the store's timeline."""

from __future__ import annotations

from dataclasses import dataclass, field

from simulation.judge.words import bubbles_of
from simulation.upstreams.call_log import Call
from worker.store.views.timeline import Moment


@dataclass(slots=True)
class Evidence:
    """One lead's part of the logs, in the order in which they were read.

    ``asks``: persona calls about the lead. ``uploads``: images hosted for it. ``sends``: what came to the channel,
    taken or not. ``moments``: its timeline.
    """

    asks: list[Call] = field(default_factory=list)
    uploads: list[Call] = field(default_factory=list)
    sends: list[Call] = field(default_factory=list)
    moments: list[Moment] = field(default_factory=list)

    @property
    def delivered(self) -> list[Call]:
        """The sends that the channel took."""
        return [call for call in self.sends if call.acted]

    @property
    def bubbles(self) -> list[str]:
        """All texts that reached the lead, repeated ones included."""
        return [text for call in self.delivered for text in bubbles_of(call)]

    @property
    def photos(self) -> list[str]:
        """The addresses of all files that reached the lead."""
        return [
            str(file["url"])
            for call in self.delivered
            for message in call.fields["response"]
            if message.get("type") == "files"
            for file in message["files"]
        ]

    @property
    def actions(self) -> list[str]:
        """The ids of all actions that reached the channel."""
        return [str(action["id"]) for call in self.delivered for action in call.fields["outgoing_action"] or ()]

    @property
    def statuses(self) -> list[int | None]:
        """What the persona calls were answered with; None when no answer was sent."""
        return [call.status for call in self.asks]

    @property
    def words(self) -> list[str]:
        """The words of the timeline."""
        return [moment.word for moment in self.moments]

    def follow_ups_accepted(self) -> int:
        """How many follow-ups the timeline shows as accepted. The demo's leads never enqueue one, so beat did."""
        return sum(moment.word == "accepted" and moment.details[0] == "follow_up" for moment in self.moments)
