"""What beat runs, when the store or the broker refuses: left until next time, and no failure."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from kombu.exceptions import OperationalError
from redis import exceptions

from tasks import scheduled


class Refusing:
    """Every part of a worker, each call of which is refused."""

    def __init__(self, error):
        self._error = error

    def __getattr__(self, name):
        return self

    def __call__(self, *arguments):
        raise self._error


class Willing:
    """The part of a worker that forgets what has expired."""

    upkeep = SimpleNamespace(trim=lambda: 1)


@pytest.mark.parametrize("job", [scheduled.ring_due, scheduled.take_in, scheduled.plan_follow_ups, scheduled.trim])
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (exceptions.OutOfMemoryError("PLANTED"), "left: store or broker is full"),
        (exceptions.ResponseError("NOREPLICAS PLANTED"), "left: store or broker has too few replicas to write"),
        (exceptions.ConnectionError("PLANTED"), "left: store or broker cannot be reached"),
        (OperationalError("PLANTED"), "left: store or broker cannot be reached"),
    ],
)
def test_a_job_that_is_refused_is_left_to_the_next_tick(monkeypatch, caplog, job, error, said):
    monkeypatch.setattr(scheduled, "parts", Willing)
    assert scheduled.trim() == "forgot 1", "whatever was wrong before is over"
    monkeypatch.setattr(scheduled, "parts", lambda: Refusing(error))
    assert [job(), job()] == [said, said]
    assert len(caplog.records) == 1, "it is said once"
    assert "PLANTED" not in caplog.text


def test_a_fault_of_our_own_is_a_failure(monkeypatch):
    monkeypatch.setattr(scheduled, "parts", lambda: Refusing(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        scheduled.ring_due()
