"""Shares the slots of one process between personas, so that a busy or slow one does not make the others wait.

A persona that has its share of slots lets further doorbells wait here, in order, instead of in a slot. When one of its
turns ends, the same thread goes on with the first that waits. What waits here are doorbells: if the process dies, the
agenda rings again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from worker.conversation import Conversation

# With several personas configured one alone never takes the last fifth of the slots: whoever comes next finds room.
_SHARED_PART = 0.8
# A persona that uses less than this part of the slots takes nothing from the others.
_LIGHT_PART = 0.1


class Slots:
    """Who may run now. Safe for threads.

    ``slots``: turns that the process can run at once. ``personas``: how many are configured; a single one has them all.
    """

    def __init__(self, slots: int, personas: int) -> None:
        self._shared = slots if personas == 1 else max(1, int(slots * _SHARED_PART))
        self._light = max(1, int(slots * _LIGHT_PART))
        self._used: dict[str, int] = {}
        self._waiting: dict[str, OrderedDict[str, Conversation]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def enter(self, conversation: Conversation) -> Conversation | None:
        """Take a slot and return whom to run in it: this conversation, or the persona's first that waits already.

        None: the persona has its share; the doorbell is noted (once) and served when one of its turns ends.
        """
        persona = conversation.persona
        with self._lock:
            free = self._used.get(persona, 0) < self._share(persona)
            if free and persona not in self._waiting:
                self._used[persona] = self._used.get(persona, 0) + 1
                return conversation
            self._waiting.setdefault(persona, OrderedDict())[conversation.name] = conversation
            if not free:
                return None
            self._used[persona] = self._used.get(persona, 0) + 1
            return self._first_waiting(persona)

    def leave(self, persona: str, *, serve: bool = True) -> Conversation | None:
        """Give the slot back, or keep it for the conversation that is returned: run that one now.

        ``serve=False`` gives it back in any case.
        """
        with self._lock:
            if serve and persona in self._waiting and not self._closed and self._used[persona] <= self._share(persona):
                return self._first_waiting(persona)
            self._used[persona] -= 1
            if not self._used[persona]:
                del self._used[persona]
            return None

    def close(self) -> None:
        """The process is about to stop: nobody who waits is served any more."""
        with self._lock:
            self._closed = True

    def _first_waiting(self, persona: str) -> Conversation:
        waiting = self._waiting[persona]
        _, conversation = waiting.popitem(last=False)
        if not waiting:
            del self._waiting[persona]
        return conversation

    def _share(self, persona: str) -> int:
        heavy = {name for name, used in self._used.items() if used > self._light} | set(self._waiting) | {persona}
        return max(1, self._shared // len(heavy))
