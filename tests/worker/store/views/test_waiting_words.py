"""The words that wait: of each kind what the lead wrote or gets, and why where they cannot be read."""

from __future__ import annotations

import base64

from worker.domain.conversation import Conversation
from worker.domain.events import FollowUp, InboundChat, PulledFollowUp
from worker.domain.reply import Reply
from worker.store.views.waiting_words import waiting_words

LEAD = Conversation("ava", "@lead")


def waiting(store):
    return waiting_words(store.redis, store.keys, store.content, LEAD)


def test_messages_show_their_words_and_how_many_images(store, channel):
    common = {"persona": "ava", "target": "@lead", "channel": channel}
    image = {"url": "https://x.example/1.png"}
    store.inbox.accept(InboundChat(**common, event_id="a", message="my parcel?", attachments=[image]))
    store.inbox.accept(InboundChat(**common, event_id="b", attachments=[image]))
    assert [(each.event_id, each.texts, each.images) for each in waiting(store)] == [
        ("a", ("my parcel?",), 1),
        ("b", (), 1),
    ]


def test_what_waits_to_be_said_first_is_shown_too(store, channel):
    store.inbox.accept(FollowUp(persona="ava", target="@lead", channel=channel, event_id="a"))
    pulled = PulledFollowUp.of("ava", "@lead", "fu_1", ["still there?", "hello?"])
    assert store.inbox.accept(pulled).status == "accepted"
    store.takeovers.claim(LEAD, "kim", "")
    store.operator_messages.say(LEAD, "kim", "I will look into it", event_id="s")
    found = {each.event_id: (each.texts, each.by) for each in waiting(store)}
    assert found == {
        "s": (("I will look into it",), "kim"),
        "a": ((), ""),
        pulled.event_id: (("still there?", "hello?"), ""),
    }


def test_a_stored_answer_is_shown_with_its_message(store, channel):
    store.inbox.accept(InboundChat(persona="ava", target="@lead", channel=channel, event_id="a", message="hi"))
    grant = store.steps.begin(LEAD, "token")
    store.steps.record(grant, Reply(("hello", "there")).to_json())
    [found] = waiting(store)
    assert (found.texts, found.answer) == (("hi",), ("hello", "there"))
    assert "hello" not in repr(found)


def test_what_this_process_has_no_key_for_says_why(make_store, channel):
    key = base64.b64encode(b"k" * 32).decode()
    other = base64.b64encode(b"o" * 32).decode()
    store = make_store(encryption={"keys": [key]})
    store.inbox.accept(InboundChat(persona="ava", target="@lead", channel=channel, event_id="a", message="hi"))
    [found] = waiting(make_store(encryption={"keys": [other]}))
    assert (found.event_id, found.texts) == ("a", ())
    assert found.unreadable
