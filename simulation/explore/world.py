"""The state of an exploration beside the store: what workers are at, what may still arrive, what may still happen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from simulation.explore.client import Command
from simulation.explore.ledger import Ledger
from simulation.explore.product import BEGINNING
from simulation.explore.replay import Came, Item
from simulation.explore.values import NOTHING
from worker.domain.conversation import Conversation
from worker.store.conversations.turn_steps import Grant


class Choice(NamedTuple):
    """One possible step: who does what, about what."""

    who: str
    what: str
    about: str = ""

    def __str__(self) -> str:
        return f"{self.who}: {self.what} {self.about}".rstrip()


class Running(NamedTuple):
    """A turn of a worker. ``begun_at``: by its process' clock. ``made_at``, ``renewals``: when it came to its next
    call, and how many renewals had come back by then. ``begun``, ``stored``: numbers of the steps with which it
    began, and with which the store last let it go on. ``unheard``: its next script was run, and it did not hear so."""

    lead: Conversation
    grant: Grant
    begun_at: int
    history: tuple[Item, ...]
    came: Came
    made_at: int
    renewals: int
    begun: int
    stored: int
    unheard: bool = False


class Worker(NamedTuple):
    """A process with room for one turn. ``beginning``: lead and token of a begin whose answer it did
    not hear, when it made that, and the number of that step."""

    name: str
    turn: Running | None = None
    beginning: tuple[Conversation, str, int, int] | None = None
    turns: int = 0

    @property
    def idle(self) -> bool:
        """Nothing is under way."""
        return self.turn is None and self.beginning is None


class Packet(NamedTuple):
    """A run of a script that was made, and that the network may bring to the server once more. ``token``: of the turn
    that made it."""

    command: Command
    by: str
    lead: Conversation
    token: str


class Budget(NamedTuple):
    """How much may still happen: events of producers, faults of the network and of processes, acts of operators, moves
    of the clock."""

    events: int = 2
    faults: int = 1
    acts: int = 1
    moves: int = 4


class World(NamedTuple):
    """``now``: the store's clock. ``stepped``: by how much it was set, so that processes count otherwise.
    ``waiting``: leads whose inbox is not empty, as it was last seen; ``futile``: those of them that no turn could begin
    for, and nothing has happened since. ``due``: times on the agenda. ``rung``: for whom beat has
    rung last. ``holds``: name of a conversation to when its hold ends."""

    workers: tuple[Worker, ...]
    budget: Budget
    now: int = BEGINNING
    stepped: int = 0
    late: tuple[Packet, ...] = ()
    waiting: tuple[Conversation, ...] = ()
    futile: tuple[Conversation, ...] = ()
    due: tuple[int, ...] = ()
    rung: tuple[Conversation, ...] = ()
    holds: Mapping[str, int] = NOTHING
    ledger: Ledger = Ledger()

    @property
    def passed(self) -> int:
        """Time as it passes for processes: setting the store's clock does not change it."""
        return self.now - self.stepped

    def worker(self, name: str) -> Worker:
        """By its name."""
        return next(worker for worker in self.workers if worker.name == name)


class Scenario(NamedTuple):
    """What an exploration is about. ``events``: pairs of kind and lead that may be sent; ``in_order``: one after the
    other, as they stand there. ``acts``, ``faults``: their names. ``settings``: replace the usual ones."""

    name: str
    leads: tuple[Conversation, ...]
    workers: int
    events: tuple[tuple[str, Conversation], ...]
    in_order: bool
    acts: tuple[str, ...]
    faults: tuple[str, ...]
    budget: Budget
    moves: tuple[str, ...] = ("next",)
    settings: Mapping[str, Any] = NOTHING

    def world(self) -> World:
        """The world before its first step."""
        return World(tuple(Worker(name) for name in "ABCDEFGH"[: self.workers]), self.budget)
