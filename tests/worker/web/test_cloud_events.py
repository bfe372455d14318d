"""CloudEvents 1.0 in structured form."""

from __future__ import annotations

import pytest

from worker.web.cloud_events import event_of
from worker.web.problems import Problem

ENVELOPE = {
    "specversion": "1.0",
    "id": "m-1",
    "source": "/shop",
    "type": "parley.inbound_chat",
    "subject": "ava/@john",
    "time": "2026-11-29T10:00:00Z",
    "datacontenttype": "application/json",
    "data": {"message": "hi SECRET", "channel": {"session_id": "s", "metadata": {}}},
}


def test_an_envelope_is_an_event(web, waiting):
    answer = web.post("/v1/events", ENVELOPE, Content_Type="application/cloudevents+json; charset=utf-8")
    assert (answer.status_code, answer.json()["event_id"]) == (202, "m-1")
    assert waiting() == ["m-1"]


def test_a_batch_of_them_and_plain_events_can_stand_beside_each_other(web, waiting):
    plain = {"kind": "inbound_chat", "event_id": "m-3", "persona": "ava", "target": "@john", "message": "hi"}
    answer = web.post(
        "/v1/events", [ENVELOPE, {**ENVELOPE, "id": "m-2"}, plain], Content_Type="application/cloudevents-batch+json"
    )
    assert [each["status"] for each in answer.json()["results"]] == ["accepted"] * 3
    assert waiting() == ["m-1", "m-2", "m-3"]


def test_what_is_not_ours_is_left_out_and_a_slash_belongs_to_the_target():
    event = event_of({**ENVELOPE, "subject": "ava/instagram/@john", "myextension": 1, "traceparent": "00-1"})
    assert (event["persona"], event["target"], event["traceparent"]) == ("ava", "instagram/@john", "00-1")
    assert "myextension" not in event
    assert "source" not in event


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"type": "com.example.SECRET"}, "type"),
        ({"type": None}, "type"),
        ({"id": ""}, "id"),
        ({"source": ["SECRET"]}, "source"),
        ({"subject": "SECRET"}, "subject"),
        ({"datacontenttype": "text/plain"}, "datacontenttype"),
        ({"datacontenttype": 7}, "datacontenttype"),
        ({"data_base64": "SECRET"}, "data_base64"),
        ({"data": "SECRET"}, "data"),
        ({"data": {"event_id": "SECRET"}}, "data.event_id"),
    ],
)
def test_an_envelope_that_is_none_is_refused_with_the_attribute_and_without_content(attributes, field):
    with pytest.raises(Problem) as refused:
        event_of({**ENVELOPE, **attributes})
    document = refused.value.document()
    assert (document["field"], document["status"]) == (field, 422)
    assert "SECRET" not in str(document)
