"""How long recovery took, by the servers' logs and the times at which something was done to the system."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

from simulation.judge.log import Lead, Log
from simulation.upstreams.call_log import Call


def seconds_to_recover(log: Log, deaths_at: Iterable[float]) -> list[float]:
    """For each conversation that a dead worker held: seconds from the death to its next call that took effect.

    Held means that a call was under way at the death and the server found its client gone.
    """
    starts: dict[Lead, list[float]] = defaultdict(list)
    cut_off: list[tuple[Call, Lead]] = []
    for call in log.calls:
        lead = log.lead_of(call)
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
