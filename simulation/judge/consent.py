"""What the logs say about consent: what was begun after a STOP, which STOP was confirmed, which lead heard too often.

Knows nothing of the system's store. A lead is out from the receipt of a STOP until a START may have been accepted.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from simulation.judge.log import Lead, Log, Sent, just_thawed
from simulation.judge.words import STOP, bubbles_of
from simulation.upstreams.call_log import Call

# What a turn does between its last look at the lead's consent and its call, on a machine with other work.
_ON_ITS_WAY_SECONDS = 3.0
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True, slots=True)
class Rules:
    """``confirming``: the personas that confirm a STOP. ``per_day``: messages that a lead gets from all personas in 24
    hours without having written; 0: no cap."""

    confirming: Collection[str] = ()
    per_day: int = 0


@dataclass(slots=True)
class OptOut:
    """A time in which a lead was out.

    ``stops``: the numbers of its STOPs, the first of which opted out. ``start``: the number of the START that ended it,
    or None. ``began_at``: receipt of the first STOP. ``ended_at``: the START was not accepted before;  ``over_at``: and
    not after. Seconds since 1970.
    """

    lead: Lead
    stops: list[int]
    began_at: float
    start: int | None = None
    ended_at: float = math.inf
    over_at: float = math.inf


@dataclass(frozen=True, slots=True)
class Consent:
    """What became of the STOPs, and of the cap.

    ``opt_outs``: STOPs of leads who were not out. ``asked_after``, ``sent_after``: calls for outreach that began while
    the lead was out; ``after_waking`` of such calls, not counted before: in the second after a frozen worker woke up.
    ``stops_asked``: persona calls with a STOP. ``confirmed``: opt-outs whose confirmation reached the lead.
    ``start_came_first``: those without, because START came before their turn. ``unconfirmed``: those without though it
    was promised, by lead. ``confirmed_again``: further confirmations of an opt-out, and those that no persona promised.
    ``above_cap``: messages to a lead above the cap of 24 hours.
    """

    opt_outs: int = 0
    asked_after: int = 0
    sent_after: int = 0
    after_waking: int = 0
    stops_asked: int = 0
    confirmed: int = 0
    start_came_first: int = 0
    unconfirmed: Mapping[Lead, int] = field(default_factory=dict)
    confirmed_again: int = 0
    above_cap: int = 0


def opt_outs(sent: Sequence[Sent]) -> list[OptOut]:
    """All times in which leads were out. ``sent``: in the order of acceptance."""
    found: list[OptOut] = []
    current: dict[Lead, OptOut] = {}
    for number, message in enumerate(sent):
        lead = message.lead
        if message.said == "stop" and lead in current:
            current[lead].stops.append(number)
        elif message.said == "stop":
            current[lead] = OptOut(lead, [number], message.at)
            found.append(current[lead])
        elif message.said == "start" and lead in current:
            over = current.pop(lead)
            over.start, over.ended_at, over.over_at = number, message.earliest, message.at
    return found


def consent(log: Log, rules: Rules, thawed_at: Sequence[float] = ()) -> Consent:
    """Judge all opt-outs of a log. ``thawed_at``: when frozen workers went on, ascending."""
    times = opt_outs(log.sent)
    asks, sends = _outreach_asks(log), _outreach_sends(log)
    out: dict[Lead, list[OptOut]] = defaultdict(list)
    for time in times:
        out[time.lead].append(time)
    asked, sent = ([call for lead, call in made if _is_out(out.get(lead, ()), call)] for made in (asks, sends))
    woken = [call for call in (*asked, *sent) if just_thawed(call, thawed_at)]
    confirmations = [_confirmations(log, time) for time in times]
    promised = [bool(time.lead[0] in rules.confirming) for time in times]
    unconfirmed: dict[Lead, int] = defaultdict(int)
    start_came_first = 0
    calls = _calls_for(log)
    for time, count, due in zip(times, confirmations, promised, strict=True):
        if due and not count:
            first = _start_came_first(time, calls.get(time.lead, ()))
            start_came_first += first
            unconfirmed[time.lead] += not first
    return Consent(
        opt_outs=len(times),
        asked_after=sum(call not in woken for call in asked),
        sent_after=sum(call not in woken for call in sent),
        after_waking=len(woken),
        stops_asked=sum(STOP in words for _, words in log.asks),
        confirmed=sum(map(bool, confirmations)),
        start_came_first=start_came_first,
        unconfirmed={lead: count for lead, count in unconfirmed.items() if count},
        confirmed_again=sum(max(0, count - due) for count, due in zip(confirmations, promised, strict=True)),
        above_cap=_above_cap(_of_personas(log, sends), rules.per_day) if rules.per_day else 0,
    )


def _is_out(times: Iterable[OptOut], call: Call) -> bool:
    return any(time.began_at + _ON_ITS_WAY_SECONDS < call.start_wall < time.ended_at for time in times)


def _outreach_asks(log: Log) -> list[tuple[Lead, Call]]:
    found = []
    for call, words in log.asks:
        known = [log.sent[log.number_of[word]] for word in words if word in log.number_of]
        if any(message.is_outreach for message in known):
            found.append((known[0].lead, call))
    return found


def _outreach_sends(log: Log) -> list[tuple[Lead, Call]]:
    # Also what no event of the producer asked for: a follow-up of the cadence, one that FluidTalk wrote, and what a
    # person said.
    found = []
    for call, words in log.sends:
        lead = log.lead_of(call)
        known = [log.sent[log.number_of[word]] for word in words if word in log.number_of]
        if lead and all(message.is_outreach for message in known):
            found.append((lead, call))
    return found


def _of_personas(log: Log, sends: Iterable[tuple[Lead, Call]]) -> list[tuple[Lead, Call]]:
    # No cap keeps back what a person says.
    return [(lead, call) for lead, call in sends if log.said.isdisjoint(bubbles_of(call))]


def _confirmations(log: Log, time: OptOut) -> int:
    # A delivery that comes again is judged as such: it counts once.
    return sum(log.sent[number].text in log.answered_at for number in time.stops)


def _calls_for(log: Log) -> Mapping[Lead, list[tuple[int, float]]]:
    """Of the calls for each lead: the number of the last event that it was for, and when it began."""
    found: dict[Lead, list[tuple[int, float]]] = defaultdict(list)
    for call, words in (*log.asks, *log.sends):
        latest: dict[Lead, int] = {}
        for number in (log.number_of[word] for word in words if word in log.number_of):
            lead = log.sent[number].lead
            latest[lead] = max(number, latest.get(lead, number))
        for lead, number in latest.items():
            found[lead].append((number, call.start_wall))
    return found


def _start_came_first(time: OptOut, calls: Iterable[tuple[int, float]]) -> bool:
    # A conversation is worked off in order: what was done for a later event shows that the turn of the STOP was over.
    if time.start is None:
        return False
    return not any(number > time.stops[0] and began < time.ended_at for number, began in calls)


def _above_cap(sends: Sequence[tuple[Lead, Call]], per_day: int) -> int:
    first: dict[tuple[str, str], float] = {}
    for (_, target), call in sends:
        if call.acted:
            first.setdefault((target, call.idempotency_key or f"{call.arrived}"), call.start_wall)
    reached: dict[str, list[float]] = defaultdict(list)
    for (target, _), at in first.items():
        reached[target].append(at)
    found = 0
    for times in reached.values():
        times.sort()
        found += sum(index + 1 - bisect_right(times, at - _DAY_SECONDS) > per_day for index, at in enumerate(times))
    return found
