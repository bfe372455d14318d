"""What must be true of one conversation: the model that the real scripts are compared with."""

from __future__ import annotations

from dataclasses import dataclass, field

LARGEST_GROUP = 3


@dataclass
class Event:
    """What the model knows of one event."""

    event_id: str
    kind: str
    reply: str | None = None
    fate: str | None = None
    asks: int = 0
    doubted: bool = False
    alone: bool = False
    rank: int | None = None
    asked_with: Event | None = None
    replayed: bool = False
    moved: bool = False


@dataclass
class Model:
    """What the model knows of one conversation."""

    inbox: list[Event] = field(default_factory=list)
    ended: list[Event] = field(default_factory=list)
    holder: str | None = None
    lease_live: bool = False
    left_open: bool = False
    held: bool = False
    # A step forward ended its hold, and a step back came since: nobody can tell whether it still holds.
    ended_by_step: bool = False
    may_be_held: bool = False
    taken: bool = False
    group: int = 0
    doubted: bool = False
    fence: int = 0
    ranks: int = 0
    answered_rank: int = 0
    answered: list[Event] = field(default_factory=list)
    last_chat: int = 0

    def place_of(self, event: Event) -> int | str:
        """Where a dead event stood by acceptance, or why it cannot go there any more."""
        if self.answered_rank > event.rank:
            return "later_answered"
        behind = [index for index, other in enumerate(self.inbox) if other.rank is None or other.rank > event.rank]
        index = behind[0] if behind else len(self.inbox)
        if behind and (index < self.group or any(other.reply for other in self.inbox[index:])):
            return "later_asked"
        return index

    def natural_group(self) -> int:
        """How many events at the head are asked together when nothing was asked before."""
        size = 0
        for event in self.inbox[:LARGEST_GROUP]:
            if size and (event.alone or event.kind not in ("inbound_chat", "image")):
                break
            size += 1
            if event.alone or event.kind != "inbound_chat":
                break
        return size
