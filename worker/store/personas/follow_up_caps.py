"""How many follow-ups may be sent: a day and an hour of one persona, a day of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from config.sections import FollowUps
from worker.domain.cadence import DAY_MS, MORNING_MS, Move, TouchState, spread
from worker.domain.conversation import Conversation
from worker.domain.vocabulary import Cause, figures, stored
from worker.store.keys import Keys
from worker.store.redis.scripts import Scripts

_KEPT_MS = 2 * DAY_MS


class FollowUpCaps:
    """Counts each touch once, however often it is asked for. Days are UTC days of the store's clock."""

    def __init__(self, keys: Keys, scripts: Scripts, caps: Mapping[str, FollowUps], per_day_in_all: int | None) -> None:
        self._keys = keys
        self._allow = scripts.allow
        self._in_all = per_day_in_all
        self._caps = caps

    def held_back(self, states: Sequence[TouchState], now: int) -> Mapping[str, Move]:
        """Which of these touches of configured personas may not be sent now, by conversation, and when to look again.

        Those that are not in the answer are counted as sent.
        """
        day, moved = now // DAY_MS, dict[str, Move]()
        capped = [state for state in states if self._is_capped(_persona(state))]
        for state, (answer, at) in zip(capped, self._ask(capped, day), strict=True):
            cap = self._caps[_persona(state)]
            if answer == "day":
                rule = stored(Cause.CAP_OF_PERSONA, figures(persona=_persona(state), limit=str(cap.per_day)))
                moved[state.conversation] = _tomorrow(state, day, rule)
            elif answer == "pace":
                moved[state.conversation] = Move(at, stored(Cause.PACE, figures(limit=cap.per_hour)))
        if self._in_all is None:
            return moved
        open_ = [state for state in states if state.conversation not in moved]
        sent = self._keys.shards[0].follow_ups_sent_in_all(day)
        # One key for the list of the day, and two of the same shard that are not used without a pace.
        calls = [
            self._allow.call(
                sent=sent,
                pace=sent,
                paced=sent,
                touch=_touch(state),
                most=self._in_all,
                interval_ms=0,
                kept_ms=_KEPT_MS,
            )
            for state in open_
        ]
        for state, (answer, _) in zip(open_, self._allow.many(calls) if calls else [], strict=True):
            if answer == "day":
                rule = stored(Cause.CAP_OF_ALL, figures(limit=str(self._in_all)))
                moved[state.conversation] = _tomorrow(state, day, rule)
        return moved

    def _is_capped(self, persona: str) -> bool:
        cap = self._caps[persona]
        return cap.per_day is not None or cap.per_hour is not None

    def _ask(self, states: Sequence[TouchState], day: int) -> list[Any]:
        calls = []
        for state in states:
            persona = _persona(state)
            keys, cap = self._keys.persona(persona), self._caps[persona]
            call = self._allow.call(
                sent=keys.follow_ups_sent(day),
                pace=keys.pace,
                paced=keys.paced,
                touch=_touch(state),
                most=cap.per_day or 0,
                interval_ms=3_600_000 // cap.per_hour if cap.per_hour else 0,
                kept_ms=_KEPT_MS,
            )
            calls.append(call)
        return self._allow.many(calls) if calls else []


def _persona(state: TouchState) -> str:
    return Conversation.of_name(state.conversation).persona


def _touch(state: TouchState) -> str:
    return f"{state.conversation} {state.plan}"


def _tomorrow(state: TouchState, day: int, rule: str) -> Move:
    return Move((day + 1) * DAY_MS + int(MORNING_MS * spread(state)), rule)
