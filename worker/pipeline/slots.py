"""Shares the slots of one process between personas, so that a busy or slow one does not make the others wait, and
between leads and outreach, so that a campaign does not make leads wait.

A doorbell that finds no slot waits here, in order, instead of in a slot. When a turn ends, its thread continues with
the first doorbell that waits, for a lead before outreach. That is one of the same persona, or of the next persona when
there are more busy personas than slots for them. Only doorbells wait here: if the process crashes, beat has them sent
again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from worker.domain.conversation import Conversation
from worker.domain.vocabulary import OUTREACH, TURNS, Lane

# With several personas configured, one alone never takes the last fifth of the slots, so that the next one finds room.
_SHARED_PART = 0.8
# A persona that uses less than this part of the slots takes nothing from the others.
_LIGHT_PART = 0.1

Doorbell = tuple[Conversation, Lane]


class Slots:
    """Decides which turns may run now. Safe for threads.

    ``slots``: turns that the process can run at once. ``personas``: how many are configured; a single one gets all.
    ``outreach_share``: the part of a persona's share that openers and follow-ups may take; as many of them may wait.
    """

    def __init__(self, slots: int, personas: int, outreach_share: float = 1.0) -> None:
        self._shared = slots if personas == 1 else max(1, int(slots * _SHARED_PART))
        self._light = max(1, int(slots * _LIGHT_PART))
        self._outreach_share = outreach_share
        self._used: dict[str, int] = {}
        self._outreach: dict[str, int] = {}
        self._waiting: dict[str, dict[Lane, OrderedDict[str, Conversation]]] = {}
        self._left_out: list[Conversation] = []
        self._lock = threading.Lock()
        self._closed = False

    def enter(self, conversation: Conversation, lane: Lane = TURNS) -> Doorbell | None:
        """Take a slot. Returns the conversation to run in it: this one, or the persona's first that already waits.

        None: no slot is free. The doorbell is then noted (once) and served when one of the persona's turns ends. An
        opener or a follow-up beyond those that may wait is not noted, and ``left_out`` returns it.
        """
        persona = conversation.persona
        with self._lock:
            lanes = self._waiting.setdefault(persona, {TURNS: OrderedDict(), OUTREACH: OrderedDict()})
            others_wait = any(lanes.values())
            if lane == TURNS or len(lanes[OUTREACH]) < self._outreach_part(persona):
                lanes[lane][conversation.name] = conversation
            elif conversation.name not in lanes[OUTREACH]:
                self._left_out.append(conversation)
            if others_wait and self._crowded() and self._full():
                return None
            return self._take(persona)

    def leave(self, ended: Doorbell, *, serve: bool = True) -> Doorbell | None:
        """Give the slot of a turn back, or keep it for the doorbell that is returned, which the caller runs now.

        ``serve=False`` gives it back in any case.
        """
        persona = ended[0].persona
        with self._lock:
            _less(self._used, persona)
            if ended[1] == OUTREACH:
                _less(self._outreach, persona)
            crowded = self._crowded()
            if not serve or self._closed or (crowded and self._full()):
                return None
            return (None if crowded else self._take(persona)) or self._take_next()

    def left_out(self) -> list[Conversation]:
        """Outreach that was not noted since the last call; the caller gives it back to the agenda."""
        with self._lock:
            found, self._left_out = self._left_out, []
            return found

    def close(self) -> None:
        """The process is about to stop: no waiting doorbell is served any more."""
        with self._lock:
            self._closed = True

    def _take(self, persona: str) -> Doorbell | None:
        lanes = self._waiting.get(persona)
        if lanes is None or self._used.get(persona, 0) >= self._share(persona):
            return None
        lane = TURNS
        if not lanes[TURNS]:
            lane = OUTREACH
            if not lanes[OUTREACH] or self._outreach.get(persona, 0) >= self._outreach_part(persona):
                return None
            self._outreach[persona] = self._outreach.get(persona, 0) + 1
        _, conversation = lanes[lane].popitem(last=False)
        if not any(lanes.values()):
            del self._waiting[persona]
        self._used[persona] = self._used.get(persona, 0) + 1
        return conversation, lane

    def _take_next(self) -> Doorbell | None:
        # Of those that have no turn whose end would serve them.
        persona = next((name for name in self._waiting if name not in self._used), None)
        if persona is None:
            return None
        taken = self._take(persona)
        if persona in self._waiting:
            # Behind the others, which come first next time.
            self._waiting[persona] = self._waiting.pop(persona)
        return taken

    def _full(self) -> bool:
        # For the busy. What is left is for others: else a persona whose first doorbell comes now never finds a thread.
        return sum(self._used.values()) >= self._shared

    def _crowded(self) -> bool:
        return len(self._heavy()) > self._shared

    def _heavy(self) -> set[str]:
        return {name for name, used in self._used.items() if used > self._light} | set(self._waiting)

    def _share(self, persona: str) -> int:
        return max(1, self._shared // len(self._heavy() | {persona}))

    def _outreach_part(self, persona: str) -> int:
        return max(1, int(self._share(persona) * self._outreach_share))


def _less(counts: dict[str, int], persona: str) -> None:
    counts[persona] -= 1
    if not counts[persona]:
        del counts[persona]
