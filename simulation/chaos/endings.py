"""Which events may end without an answer, by the named policies (docs/architecture.md, sections 3 and 4)."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from simulation.chaos.outages import Outages
from simulation.judge.consent import opt_outs
from simulation.judge.log import Api, Lead, Log, Sent
from simulation.judge.words import is_recognised_repeat
from simulation.upstreams.call_log import Call


@dataclass(frozen=True, slots=True)
class Ending:
    """How the system says that an event ended: its fate, the code of its cause, and figures."""

    fate: str
    cause: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.fate}: {self.cause} {self.detail}".rstrip()


_UNKNOWN = ("outcome_unknown", "nudge_unknown")
_GAVE_WAY = "lead_wrote"
_TEXT_LOST = "text_lost"
_NOT_FOUND = "no_conversation"
_OPTED_OUT = ("skipped", "opted_out")
_CAPPED = ("skipped", "frequency_cap")
# What workers of a version do that does not try suspects alone: workers died with it in their hands.
_BURIED = (("dead", "poison_asking"), ("dead", "poison_delivering"))

# Fate and cause. A chat is never given up: no dead worker, no lost answer and no outage must cost it.
_HANDSHAKE: Mapping[str, tuple[tuple[str, str], ...]] = {
    "inbound_chat": (),
    "ai_opener": (
        ("answered", _TEXT_LOST),
        ("skipped", _GAVE_WAY),
    ),
    "event_trigger": (("dead", "outcome_unknown"),),
    "follow_up": (
        ("skipped", "nudge_unknown"),
        ("skipped", _GAVE_WAY),
        ("skipped", _NOT_FOUND),
    ),
}

# Characters tells a repetition from the first call, so the outcome of a call becomes known with the next one.
_CHARACTERS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "inbound_chat": (("answered", _TEXT_LOST),),
    "ai_opener": _HANDSHAKE["ai_opener"],
    "event_trigger": (("answered", _TEXT_LOST),),
}
# With Handshake they are asked once, so that no two workers can die of asking.
_ASKED_ONCE = ("event_trigger", "follow_up")
_ALLOWED: Mapping[Api, Mapping[str, tuple[tuple[str, str], ...]]] = {
    "handshake": _HANDSHAKE,
    "characters": _CHARACTERS,
}


class Policies:
    """Whether the logs bear out what the system says.

    ``outages``: of the upstreams. ``deaths_at``: when workers were killed, ascending. ``per_day``: the cap of messages
    to one lead, 0: none. ``buries``: a version takes part that buries what several dead workers had in hand.
    """

    def __init__(
        self,
        log: Log,
        outages: Outages,
        deaths_at: Sequence[float] = (),
        *,
        per_day: int = 0,
        buries: bool = False,
    ) -> None:
        self._buries = buries
        self._outages = outages
        self._per_day = per_day
        # Of each lead, when the last time ended in which it was out.
        self._out_until: dict[Lead, float] = {time.lead: time.over_at for time in opt_outs(log.sent)}
        self._last_death_at = deaths_at[-1] if deaths_at else -math.inf
        self._last_chat_at: dict[Lead, float] = {
            message.lead: message.at for message in log.sent if message.kind == "inbound_chat"
        }
        self._outreach_asked: dict[str, set[str]] = defaultdict(set)
        for call, words in log.asks:
            outreach = {word for word in words if word in log.number_of and log.sent[log.number_of[word]].is_outreach}
            self._outreach_asked[call.target or ""] |= outreach
        actions = [(call, word) for call, words in log.asks if call.action for word in words]
        self._calls_of: dict[str, list[Call]] = defaultdict(list)
        for call, word in actions:
            self._calls_of[word].append(call)
        self._heard = {word for call, word in actions if call.acted}
        self._recognised = {word for call, word in actions if is_recognised_repeat(call)}
        self._not_found = {word for call, word in actions if call.status == 404}

    def allow(self, message: Sent, ending: Ending) -> bool:
        """Whether an event may end like this without an answer, and did."""
        end = (ending.fate, ending.cause)
        if end == _OPTED_OUT:
            return self._did_not_want(message)
        if end == _CAPPED:
            return self._had_enough(message)
        if self._buries and end in _BURIED:
            asked_once = message.api == "handshake" and message.kind in _ASKED_ONCE
            return message.said != "stop" and not (asked_once and ending.cause == "poison_asking")
        if message.said == "stop" or end not in _ALLOWED[message.api].get(message.kind, ()):
            return False
        if ending.cause in _UNKNOWN:
            return self._unknown(message)
        if ending.cause == _GAVE_WAY:
            # One receipt comes for a whole batch: a chat of the same batch may have been before or behind.
            return self._last_chat_at.get(message.lead, -math.inf) >= message.at
        if ending.cause == _TEXT_LOST:
            return self._text_lost(message)
        return ending.cause != _NOT_FOUND or message.text in self._not_found

    def allow_unsaid(self, lead: Lead, at: float, ending: Ending | None) -> bool:
        """Whether what an operator said (``at``: first tried) may end like this without arriving, and did."""
        end = (ending.fate, ending.cause) if ending else None
        if end == _OPTED_OUT:
            return self._out_until.get(lead, -math.inf) >= at
        return self._buries and end in _BURIED

    def _did_not_want(self, message: Sent) -> bool:
        # A STOP ends like this itself, of other events only outreach that came or waited while the lead was out.
        wanted = not message.is_outreach or self._out_until.get(message.lead, -math.inf) < message.earliest
        return message.said == "stop" or not wanted

    def _had_enough(self, message: Sent) -> bool:
        others = self._outreach_asked[message.target] - {message.text}
        return message.is_outreach and 0 < self._per_day <= len(others)

    def _text_lost(self, message: Sent) -> bool:
        # The first call landed; with Characters, a later one was recognised as its repetition, too.
        heard = self._heard.issuperset(message.words)
        return heard and (message.api == "handshake" or self._recognised.issuperset(message.words))

    def _unknown(self, message: Sent) -> bool:
        # What was called behind a closed gate must not be hit. That it was called at all only a death leaves open.
        calls = self._calls_of[message.text]
        if not calls:
            return self._last_death_at >= message.at
        return not any(self._outages.behind_gate(call) for call in calls)
