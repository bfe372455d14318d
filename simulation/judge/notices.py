"""Judges notices: each fate has one, and a reader without filters gets those of a conversation in order, gapless."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from simulation.judge.log import Lead


@dataclass(frozen=True, slots=True)
class Told:
    """One notice as a reader got it. ``event``: '' = it is not about an event."""

    id: str
    lead: Lead
    sequence: int
    event: str
    fate: str


@dataclass(frozen=True, slots=True)
class Notices:
    """What the notices of a run prove. ``told``: how many were read.

    ``missing``: fates without a notice; ``again``: notices of a fate beyond the first; ``wrong``: of a fate that
    the event has not; ``gaps``: numbers of a conversation that are missing or come again; ``disordered``: events of a
    conversation that were told before one that was accepted earlier; ``repeated``: notices that the reader got twice.
    ``dropped``: that the reader was told to have missed.
    """

    told: int = 0
    missing: int = 0
    again: int = 0
    wrong: int = 0
    gaps: int = 0
    disordered: int = 0
    repeated: int = 0
    dropped: int = 0


def judge_notices(
    told: Sequence[Told],
    fates: Mapping[Lead, Sequence[tuple[str, str]]],
    dropped: int = 0,
    aside: Collection[tuple[Lead, str]] = (),
) -> Notices:
    """Compare what a reader got with what became of the events.

    ``told``: in the order of reading. ``fates``: of each conversation its events that have ended, in the order of
    acceptance, with their fates. No event may have had two fates one after the other. ``aside``: events that go out
    before all that waits, so that the order of acceptance says nothing of them.
    """
    expected = Counter((lead, event, fate) for lead, ended in fates.items() for event, fate in ended)
    found = Counter((each.lead, each.event, each.fate) for each in told if each.event)
    in_order = {lead: [each for each in ended if (lead, each[0]) not in aside] for lead, ended in fates.items()}
    events = {(lead, event) for lead, event, _ in expected}
    return Notices(
        told=len(told),
        missing=sum(1 for ended in expected if not found[ended]),
        again=sum(count - 1 for ended, count in found.items() if count > 1 and ended in expected),
        wrong=sum(count for ended, count in found.items() if ended not in expected and ended[:2] in events),
        gaps=sum(_gaps(each.sequence for each in of_lead) for of_lead in _by_lead(told).values()),
        disordered=sum(_disordered(of_lead, in_order.get(lead, ())) for lead, of_lead in _by_lead(told).items()),
        repeated=len(told) - len({each.id for each in told}),
        dropped=dropped,
    )


def _by_lead(told: Iterable[Told]) -> Mapping[Lead, list[Told]]:
    found: dict[Lead, list[Told]] = {}
    for each in told:
        found.setdefault(each.lead, []).append(each)
    return found


def _gaps(numbers: Iterable[int]) -> int:
    gaps, last = 0, None
    for number in numbers:
        gaps += last is not None and number != last + 1
        last = number
    return gaps


def _disordered(told: Iterable[Told], accepted: Iterable[tuple[str, str]]) -> int:
    place = {event: number for number, (event, _) in enumerate(accepted)}
    disordered, latest = 0, -1
    for each in told:
        number = place.get(each.event, latest)
        disordered += number < latest
        latest = max(latest, number)
    return disordered
