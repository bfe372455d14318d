"""When an event is taken to be the cause of dead processes: pure decisions, no I/O.

A process that dies takes all its turns with it, and at most one of them is the cause. So what dead processes had in
hand is no more than suspect: a suspect is tried alone, in a process of its own, and only processes that die of that are
evidence. The others of a dead process are answered.
"""

from __future__ import annotations

from typing import Protocol

# An event is suspect when this many of its turns in the present step vanished with their processes.
SUSPECT_AFTER = 3
# An event is poison when it has killed this many processes that had nothing else in hand. One of them may have been
# killed by the kernel because memory was short, or by an operator.
KILLS_ALONE = 2


class Vanished(Protocol):
    """What the journal (``store.conversations.journal.Entry``) knows of turns of the head that vanished with their
    processes."""

    @property
    def reply(self) -> str | None: ...
    @property
    def asks_vanished(self) -> int: ...
    @property
    def asks_handed_over(self) -> int: ...
    @property
    def sends_vanished(self) -> int: ...
    @property
    def sends_handed_over(self) -> int: ...
    @property
    def killed_alone(self) -> int: ...


def is_suspect(head: Vanished) -> bool:
    """Whether the next turn of the head has to be tried alone. A process that was told to end has handed its turns
    over, and is no sign."""
    vanished, handed_over = _of_its_step(head)
    return bool(head.killed_alone) or vanished - handed_over >= SUSPECT_AFTER


def lost_in_trials(head: Vanished) -> int:
    """How many workers died while they tried this suspect, each with its child. That is no evidence: memory that runs
    out for any reason can end a whole container. But others come first for a while."""
    vanished, handed_over = _of_its_step(head)
    return max(0, vanished - handed_over - SUSPECT_AFTER)


def is_poison(head: Vanished, attempts: int) -> bool:
    """Whether the head ends as poison. ``attempts``: the budget of an event.

    Turns that were handed over are no evidence, but a supervisor that stops what does not answer any more may be seeing
    poison: they count in the budget.
    """
    _, handed_over = _of_its_step(head)
    return head.killed_alone >= KILLS_ALONE or handed_over >= max(SUSPECT_AFTER, attempts)


def _of_its_step(head: Vanished) -> tuple[int, int]:
    if head.reply is None:
        return head.asks_vanished, head.asks_handed_over
    return head.sends_vanished, head.sends_handed_over
