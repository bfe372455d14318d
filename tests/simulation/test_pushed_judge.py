"""The judge of pushed notices finds each thing that could go wrong with them, and allows what the promise allows."""

from __future__ import annotations

import dataclasses
import json

import pytest

from simulation.judge.notices import Notices, Told
from simulation.judge.pushed import Counted, Pushed, Received, judge_pushed, read_received

LEAD = ("ava", "@lead")
FATES = {LEAD: [("a", "answered"), ("b", "joined"), ("c", "skipped")]}
A, B, C = (
    Told("1", LEAD, 7, "a", "answered"),
    Told("2", LEAD, 8, "b", "joined"),
    Told("3", LEAD, 9, "c", "skipped"),
)


def got(*calls):
    """``(notice, status)`` for each call; only the notice: 204."""
    return [Received(*(each if isinstance(each, tuple) else (each, 204))) for each in calls]


def found(received, counted=None):
    """The figures of faults that are not 0."""
    verdict = judge_pushed(received, FATES, counted or Counted())
    first = {name: value for name, value in dataclasses.asdict(verdict.first).items() if value and name != "told"}
    own = {name: getattr(verdict, name) for name in ("miscounted", "listed_wrongly", "forged")}
    return first | {name: value for name, value in own.items() if value}


def test_calls_that_fail_and_come_again_are_held_against_nobody():
    calls = got((A, 503), A, (B, 410), A, (B, 410), C)
    counted = Counted(dropped=2, listed=("2", "2"))
    assert found(calls, counted) == {}
    assert judge_pushed(calls, FATES, counted) == Pushed(Notices(told=3), calls=6, repeated=2, refused=1)


@pytest.mark.parametrize(
    ("calls", "faults"),
    [
        (got(A, B), {"missing": 1}),
        (got(A, B, (C, 503)), {"missing": 1}),
        (got(A, C), {"missing": 1, "gaps": 1}),
        (got(B, A, C), {"gaps": 2, "disordered": 1}),
        (got(A, B, C, Told("4", LEAD, 10, "c", "skipped")), {"again": 1}),
        (got(A, B, C, Told("4", LEAD, 10, "c", "dead")), {"wrong": 1}),
        ([*got(A, B, C), Received(C, 401, forged=True)], {"forged": 1, "miscounted": 1, "listed_wrongly": 1}),
    ],
)
def test_what_is_missing_doubled_wrong_or_out_of_order_is_found(calls, faults):
    assert found(calls) == faults


@pytest.mark.parametrize(
    ("counted", "faults"),
    [
        (Counted(dropped=1, listed=("2",)), {}),
        (Counted(dropped=2, listed=("2", "2")), {}),
        (Counted(dropped=0, listed=("2",)), {"miscounted": 1}),
        (Counted(dropped=4, listed=("2",)), {"miscounted": 2}),
        (Counted(dropped=1), {"listed_wrongly": 1}),
        (Counted(dropped=1, listed=("2", "3")), {"listed_wrongly": 1}),
        (Counted(dropped=1, listed=("9",), most_listed=1), {"listed_wrongly": 1}),
        (Counted(dropped=1, listed=("2",), lost=3), {"dropped": 3}),
    ],
)
def test_what_parley_counts_has_to_be_what_the_receiver_did(counted, faults):
    assert found(got(A, (B, 410), (B, 410), C), counted) == faults


def test_a_receiver_that_is_to_wait_has_refused_nothing():
    assert found(got((A, 429), (A, 408), A, B, C)) == {}


def test_the_log_of_a_receiver_is_read_as_it_was_written(tmp_path):
    log = tmp_path / "received.jsonl"
    assert read_received(log) == []
    data = {"persona": "ava", "target": None, "sequence": 5, "event_id": None, "fate": None}
    log.write_text(json.dumps({"id": "x", "status": 204, "forged": False, "data": data}) + "\n")
    assert read_received(log) == [Received(Told("x", ("ava", ""), 5, "", ""), 204)]
