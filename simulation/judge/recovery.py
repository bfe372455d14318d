"""How long recovery took, by the servers' logs and the times at which something was done to the system."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence

from simulation.judge.log import Lead, Log
from simulation.upstreams.call_log import Call


def seconds_to_recover(log: Log, deaths_at: Iterable[float], away: Sequence[tuple[float, float]] = ()) -> list[float]:
    """For each conversation that a dead worker held: seconds from the death to its next call.

    Held means that a call was under way at the death and the server found its client gone. Left out is what had nothing
    left to do, such as a trigger that must not be asked twice, so that its next call is for a later event. Left out is
    also what an upstream or the store kept waiting. ``away``: from when until when one of them failed all calls. A call
    counts also when the server refuses it or recognises it as a repetition: then another worker has gone on.
    """
    calls: dict[Lead, list[tuple[float, float]]] = defaultdict(list)
    cut_off: list[tuple[Call, Lead]] = []
    words_of = {id(call): words for call, words in (*log.asks, *log.sends)}
    for call in log.calls:
        lead = log.lead_of(call)
        if lead is None:
            continue
        # A request of the dead worker may be read after its death.
        if call.acted or not call.client_gone:
            numbers = [log.number_of[word] for word in words_of.get(id(call), ()) if word in log.number_of]
            accepted_at = min((log.sent[number].earliest for number in numbers), default=0.0)
            calls[lead].append((call.start_wall, accepted_at))
        if call.client_gone and call.fault is None:
            cut_off.append((call, lead))
    found = []
    for death in deaths_at:
        for lead in {lead for call, lead in cut_off if call.start_wall < death <= call.end_wall}:
            index = bisect_right(calls[lead], (death, float("inf")))
            if index == len(calls[lead]):
                continue
            next_at, accepted_at = calls[lead][index]
            was_away = any(began < next_at and death < ended for began, ended in away)
            if accepted_at <= death and not was_away:
                found.append(next_at - death)
    return found


def longest_answered_ask(log: Log) -> float:
    """Seconds of the longest persona call that was answered; 0 when there was none."""
    return max((call.end_wall - call.start_wall for call, _ in log.asks if call.status), default=0.0)


def seconds_to_resume(log: Log, back_at: Iterable[float]) -> list[float]:
    """For each time at which Redis came back: seconds to the next call that arrived and took effect."""
    starts = sorted(call.start_wall for call in log.calls if call.acted)
    found = []
    for back in back_at:
        index = bisect_right(starts, back)
        if index < len(starts):
            found.append(starts[index] - back)
    return found
