"""The id of a request that brings none: a repeated one is the same, another message is another one."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from worker.domain import event_ids
from worker.domain.events import InboundChat
from worker.domain.request_ids import fingerprint, id_of_key, id_of_request

# As the platform sends it: with no id, and no time either.
REQUEST = json.loads((Path(__file__).parents[2] / "contract/captivate/data/request.json").read_text())
AT = 1_800_000_000.0


def request(updated_at=None, **fields):
    made = copy.deepcopy({**REQUEST, **fields})
    made["metadata"]["internal"]["channelMetadata"]["conversationUpdatedAt"] = updated_at
    return made


def test_the_same_request_again_has_the_same_id():
    assert id_of_request(request("10:00:01"), AT) == id_of_request(request("10:00:01"), AT + 86_400)
    assert id_of_request(request(), AT) == id_of_request(request(), AT + 5)


def test_the_order_of_keys_does_not_count():
    turned = dict(reversed(request().items()))
    assert id_of_request(turned, AT) == id_of_request(request(), AT)


@pytest.mark.parametrize(
    "other",
    [
        request("10:00:02"),
        request("10:00:01", user_input="hi again"),
        request("10:00:01", session_id="another"),
        request("10:00:01", incoming_action=None),
        request("10:00:01", files=[{"type": "image/png", "url": "https://x.example/1.png"}]),
    ],
)
def test_another_message_has_another_id(other):
    assert id_of_request(other, AT) != id_of_request(request("10:00:01"), AT)


def test_the_same_words_an_hour_later_are_another_message_when_the_platform_gives_no_time():
    assert id_of_request(request(), AT) != id_of_request(request(), AT + 3600)


def test_a_new_signature_of_a_link_makes_no_new_message():
    def files(signature):
        return [{"type": "image/png", "storage": {"presignedUrl": f"https://x.example/1.png?signature={signature}"}}]

    assert id_of_request(request("t", files=files(1))) == id_of_request(request("t", files=files(2)))


@pytest.mark.parametrize("payload", [None, [], "text", 7, {"files": {1, 2}}])
def test_what_is_no_request_gets_a_new_id_and_no_error(payload):
    assert id_of_request(payload) != id_of_request(payload)


def test_it_is_an_id_and_says_nothing_of_the_lead():
    found = id_of_request(REQUEST)
    assert found.isascii()
    assert len(found) <= 240
    assert REQUEST["session_id"] not in found


def test_a_fingerprint_is_of_what_is_said_and_by_whom_and_not_of_when():
    known = fingerprint("captivate", "ava", request("10:00:01"))
    assert known
    assert fingerprint("captivate", "ava", request("10:00:02")) == known
    others = [
        ("other", "ava", request()),
        ("captivate", "bea", request()),
        ("captivate", "ava", request(user_input="no")),
    ]
    assert len({known, *(fingerprint(*other) for other in others)}) == 4


def test_what_json_cannot_hold_has_no_fingerprint():
    assert fingerprint("captivate", "ava", {"files": {1, 2}}) == ""


@pytest.mark.parametrize("key", ["x", "msg_2b9-!~/:#", "#2", "x" * 240])
def test_the_key_of_a_request_is_its_id(key):
    assert id_of_key(key) == key


@pytest.mark.parametrize(
    "key",
    [
        "a b",
        " ",
        "a\n",
        "x" * 241,
        "x" * 100_000,
        "\u00e9",
        "\ud800",
        event_ids.of_follow_up(3, 0, 1),
        "m-refused-0123456789ab",
    ],
)
def test_a_key_that_cannot_be_an_id_gets_one_and_always_the_same(key):
    images = [{"url": f"https://files.example/{number}.jpg"} for number in range(2)]
    event_id = id_of_key(key)
    assert event_id.startswith("captivate-key-")
    assert (event_id, event_id) != (id_of_key(key + "y"), id_of_key("y" + key))
    assert id_of_key(key) == event_id
    assert InboundChat(event_id=event_id, persona="ava", target="@john", attachments=images).event_id == event_id
