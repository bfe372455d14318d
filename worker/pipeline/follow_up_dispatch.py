"""Turns due touches into events. Any number of processes may do this at once."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Iterable, Sequence

from config.settings import Settings
from worker.domain import event_ids, events
from worker.domain.cadence import Drop, Fire, Miss, Move, TouchState, decide, policy_of, spread
from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp
from worker.domain.unreadable import Unreadable
from worker.domain.vocabulary import Cause, Gate, stored, stored_of_persona
from worker.store import Store
from worker.store.conversations.inbox import Acceptance
from worker.store.encryption import Undecryptable

_log = logging.getLogger("parley.follow_ups")

AT_ONCE = 500
RUN_SECONDS = 5.0

# A touch with its event; a touch with what becomes of it instead.
Firing = tuple[TouchState, FollowUp]
Change = tuple[TouchState, Move | Drop | Miss]

# The event does not exist, and will not by this call.
_NOT_ACCEPTED = ("waits", "full", "no_channel")

# How long a touch waits for a closed gate, or for the event in front of it, before it is looked at again.
_WAIT_MS = 300_000
# A persona that is not in the settings is a mistake, or an older process that runs next to a newer one.
_UNCONFIGURED_MS = 3_600_000
_STOPPING = {
    Gate.PAUSED: Cause.TOUCH_PAUSED,
    Gate.QUARANTINED: Cause.TOUCH_QUARANTINED,
    Gate.OUTREACH: Cause.TOUCH_STOPPED,
}


class Dispatch:
    """Dispatches touches, one run at a time. A run ends when nothing is due or its time is used up.

    The event id of a touch comes from its plan, and the script that accepts the event checks the plan. So several
    dispatchers make one event, a killed one neither loses nor doubles, and a message of the lead that was accepted
    before wins.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._policies = {name: policy_of(settings, name) for name in settings.personas}
        # Of the scope lead, another persona may have the consent: the turn looks there.
        rules = settings.consent_rules
        self._only_opted_in = {
            name for name, each in rules.items() if each.outreach == "only_opted_in" and each.scope == "persona"
        }

    def run(self) -> Counter[str]:
        """Dispatch what is due. Returns how many touches were accepted, moved, dropped, missed, or changed meanwhile.

        Raises ``redis.RedisError``; what was not done stays due.
        """
        until = time.monotonic() + RUN_SECONDS
        counts: Counter[str] = Counter()
        gates: dict[str, str] = {}
        while True:
            found = 0
            for states in self._store.follow_ups.due(AT_ONCE):
                found += len(states)
                counts += self._dispatch(states, gates)
                if time.monotonic() >= until:
                    return counts
            if not found:
                return counts

    def _dispatch(self, states: list[TouchState], gates: dict[str, str]) -> Counter[str]:
        now = self._store.follow_ups.now()
        changes: list[Change] = []
        firing: list[TouchState] = []
        for state in states:
            decision = self._decide(state, now, gates)
            if isinstance(decision, Fire):
                firing.append(state)
            else:
                changes.append((state, decision))
        batch, refused = self._readable(firing, now)
        changes += refused
        held_back = self._held_back(batch, now)
        changes += [(state, held_back[state.conversation]) for state, _ in batch if state.conversation in held_back]
        accepted, refused = self._accept([pair for pair in batch if pair[0].conversation not in held_back], now)
        changes += refused
        counts = Counter(_word(change) for _, change in changes)
        counts["changed meanwhile"] = len(changes) - self._store.follow_ups.apply(changes)
        counts["accepted"] = accepted
        return counts

    def _decide(self, state: TouchState, now: int, gates: dict[str, str]) -> Fire | Move | Drop | Miss:
        persona = Conversation.of_name(state.conversation).persona
        if not state.plan:
            return Drop(stored(Cause.CONVERSATION_EXPIRED))
        if persona not in self._policies:
            rule = stored_of_persona(Cause.TOUCH_UNCONFIGURED, persona)
            return Move(now + _UNCONFIGURED_MS, rule, meant=False)
        if persona not in gates:
            gates[persona] = _closed(persona, self._store.personas.gates(persona))
        if gates[persona]:
            # Spread, so that they do not become due in one batch again.
            at = now + _WAIT_MS + int(_WAIT_MS * spread(state) / 5)
            return Move(at, gates[persona], meant=False)
        if state.undecryptable and not state.over:
            return Move(now + _WAIT_MS, state.undecryptable, meant=False)
        if persona in self._only_opted_in and not state.opted_in:
            return Drop(stored(Cause.NOT_OPTED_IN))
        return decide(self._policies[persona], state, now)

    def _readable(self, states: list[TouchState], now: int) -> tuple[list[Firing], list[Change]]:
        batch: list[Firing] = []
        refused: list[Change] = []
        for state, event in self._events(states):
            match event:
                case FollowUp():
                    batch.append((state, event))
                case Undecryptable():
                    # As 0.1.0 says it: its scripts compare a rule with the one before.
                    refused.append((state, Move(now + _WAIT_MS, str(event), meant=False)))
                case Unreadable():
                    refused.append((state, Move(now + _WAIT_MS, stored(*event.reason), meant=False)))
                case _:
                    refused.append((state, Drop(stored(Cause.EVENT_GONE))))
        return batch, refused

    def _held_back(self, batch: Sequence[Firing], now: int) -> dict[str, Move]:
        # Of what the lead may hear: reserved under the name of its event, which its turn then finds.
        waits = self._store.frequency.waits_of([_named(pair) for pair in batch])
        held_back = {
            state.conversation: Move(now + int(wait * 1000), stored(Cause.FREQUENCY_CAP))
            for (state, _), wait in zip(batch, waits, strict=True)
            if wait
        }
        # The other caps count what they let go.
        free = [pair for pair in batch if pair[0].conversation not in held_back]
        capped = self._store.follow_up_caps.held_back([state for state, _ in free], now)
        self._store.frequency.ended([_named(pair) for pair in free if pair[0].conversation in capped], sent=False)
        return held_back | dict(capped)

    def _accept(self, batch: Sequence[Firing], now: int) -> tuple[int, list[Change]]:
        refused: list[Change] = []
        acceptances = (
            self._store.inbox.accept_many([event for _, event in batch], plans=[state.plan for state, _ in batch])
            if batch
            else []
        )
        accepted = 0
        for pair, acceptance in zip(batch, acceptances, strict=True):
            accepted += acceptance.status == "accepted"
            change = _refused(acceptance, now)
            if change:
                refused.append((pair[0], change))
        # One that another process has accepted has its reservation under the same name.
        left = [pair for pair, each in zip(batch, acceptances, strict=True) if each.status in _NOT_ACCEPTED]
        self._store.frequency.ended([_named(pair) for pair in left], sent=False)
        return accepted, refused

    def _events(
        self, states: list[TouchState]
    ) -> Iterable[tuple[TouchState, FollowUp | Undecryptable | Unreadable | None]]:
        requested = [state for state in states if state.requested_at]
        asked_for = {
            state.conversation: _event(text)
            for state, text in zip(requested, self._store.follow_ups.requested(requested), strict=True)
        }
        for state in states:
            yield state, asked_for[state.conversation] if state.requested_at else _follow_up(state)


