"""What a Python producer may hand over by mistake is refused in words, and a refusal shows no content."""

from __future__ import annotations

import datetime

import pytest
from pydantic import ValidationError

from worker import from_captivate
from worker.domain.events import EventTrigger
from worker.domain.refusals import Refused
from worker.pipeline.producer import Producer

NOT_JSON = {
    "a set": {"PLANTED words"},
    "bytes": b"PLANTED words",
    "a time": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    "an object": object(),
    "a number of 5000 digits": 10**5000,
    "an object in a key": {(1, 2): "PLANTED words"},
}


@pytest.fixture
def producer(make_settings, store):
    """A producer over an empty store."""
    return Producer(make_settings(), store=store)


@pytest.mark.parametrize("value", NOT_JSON.values(), ids=NOT_JSON.keys())
def test_a_context_that_json_cannot_hold_is_refused(producer, store, channel, value):
    refusal = None
    try:
        event = EventTrigger(
            persona="ava", target="@lead", event_type="story_reaction", context={"a": value}, channel=channel
        )
        producer.enqueue(event)
    except (Refused, ValidationError) as error:
        refusal = error
    assert refusal is not None
    assert "PLANTED" not in str(refusal)
    assert store.books.accounts() == []


def test_half_an_emoji_in_the_file_name_of_a_captivate_request(producer, channel):
    payload = {**channel, "files": [{"type": "image/png", "url": "https://a.test/1", "filename": "a\ud83d.png"}]}
    event = from_captivate(payload, persona="ava", target="@lead")
    assert producer.enqueue(event).status == "accepted"
