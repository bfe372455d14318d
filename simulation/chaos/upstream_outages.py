"""An upstream that answers nothing right for a while: what it does to each call, and in which order outages come."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any

from simulation.chaos.outages import Outage
from simulation.chaos.stage import Stage
from simulation.upstreams.call_log import Service
from simulation.upstreams.faults import FaultKind, FaultRule

_HANGING, _LATE = "hanging answers", 0.5
_Way = tuple[FaultKind, float, dict[str, Any]]
_HANG: _Way = (FaultKind.HANG, 1.0, {})
_500: tuple[_Way, ...] = (
    # The server has done its work, and fails afterwards.
    (FaultKind.ANSWER, 0.1, {"status": 500, "acts": True}),
    (FaultKind.ANSWER, 1.0, {"status": 500}),
)
_RESETS: tuple[_Way, ...] = ((FaultKind.ACT_THEN_DROP, 0.1, {}), (FaultKind.DROP, 1.0, {}))
_GATEWAY: tuple[_Way, ...] = ((FaultKind.ANSWER, 0.5, {"status": 502}), (FaultKind.ANSWER, 1.0, {"status": 504}))
_503: tuple[_Way, ...] = ((FaultKind.ANSWER, 1.0, {"status": 503}),)
_MIXED: tuple[_Way, ...] = (
    (FaultKind.ANSWER, 0.2, {"status": 500}),
    (FaultKind.ANSWER, 0.25, {"status": 502}),
    (FaultKind.ANSWER, 0.3, {"status": 503}),
    (FaultKind.ANSWER, 0.4, {"status": 504}),
    (FaultKind.HANG, 0.3, {}),
    (FaultKind.DROP, 1.0, {}),
)
WAYS: dict[str, tuple[_Way, ...]] = {
    "500": _500,
    "502 and 504": _GATEWAY,
    "resets": _RESETS,
    _HANGING: (_HANG,),
    "all mixed": _MIXED,
    "503": _503,
    "401": ((FaultKind.ANSWER, 1.0, {"status": 401}),),
}
# A persona that answers 401 is quarantined until a person resumes it: an outage of its own kind.
_OF: dict[Service, tuple[str, ...]] = {
    "fluidtalk": tuple(name for name in WAYS if name != "401"),
    "captivate": tuple(WAYS),
}


NAMES: dict[str, tuple[Service, str]] = {
    f"{service} {kind}": (service, kind) for service, kinds in _OF.items() for kind in kinds
}


def in_turn(dice: random.Random, only: str = "") -> Iterator[tuple[Service, str]]:
    """Outages of both upstreams in turn, each kind before one comes again; ``only``: always this one of ``NAMES``."""
    if only:
        yield from itertools.repeat(NAMES[only])
    orders: dict[Service, Iterator[str]] = {
        service: itertools.cycle(dice.sample(kinds, len(kinds))) for service, kinds in _OF.items()
    }
    for service in itertools.cycle(orders):
        yield service, next(orders[service])


def rules(service: Service, what: str, hang_seconds: float) -> Sequence[FaultRule]:
    """What happens to each call. ``hang_seconds``: until a call that hangs is cut off, unless its client leaves."""
    return [
        FaultRule(
            kind=kind,
            service=service,
            probability=probability,
            delay_seconds=hang_seconds if kind is FaultKind.HANG else 0.0,
            **more,
        )
        for kind, probability, more in WAYS[what]
    ]


def strike(stage: Stage, seconds: float) -> None:
    """The next outage of the order, for so long."""
    service, what = next(stage.outages_to_come)
    hang_seconds = seconds * _LATE
    if not stage.tell_upstreams("outage", rules(service, what, hang_seconds)):
        stage.tell_upstreams("outage", [])
        return
    began_at = time.time()
    stage.outage_lasts = True
    if service == "fluidtalk" and what in (_HANGING, "all mixed"):
        # A call that outlives leases: who is frozen meanwhile loses it to an heir whose call overlaps.
        stage.long_calls_until = time.monotonic() + seconds + hang_seconds
    stage.incidents.note(f"outage of {service}", what)

    def end() -> None:
        ended_at = time.time()
        stage.tell_upstreams("outage", [])
        stage.outages.append(Outage(service, what, began_at, ended_at))
        stage.outage_lasts = False

    stage.later(seconds, end)
