"""The event models of the client are those of the worker: the same text, and the same verdict on anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import copy_events
import parley_client
import worker
from worker.domain import events
from worker.domain.refusals import InvalidEvent

LINK = "https://files.example.com/a.png"
GOOD = [
    {"kind": "inbound_chat", "message": "hi", "image_url": LINK, "documents": ["a", "b"]},
    {"kind": "inbound_chat", "attachments": [{"url": LINK, "filename": "a.png"}, {"url": LINK}]},
    {"kind": "ai_opener", "image_url": LINK, "platform": "instagram", "own_username": "ava.official"},
    {"kind": "event_trigger", "event_type": "bought", "context": {"what": ["it", 1, None, {"a": 1.5}]}},
    {"kind": "follow_up", "not_before": "2026-11-22T09:00:00+01:00"},
    {"kind": "money_event", "event_type": "refund", "amount": "19.90", "currency": "EUR", "raw": {"a": 1}},
]
COMMON = {
    "event_id": "m-1",
    "persona": "ava",
    "target": "@john",
    "channel": {"session_id": "s", "metadata": {"a": 1}, "hasLivechat": False},
    "traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01",
}
# What goes wrong in each place: other types, empty, long, broken, reserved.
ODD = st.sampled_from(
    [
        None,
        "",
        " ",
        0,
        1,
        -5,
        1.5,
        float("nan"),
        10**400,
        True,
        [],
        {},
        [None],
        {"a": float("inf")},
        "x" * 300,
        "\ud83d",
        "AVA",
        "@jo\x00hn",
        "ftp://a",
        "https:///",
        "HTTPS://a b.example/",
        "http://a.example/ b",
        "m#2",
        "m-refused-0123456789ab",
        "yes",
        "2026-11-22T09:00:00",
        "19.9",
        "-1",
        "1e5",
        ["a"] * 51,
        [{"url": LINK, "filename": "n" * 2000}],
        [{"url": ""}],
        {"session_id": 5, "metadata": "none", "hasLivechat": "yes"},
        {"session_id": "", "metadata": {}},
        b"bytes",
        object,
    ]
)
MODELS = (events.InboundChat, events.EventTrigger, events.FollowUp, events.MoneyEvent)
FIELDS = sorted({name for model in MODELS for name in model.model_fields} | {"unknown", "user_input"})


def verdict(parse, refusal, value):
    """What becomes of a value: the event as JSON and what was left out, or the words of the refusal."""
    try:
        event = parse(value)
    except refusal as error:
        return str(error)
    return event.model_dump_json(), [str(each) for each in event.left_out], repr(event)


def verdicts(value):
    ours = verdict(parley_client.parse, parley_client.InvalidEvent, value)
    theirs = verdict(events.parse, InvalidEvent, value)
    return ours, theirs


def test_the_copy_is_that_of_the_source():
    for file, text in copy_events.files().items():
        assert file.read_text(encoding="utf-8") == text, f"{file.name} differs: run make client"
    folder = next(iter(copy_events.files())).parent
    assert {file.name for file in folder.glob("*.py")} == {file.name for file in copy_events.files()}


def test_the_releases_are_in_step():
    assert parley_client.__version__ == worker.__version__


@pytest.mark.parametrize("fields", GOOD)
def test_a_good_event_is_good_for_both(fields):
    ours, theirs = verdicts({**COMMON, **fields})
    assert ours == theirs
    assert isinstance(ours, tuple)


@given(
    st.sampled_from(GOOD),
    st.dictionaries(st.sampled_from(FIELDS), ODD, min_size=1, max_size=3),
    st.sets(st.sampled_from(FIELDS), max_size=2),
)
def test_whatever_is_wrong_both_say_the_same(fields, odd, missing):
    value = {
        "event_id": "m-1",
        **{name: part for name, part in {**COMMON, **fields, **odd}.items() if name not in missing},
    }
    ours, theirs = verdicts(value)
    assert ours == theirs


@pytest.mark.parametrize(
    "value", [None, 5, "text", [], {}, {"kind": None}, {"kind": "pulled_follow_up"}, {str(n): n for n in range(65)}]
)
def test_what_is_no_event_is_none_for_both(value):
    ours, theirs = verdicts(value)
    assert ours == theirs
    assert isinstance(ours, str)
