"""What the record of a chaos run says of the store."""

from __future__ import annotations

import pytest

from simulation.chaos import incidents
from simulation.chaos.incidents import Incidents


def test_the_store_is_away_from_each_of_its_troubles_until_it_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    record, now = Incidents(), [0.0]
    monkeypatch.setattr(incidents.time, "time", lambda: now[0])
    for at, kind in (
        (1.0, "worker killed (kill -9)"),
        (2.0, "Redis killed (kill -9)"),
        (3.0, "thawed"),
        (4.0, "Redis back"),
        (5.0, "store full"),
        (7.0, "store well"),
        (8.0, "replica away"),
    ):
        now[0] = at
        record.note(kind)
    assert record.store_away() == [(2.0, 4.0), (5.0, 7.0)]
