"""Many events in one request: a result for each, in order."""

from __future__ import annotations

import pytest

CHANNEL = {"session_id": "s", "metadata": {}}


def chat(number, **fields):
    common = {"kind": "inbound_chat", "persona": "ava", "target": "@john", "message": "hi", "channel": CHANNEL}
    return {**common, "event_id": f"m-{number}", **fields}


def test_each_event_has_a_receipt_or_a_problem_in_order_and_good_ones_are_accepted(web, waiting):
    events = [chat(1), {"kind": "SECRET"}, chat(2), 7, chat(3, persona="zoe"), chat(1), chat(4, target="@jane")]
    answer = web.post("/v1/events", events)
    assert answer.status_code == 207
    told = [(each.get("event_id"), each["status"], each.get("type")) for each in answer.json()["results"]]
    assert told == [
        ("m-1", "accepted", None),
        (None, 422, "/problems/refused"),
        ("m-2", "accepted", None),
        (None, 422, "/problems/refused"),
        (None, 404, "/problems/unknown-persona"),
        ("m-1", "duplicate", None),
        ("m-4", "accepted", None),
    ]
    assert "SECRET" not in answer.text
    assert (waiting(), waiting(target="@jane")) == (["m-1", "m-2"], ["m-4"])


def test_the_same_array_again_is_all_duplicates_also_without_ids(web, waiting):
    events = [{name: value for name, value in chat(0).items() if name != "event_id"} for _ in range(3)]
    for status in ("accepted", "duplicate"):
        results = web.post("/v1/events", events, Idempotency_Key="batch-7").json()["results"]
        assert [(each["event_id"], each["status"]) for each in results] == [
            (f"batch-7-{number}", status) for number in range(3)
        ]
    assert waiting() == ["batch-7-0", "batch-7-1", "batch-7-2"]


def test_an_empty_array_has_no_results(web):
    assert web.post("/v1/events", []).json() == {"results": []}


@pytest.mark.parametrize(("number", "status"), [(1000, 207), (1001, 422)])
def test_a_thousand_events_are_taken_and_no_more(web, waiting, number, status):
    answer = web.post("/v1/events", [{"kind": "x"}] * number)
    assert answer.status_code == status
    if status == 422:
        assert answer.json()["type"] == "/problems/too-many-events"
