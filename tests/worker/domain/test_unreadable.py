"""What another release wrote: told by the names of fields, never by a value."""

from __future__ import annotations

import json

import pytest

from config.settings import Escalation
from worker.domain.events import ChannelContext, InboundChat, parse_json
from worker.domain.reply import Reply, farewell
from worker.domain.unreadable import Unreadable

EVENT = {"kind": "inbound_chat", "persona": "ava", "target": "@l", "message": "SECRET"}
CONTEXT = {"session_id": "SECRET", "metadata": {}}


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ({**EVENT, "language": "SECRET"}, "an event, unknown field inbound_chat.language;"),
        ({**EVENT, "attachments": [{"url": "https://x", "alt": "SECRET"}]}, "field inbound_chat.attachments.0.alt;"),
        ({**EVENT, "channel": {**CONTEXT, "thread": "SECRET"}}, "unknown field inbound_chat.channel.thread;"),
        ({**EVENT, "no name SECRET": 1}, "unknown field inbound_chat.(a field of another name);"),
        ({**EVENT, "kind": "SECRET"}, "an event, its kind is unknown;"),
        ({"persona": "ava"}, "an event, its kind is unknown;"),
        ({**EVENT, "message": {"SECRET": 1}}, "an event, not understood: inbound_chat.message;"),
        ([], "an event, not understood: no JSON object;"),
    ],
)
def test_an_event_that_was_stored_by_another_release_says_what_is_unknown(stored, told):
    with pytest.raises(Unreadable, match=r"^written by a newer release: ") as caught:
        parse_json(json.dumps(stored), accepted=True)
    assert told in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert not caught.value.damaged


def test_what_is_no_json_is_perhaps_damaged():
    with pytest.raises(Unreadable, match="or damaged: an event that is no JSON") as caught:
        parse_json('{"kind":', accepted=True)
    assert caught.value.damaged


def test_a_sender_may_still_give_a_whole_captivate_request_as_channel(channel):
    event = InboundChat(persona="ava", target="@l", message="hi", channel={**channel, "user_input": "hi"})
    assert "user_input" not in event.model_dump_json()
    assert parse_json(event.model_dump_json(), accepted=True) == event


def test_a_channel_context_of_another_release_is_told(channel):
    assert ChannelContext.of_json(json.dumps(channel)).session_id == channel["session_id"]
    with pytest.raises(Unreadable, match="a channel context, unknown field thread;"):
        ChannelContext.of_json(json.dumps({**CONTEXT, "thread": "SECRET"}))
    with pytest.raises(Unreadable, match="a channel context, not understood: metadata;"):
        ChannelContext.of_json('{"session_id": "SECRET"}')


@pytest.mark.parametrize(
    ("stored", "told"),
    [
        ({"voice": "SECRET"}, "a stored reply, unknown field voice;"),
        ({"fate": "SECRET"}, "a stored reply, not understood: fate;"),
        ({"mark": "SECRET"}, "a stored reply, not understood: mark;"),
        ({"escalation": {"action": "SECRET"}}, "a stored reply, not understood: action;"),
        ({"escalation": {"action": "escalate_to_human", "team": "SECRET"}}, "a stored reply, unknown field team;"),
        ({"bubbles": "SECRET"}, "a stored reply, not understood: bubbles;"),
    ],
)
def test_a_reply_of_another_release_is_told(stored, told):
    with pytest.raises(Unreadable) as caught:
        Reply.of_json(json.dumps({"bubbles": ["a"], **stored}))
    assert told in str(caught.value)
    assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(bubbles=("one", "two"), photo_url="https://x/a.jpg", pauses=(1.5, 2.0)),
        Reply(),
        farewell("dead", "why", Escalation(action="escalate_to_agent", agent_id="a7", reason="done"), "what it said"),
    ],
)
def test_a_reply_reads_back_as_it_was_stored(reply):
    assert Reply.of_json(reply.to_json()) == reply