def _named(pair: Firing) -> tuple[Conversation, str]:
    state, event = pair
    return Conversation.of_name(state.conversation), event.event_id


def _follow_up(state: TouchState) -> FollowUp:
    persona, target = Conversation.of_name(state.conversation)
    own_id = event_ids.of_follow_up(state.plan, state.step, state.quiet_from)
    return FollowUp(persona=persona, target=target).model_copy(update={"event_id": own_id})


def _event(text: str | Undecryptable) -> FollowUp | Undecryptable | Unreadable | None:
    if isinstance(text, Undecryptable):
        return text
    if not text:
        return None
    try:
        event = events.parse_json(text, accepted=True)
    except Unreadable as reason:
        return None if reason.damaged else reason
    return event.model_copy(update={"not_before": None}) if isinstance(event, FollowUp) else None


def _refused(acceptance: Acceptance, now: int) -> Move | Drop | None:
    match acceptance.status:
        case "waits":
            return Move(now + _WAIT_MS, stored(Cause.EVENT_IN_FRONT), meant=False)
        case "no_channel":
            return Drop(stored(Cause.CHANNEL_MISSING))
        case "duplicate":
            # Another process has just accepted this touch, and there is nothing to drop; or another event has its id.
            return Drop(stored(Cause.ID_TAKEN))
    return None


def _closed(persona: str, gates: dict[str, str]) -> str:
    """Why its touches wait, as the store keeps it; '' when nothing stops them."""
    cause = next((cause for gate, cause in _STOPPING.items() if gate in gates), None)
    return stored_of_persona(cause, persona) if cause else ""


def _word(change: Move | Drop | Miss) -> str:
    if isinstance(change, Move):
        return "moved"
    return "dropped" if isinstance(change, Drop) else "missed"
