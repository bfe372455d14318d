"""What an operator does, with the trace that it leaves: the same functions for the command and for a browser.

Each act changes the store and is then noted under the operator's name (``worker/store/operator/audit.py``). What shows
content is noted first, so that nobody reads without a trace.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from worker.domain.consent import State
from worker.domain.conversation import Conversation
from worker.pipeline.replay import Outcome, Replay
from worker.store import Store
from worker.store.conversations.transcripts import Line
from worker.store.operator.audit import Act
from worker.store.operator.dead_letters import Mode
from worker.store.operator.erasure import Forgotten, Traces
from worker.store.operator.operator_messages import Said
from worker.store.operator.seals import Sealed
from worker.store.operator.takeovers import Answer, Claimed, HandedBack
from worker.store.personas.gates import Owner
from worker.store.views.waiting_words import Waiting, waiting_words

_log = logging.getLogger("parley.operator")


class OperatorActs:
    """The acts of one operator. Every method may raise ``redis.RedisError``. ``by``: the operator's name.

    ``call``: names one act, such as the form that was sent for it; without a space. The same act again under this name,
    because the process crashed before it answered, is carried out once and noted once. '' = each is a new one.
    """

    def __init__(self, store: Store, by: str, call: str = "") -> None:
        self._store = store
        self._call = call
        self.by = by

    def pause(self, persona: str, reason: str) -> None:
        """Start no further call for a persona."""
        self._store.personas.pause(persona, reason)
        self._note(Act.PAUSED, persona, reason, self._call)

    def open_gates(self, persona: str, gates: Sequence[str], channel: Owner) -> None:
        """Open these gates of a persona, and the one of the channel when it is among them."""
        for gate in gates:
            if gate == channel.kind:
                self._store.gates.open(channel, gate)
            else:
                self._store.personas.open_gate(persona, gate)
        self._note(Act.RESUMED, persona, ", ".join(gates), self._call)

    def claim(self, conversation: Conversation, reason: str = "") -> Claimed:
        """Take a conversation over from the persona."""
        claimed = self._store.takeovers.claim(conversation, self.by, reason)
        if claimed.status == "claimed":
            self._note(Act.CLAIMED, conversation, reason, self._call)
        return claimed

    def hand_back(self, conversation: Conversation, answer: Answer) -> HandedBack:
        """Let the persona continue."""
        done = self._store.takeovers.hand_back(conversation, answer, self._call)
        if done.status == "handed_back":
            self._note(Act.HANDED_BACK, conversation, answer, self._call)
        return done

    def say(self, conversation: Conversation, text: str, *, anyway: bool = False) -> Said:
        """Write to the lead in the persona's place."""
        said = self._store.operator_messages.say(conversation, self.by, text, anyway=anyway, event_id=self._call)
        if said.status in ("accepted", "duplicate"):
            self._note(Act.SAID, conversation, said.event_id, self._call)
        return said

    def read(self, conversation: Conversation, limit: int | None = None) -> tuple[list[Waiting], list[Line]]:
        """The words that wait, and the newest ``limit`` lines of what was said, as far as that is kept."""
        store = self._store
        self._note(Act.READ, conversation)
        store.timeline.note_reader(conversation, self.by)
        waiting = waiting_words(store.redis, store.keys, store.content, conversation)
        return waiting, store.transcripts.of(conversation, limit)

    def export(self, conversation: Conversation) -> list[Line]:
        """All that was said, as far as it is kept."""
        self._note(Act.EXPORTED, conversation)
        self._store.timeline.note_reader(conversation, self.by)
        return self._store.transcripts.of(conversation)

    def read_letter(self, conversation: Conversation, event_id: str) -> None:
        """The content of a dead letter is shown to the operator next."""
        self._note(Act.READ, conversation, event_id)
        self._store.dead_letters.note_reader(conversation, event_id, self.by)

    def seal(self, conversation: Conversation, reason: str = "") -> Sealed:
        """End a conversation."""
        done = self._store.seals.seal(conversation, self.by, reason, self._call)
        if done == "done":
            self._note(Act.SEALED, conversation, reason, self._call)
        return done

    def unseal(self, conversation: Conversation, reason: str = "") -> Sealed:
        """Take a seal away."""
        done = self._store.seals.unseal(conversation, self.by, reason, self._call)
        if done == "done":
            self._note(Act.UNSEALED, conversation, reason, self._call)
        return done

    def forget(self, conversation: Conversation, traces: Traces, *, also_consent: bool = False) -> Forgotten:
        """Erase all that is stored of a lead with one persona. The trace of it names no lead."""
        done = self._store.forgetting.forget(conversation, traces, also_consent=also_consent, call=self._call)
        if done.status == "forgotten":
            self._note(Act.FORGOT, conversation.persona, call=self._call)
            _log.warning("a conversation of persona %s was erased by %s", conversation.persona, self.by)
        return done

    def replay(self, replays: Replay, conversation: Conversation, event_id: str, mode: Mode) -> Outcome:
        """Give a dead event back to its conversation, or take it off the list."""
        outcome = replays.run(conversation, event_id, mode, self._call)
        if outcome.done:
            self._note(Act.DISCARDED if mode == "discard" else Act.REPLAYED, conversation, event_id, self._call)
        return outcome

    def has_replayed(self, conversation: Conversation, event_id: str) -> bool:
        """Whether the act of this name has replayed or discarded the event before."""
        return self._store.dead_letters.is_done(conversation, event_id, self._call)

    def move_follow_up(self, conversation: Conversation, at: datetime) -> bool:
        """Give the next follow-up of a lead another time. False when none was planned, or it changed meanwhile."""
        done = self._store.follow_ups.move(conversation, at, self._call)
        if done:
            self._note(Act.FOLLOW_UP_MOVED, conversation, at.isoformat(), self._call)
        return done

    def cancel_follow_up(self, conversation: Conversation) -> bool:
        """Drop the next follow-up of a lead. False when none was planned."""
        done = self._store.follow_ups.cancel(conversation, self.by, self._call)
        if done:
            self._note(Act.FOLLOW_UP_CANCELLED, conversation, call=self._call)
        return done

    def write_consent(self, conversation: Conversation, state: State | Literal["none"], reason: str = "") -> bool:
        """Write down that a lead opted out or in elsewhere, or that nothing is known. False when it is so already.

        Persona ``ALL_PERSONAS``: for all that share what leads say.
        """
        said = f"{self.by}: {reason}" if reason else self.by
        changed = self._store.consents.change(conversation, state, said, call=self._call)
        if changed:
            self._note(Act.CONSENT_WRITTEN, conversation, f"{state} {reason}".strip(), self._call)
        return changed

    def is_repeated(self, act: Literal["move", "forget"], conversation: Conversation) -> bool:
        """Whether the act of this name was carried out before, so that there is nothing to do but to note it."""
        return self._store.repeated_acts.is_done(act, self._call, conversation)

    def did(self, act: Act, about: Conversation | str | None = None, detail: str = "") -> None:
        """Note something else that was done."""
        self._note(act, about, detail)

    def _note(self, act: Act, about: Conversation | str | None, detail: str = "", call: str = "") -> None:
        self._store.audit.note(self.by, act, about, detail, call)
