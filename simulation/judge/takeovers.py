"""What the logs say of persons who answer leads in a persona's place.

Each line that a person said arrives, once and in order; between claim and hand-back no call of a persona begins. Knows
nothing of the system's store.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from simulation.judge.checker import overtaken
from simulation.judge.log import Lead, Log, just_thawed, lead_asked
from simulation.judge.words import bubbles_of, is_ask
from simulation.upstreams.call_log import Call

# What a turn does between its last look at the conversation and its call, on a machine with other work.
_ON_ITS_WAY_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Line:
    """What a person said and got a receipt for. ``text``: used once. ``event_id``: as the receipt has it. ``at``:
    seconds since 1970 when it was first sent."""

    text: str
    event_id: str
    at: float


@dataclass(frozen=True, slots=True)
class Shift:
    """From a claim to its hand-back. ``claimed_at``: receipt of the claim; ``handed_back_at``: when the hand-back was
    first sent; seconds since 1970. ``refused``: acts that were refused though the conversation was this person's."""

    lead: Lead
    claimed_at: float
    handed_back_at: float
    lines: tuple[Line, ...] = ()
    refused: int = 0


@dataclass(frozen=True, slots=True)
class Takeovers:
    """What became of the lines.

    ``missing``: those that never arrived, each with its lead. ``again``: deliveries of a line that had arrived, for
    each lead; ``other_key`` of them under another idempotency key. ``overtaken``: lines that arrived after a later one
    of their conversation. ``asked_meanwhile``: persona calls that began between claim and hand-back; ``after_waking``
    of such calls, not counted before: in the second after a frozen worker woke up.
    """

    shifts: int = 0
    lines: int = 0
    refused: int = 0
    missing: Sequence[tuple[Lead, Line]] = ()
    again: Mapping[Lead, int] = field(default_factory=dict)
    other_key: int = 0
    overtaken: int = 0
    asked_meanwhile: int = 0
    after_waking: int = 0


def takeovers(log: Log, shifts: Sequence[Shift], thawed_at: Sequence[float] = ()) -> Takeovers:
    """Judge all shifts of a log. ``shifts``: those of one conversation in order. ``thawed_at``: when frozen workers
    went on, ascending."""
    said: dict[Lead, list[Line]] = defaultdict(list)
    for shift in shifts:
        said[shift.lead] += shift.lines
    lead_of = {line.text: lead for lead, lines in said.items() for line in lines}
    arrived: dict[Lead, list[str]] = defaultdict(list)
    first_key: dict[str, str | None] = {}
    again: Counter[Lead] = Counter()
    other_key = 0
    for call, text in _deliveries(log.calls, lead_of):
        lead = lead_of[text]
        arrived[lead].append(text)
        if text in first_key:
            again[lead] += 1
            other_key += call.idempotency_key is None or call.idempotency_key != first_key[text]
        first_key.setdefault(text, call.idempotency_key)
    meanwhile = [call for call in log.calls if is_ask(call) and _is_in(shifts, call)]
    woken = sum(just_thawed(call, thawed_at) for call in meanwhile)
    return Takeovers(
        shifts=len(shifts),
        lines=len(lead_of),
        refused=sum(shift.refused for shift in shifts),
        missing=tuple((lead, line) for lead, lines in said.items() for line in lines if line.text not in first_key),
        again=again,
        other_key=other_key,
        overtaken=sum(overtaken([line.text for line in lines], arrived[lead]) for lead, lines in said.items()),
        asked_meanwhile=len(meanwhile) - woken,
        after_waking=woken,
    )


def _deliveries(calls: Iterable[Call], known: Mapping[str, Lead]) -> Iterable[tuple[Call, str]]:
    for call in calls:
        if call.service == "captivate" and call.acted:
            for text in bubbles_of(call):
                if text in known:
                    yield call, text


def _is_in(shifts: Iterable[Shift], call: Call) -> bool:
    return any(
        shift.lead == lead_asked(call)
        and shift.claimed_at + _ON_ITS_WAY_SECONDS < call.start_wall < shift.handed_back_at
        for shift in shifts
    )
