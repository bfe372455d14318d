"""What the servers' logs alone say about repeated calls and about the time that recovery took.

Works on the call log and on the times at which something was done to the system; knows nothing of the system's store.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from simulation.chaos.messages import event_id, session_of
from simulation.judge.checker import Sent
from simulation.judge.words import asked, event_of, is_ask, told
from simulation.upstreams.call_log import Call

Lead = tuple[str, str]

# Kinds of which a call that may have been acted on is never made again (docs/architecture.md, section 4).
ASKED_ONCE = frozenset({"event_trigger", "follow_up"})


def read_calls(file: Path) -> list[Call]:
    """The call log, in the order in which the calls arrived. A last line that was cut by a kill is left out."""
    calls = []
    for line in file.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            calls.append(Call(**json.loads(line)))
    return sorted(calls, key=lambda call: call.arrived)


@dataclass(frozen=True, slots=True)
class Repeats:
    """Calls that took effect and repeated an earlier one, for each lead, and answers that are not as promised.

    ``asks``: persona calls with words that the persona had heard; ``asks_against_policy`` of them for a kind that is
    asked once. ``sends``: deliveries with words that the lead had an answer to. ``other_key``: such deliveries under
    another idempotency key than the first. ``split``: persona calls whose answer came in more than one delivery.
    ``misrouted``: deliveries on the channel of another event than the newest one that they answer.
    ``asks_after_send``: persona calls, with or without effect, for words whose answer had already been on its way to
    the lead. ``after_waking``: all repeats in the second after a frozen worker woke up, when what lay in it unsent goes
    out; ``asks_after_send`` leaves them to ``asks_after_send_after_waking``.
    """

    asks: Mapping[Lead, int]
    sends: Mapping[Lead, int]
    asks_against_policy: int
    other_key: int
    split: int
    misrouted: int
    asks_after_send: int
    asks_after_send_after_waking: int
    after_waking: int


def repeats(sent: Sequence[Sent], calls: Sequence[Call], thawed_at: Sequence[float]) -> Repeats:
    """Find the repeats.

    ``sent``: in the order of their numbers. ``calls``: by arrival. ``thawed_at``: when frozen workers went on,
    ascending.
    """
    reader, lead_of = _Reader(sent, thawed_at), _leads(calls)
    for call in calls:
        if is_ask(call):
            reader.ask((call.persona or "", call.target or ""), call)
        elif call.service == "captivate" and call.session_id in lead_of:
            reader.send(lead_of[call.session_id], call)
    return reader.found()


class _Reader:
    """Reads one call after the other and remembers which words were heard and which were answered."""

    def __init__(self, sent: Sequence[Sent], thawed_at: Sequence[float]) -> None:
        self._sent, self._thawed_at = sent, thawed_at
        self._number_of = {word: number for number, message in enumerate(sent) for word in message.words}
        self._heard: set[str] = set()
        self._on_its_way: set[str] = set()
        self._first_key: dict[str, str | None] = {}
        self._groups: set[tuple[str, ...]] = set()
        self._asks: Counter[Lead] = Counter()
        self._sends: Counter[Lead] = Counter()
        self._asks_against_policy = self._asks_after_send = self._asks_after_send_after_waking = 0
        self._other_key = self._misrouted = self._after_waking = 0

    def ask(self, lead: Lead, call: Call) -> None:
        words = [word for word in asked(call, self._number_of) if word in self._number_of]
        woken = _just_thawed(call, self._thawed_at)
        if not self._on_its_way.isdisjoint(words):
            self._asks_after_send_after_waking += woken
            self._asks_after_send += not woken
        if not _took_effect(call):
            return
        if not self._heard.isdisjoint(words):
            self._asks[lead] += 1
            self._after_waking += woken
            self._asks_against_policy += self._sent[self._number_of[words[0]]].kind in ASKED_ONCE
        self._heard.update(words)
        self._groups.add(tuple(words))

    def send(self, lead: Lead, call: Call) -> None:
        words = [word for word in told(call, self._number_of) if word in self._number_of]
        self._on_its_way.update(words)
        if not call.acted or not words:
            return
        known = {self._first_key[word] for word in words if word in self._first_key}
        if known:
            self._sends[lead] += 1
            self._after_waking += _just_thawed(call, self._thawed_at)
            self._other_key += call.idempotency_key is None or known != {call.idempotency_key}
        for word in words:
            self._first_key.setdefault(word, call.idempotency_key)
        newest = event_id(max(self._number_of[word] for word in words))
        self._misrouted += event_of(call) not in (None, newest)

    def found(self) -> Repeats:
        keys = ({self._first_key[word] for word in group if word in self._first_key} for group in self._groups)
        return Repeats(
            asks=self._asks,
            sends=self._sends,
            asks_against_policy=self._asks_against_policy,
            other_key=self._other_key,
            split=sum(len(used) > 1 for used in keys),
            misrouted=self._misrouted,
            asks_after_send=self._asks_after_send,
            asks_after_send_after_waking=self._asks_after_send_after_waking,
            after_waking=self._after_waking,
        )


def seconds_to_recover(calls: Sequence[Call], deaths_at: Iterable[float]) -> list[float]:
    """For each conversation that a dead worker held: seconds from the death to its next call that took effect.

    Held means that a call was under way at the death and the server found its client gone.
    """
    lead_of = _leads(calls)
    starts: dict[Lead, list[float]] = defaultdict(list)
    cut_off: list[tuple[Call, Lead]] = []
    for call in calls:
        lead = (call.persona or "", call.target or "") if is_ask(call) else lead_of.get(call.session_id or "")
        if lead is None:
            continue
        if call.acted:
            starts[lead].append(call.start_wall)
        if call.client_gone and call.fault is None:
            cut_off.append((call, lead))
    found = []
    for death in deaths_at:
        for lead in {lead for call, lead in cut_off if call.start_wall < death <= call.end_wall}:
            index = bisect_right(starts[lead], death)
            if index < len(starts[lead]):
                found.append(starts[lead][index] - death)
    return found


def longest_answered_ask(calls: Iterable[Call]) -> float:
    """Seconds of the longest persona call that was answered; 0 when there was none."""
    return max((call.end_wall - call.start_wall for call in calls if is_ask(call) and call.status), default=0.0)


def seconds_to_resume(calls: Sequence[Call], back_at: Iterable[float]) -> list[float]:
    """For each time at which Redis came back: seconds to the next call that arrived and took effect."""
    starts = sorted(call.start_wall for call in calls if call.acted)
    found = []
    for back in back_at:
        index = bisect_right(starts, back)
        if index < len(starts):
            found.append(starts[index] - back)
    return found


def _leads(calls: Iterable[Call]) -> dict[str, Lead]:
    leads = {(call.persona or "", call.target or "") for call in calls if is_ask(call)}
    return {session_of(*lead): lead for lead in leads}


# A request that lay in a frozen process reaches the server at once when the process goes on.
_WAKING_SECONDS = 1.0


def _just_thawed(call: Call, thawed_at: Sequence[float]) -> bool:
    index = bisect_right(thawed_at, call.start_wall)
    return index > 0 and call.start_wall - thawed_at[index - 1] < _WAKING_SECONDS


def _took_effect(call: Call) -> bool:
    # A probe is heard, too: a persona that says "continued" changes nothing and answers all the same.
    return call.acted or call.fault is None
