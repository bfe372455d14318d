"""Judges pushed notices: what a receiver wrote down, compared with the fates and with what Parley counted of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from simulation.judge.log import Lead
from simulation.judge.notices import Notices, Told, judge_notices


@dataclass(frozen=True, slots=True)
class Received:
    """One call as the receiver wrote it down before it answered with ``status``. ``forged``: its signature is wrong."""

    told: Told
    status: int
    forged: bool = False

    @property
    def taken(self) -> bool:
        """Whether the receiver has the notice."""
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether it must not come again (docs/notices-push.md, "What the answer means")."""
        return 400 <= self.status < 500 and self.status not in (408, 429)


@dataclass(frozen=True, slots=True)
class Counted:
    """What Parley says of an endpoint. ``dropped``: refused notices. ``listed``: the ids of the last ones of them.
    ``most_listed``: how many are listed at most. ``lost``: notices that were gone before they were sent."""

    dropped: int = 0
    listed: Sequence[str] = ()
    most_listed: int = 1000
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Pushed:
    """What the receiver's log proves.

    ``first``: of the first time that each notice was taken or refused. ``calls``: all. ``repeated``: that brought a
    notice that was taken or refused before, which the promise allows. ``refused``: notices that were refused.
    ``miscounted``: how far Parley's count of them is from anything that the calls allow; ``listed_wrongly``: refused
    notices that it does not list, and listed ones that were not refused. ``forged``: calls with a wrong signature.
    """

    first: Notices = field(default_factory=Notices)
    calls: int = 0
    repeated: int = 0
    refused: int = 0
    miscounted: int = 0
    listed_wrongly: int = 0
    forged: int = 0


def judge_pushed(
    received: Sequence[Received],
    fates: Mapping[Lead, Sequence[tuple[str, str]]],
    counted: Counted,
    aside: Collection[tuple[Lead, str]] = (),
) -> Pushed:
    """Compare what a receiver without filters got with what became of the events.

    ``received``: in the order of arrival. ``fates``, ``aside``: as for ``judge_notices``.
    """
    settled = [each for each in received if each.taken or each.refused]
    first: dict[str, Told] = {}
    for each in settled:
        first.setdefault(each.told.id, each.told)
    refusals = [each.told.id for each in received if each.refused]
    refused = set(refusals)
    return Pushed(
        first=judge_notices(list(first.values()), fates, counted.lost, aside),
        calls=len(received),
        repeated=len(settled) - len(first),
        refused=len(refused),
        # One that is refused, and then again because the sender was killed before it had stored that, counts twice.
        miscounted=max(0, len(refused) - counted.dropped, counted.dropped - len(refusals)),
        listed_wrongly=_listed_wrongly(refused, counted),
        forged=sum(each.forged for each in received),
    )


def read_received(file: Path) -> list[Received]:
    """The log of a receiver, as ``simulation/chaos/notice_receiver.py`` writes it."""
    lines = file.read_text().splitlines() if file.exists() else []
    return [_received(json.loads(line)) for line in lines]


def _received(line: Mapping[str, Any]) -> Received:
    data = line["data"]
    lead = (data["persona"], data["target"] or "")
    told = Told(line["id"], lead, data["sequence"], data["event_id"] or "", data["fate"] or "")
    return Received(told, line["status"], line["forged"])


def _listed_wrongly(refused: set[str], counted: Counted) -> int:
    listed = set(counted.listed)
    missing = len(refused - listed) if len(counted.listed) < counted.most_listed else 0
    return missing + len(listed - refused)
