"""One message in the queue ``accept`` never holds up those behind it, whatever it is."""

from __future__ import annotations

import base64
import itertools
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

number = itertools.count()

CHANNEL = {
    "session_id": "PLANTED-session",
    "metadata": {"internal": {"channelMetadata": {"channelMetadata": {"channel": "custom-channel"}}}},
    "hasLivechat": False,
}
CHAT = {"kind": "inbound_chat", "persona": "ava", "target": "@lead", "message": "PLANTED", "channel": CHANNEL}
FILE = {"url": "https://a.test/1.png", "filename": "a\ud83d.png"}


def message(content: Any, headers: Any = None, **envelope: Any) -> str:
    """A message as kombu writes it, parts of it replaced."""
    body = content if isinstance(content, str) else json.dumps(content)
    whole = {
        "body": base64.b64encode(body.encode()).decode(),
        "headers": {"task": "tasks.accept", "id": f"message-{next(number)}"} if headers is None else headers,
        "properties": {"body_encoding": "base64"},
    }
    return json.dumps({**whole, **envelope})


@pytest.fixture
def take_in(intake, store) -> Callable[..., dict[str, int]]:
    """Put messages before a good one, read the queue, and see where each has ended."""

    def run(*messages: str | bytes) -> dict[str, int]:
        store.redis.flushall()
        good = message([[{**CHAT, "target": "@behind"}], {}, {}])
        store.redis.lpush("accept", *messages, good)
        assert intake.take_in() == len(messages) + 1
        assert store.redis.llen("accept") == 0
        accounts = store.books.accounts()
        assert [account for account in accounts if account.unexplained] == []
        waiting = sum(account.waiting for account in accounts)
        dead = sum(account.dead for account in accounts)
        assert len(store.dead_letters.newest(1000)) == dead
        return {"waiting": waiting, "dead": dead}

    return run


ENVELOPES = {
    "words": "PLANTED",
    "nothing": "",
    "a number": "7",
    "a list": "[1]",
    "null": "null",
    "no parts": "{}",
    "parts that are null": '{"headers":null,"body":null,"properties":null}',
    "a body that is a number": message([[CHAT], {}, {}], body=7),
    "a body that is no base64": message([[CHAT], {}, {}], body="%%%"),
    "a body that is no JSON": message("PLANTED"),
    "a body that is no UTF-8": message([], body=base64.b64encode(b"\xff\xfe\xfa").decode()),
    "a body too deep to read": message("[" * 100_000),
    "a number too long to read": message("[[" + "9" * 5000 + "],{},{}]"),
    "an envelope too deep to read": "[" * 100_000,
    "arguments that are an object": message([{"a": 1}, {}, {}]),
    "arguments that are null": message([None, {}, {}]),
    "two events": message([[CHAT, CHAT], {}, {}]),
    "no event": message([[], {}, {}]),
    "another task": message([[CHAT], {}, {}], headers={"task": "tasks.turn", "id": "1"}),
    "an id that is a list": message([[CHAT], {}, {}], headers={"task": "tasks.accept", "id": []}),
    "an event that is words": message([["PLANTED"], {}, {}]),
    "an event that is null": message([[None], {}, {}]),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_what_cannot_be_read_becomes_a_dead_letter_and_the_next_is_accepted(take_in, name):
    assert take_in(ENVELOPES[name]) == {"waiting": 1, "dead": 1}


def test_all_of_it_at_once(take_in):
    assert take_in(*ENVELOPES.values()) == {"waiting": 1, "dead": len(ENVELOPES)}


BLOCKING = {
    "keywords that are a number": message([[CHAT], 7, {}]),
    "keywords that are a word": message([[], "x", {}]),
    "keywords that are a list": message([[], [CHAT], {}]),
    "half an emoji in a file name": message([[{**CHAT, "attachments": [FILE]}], {}, {}]),
    "half an emoji as its id": message([[CHAT], {}, {}], headers={"task": "tasks.accept", "id": "\ud83d"}),
    "bytes that are no text": b"\xff\xfe\x00",
}


@pytest.mark.parametrize("name", BLOCKING)
def test_nothing_holds_up_the_queue(take_in, name):
    """Each of these stays the oldest message, and nothing behind it is ever accepted."""
    ending = take_in(BLOCKING[name])
    assert ending["waiting"] + ending["dead"] == 2


def test_no_depth_holds_up_the_queue(take_in):
    levels = range(sys.getrecursionlimit() - 150, sys.getrecursionlimit() + 10)
    deep = [message('[[{"kind":"x","y":' + "[" * level + "]" * level + "}],{},{}]") for level in levels]
    assert take_in(*deep) == {"waiting": 1, "dead": len(deep)}


readable_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
events = readable_json | st.fixed_dictionaries(
    {"kind": st.just("inbound_chat"), "persona": st.just("ava"), "target": st.text(max_size=3)},
    optional={"message": readable_json, "channel": st.just(CHANNEL) | readable_json, "event_id": readable_json},
)
messages = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    readable_json.map(json.dumps),
    events.map(lambda event: message([[event], {}, {}])),
    readable_json.map(lambda content: message([content, {}, {}])),
    readable_json.map(lambda headers: message([[CHAT], {}, {}], headers={"task": "tasks.accept", "id": headers})),
    st.builds(
        lambda part, value: message([[CHAT], {}, {}], **{part: value}), st.sampled_from(["properties"]), readable_json
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batch=st.lists(messages, min_size=1, max_size=5, unique=True))
def test_any_batch_is_taken_in_to_the_last(take_in, batch):
    ending = take_in(*batch)
    assert ending["waiting"] >= 1
    assert ending["waiting"] + ending["dead"] <= len(batch) + 1
