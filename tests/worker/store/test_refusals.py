"""Letters of what was refused at the door: none is lost, and one that its sender has mended is closed."""

from __future__ import annotations

import pytest

from worker.domain.conversation import Conversation

LEAD = Conversation("ava", "@lead")


@pytest.fixture
def refuse(store):
    """Refuse a payload under an id, twice as the client may; returns the id of the letter."""

    def run(event_id, payload="{}"):
        kept = store.inbox.refuse(*LEAD, event_id, payload, "InvalidEvent: kind: missing")
        assert store.inbox.refuse(*LEAD, event_id, payload, "InvalidEvent: kind: missing") == ""
        return kept

    return run


@pytest.fixture
def letters(store):
    """The ids of all letters on the list, and their payloads."""

    def read():
        found = [letter.event_id for letter in store.dead_letters.newest()]
        return {event_id: store.dead_letters.open(LEAD, event_id).payload for event_id in found}

    return read


@pytest.fixture
def books(store):
    """Accepted, waiting, dead; they balance."""

    def read():
        (account,) = store.books.accounts()
        assert account.unexplained == 0
        return account.accepted, account.waiting, account.dead

    return read


def words(store):
    return [moment.word for moment in store.timeline.of(LEAD)]


def test_it_is_kept_under_an_id_of_its_own_when_an_event_has_its_id(store, chat, refuse, letters, books):
    store.inbox.accept(chat(event_id="m1"))
    kept = refuse("m1", '{"words":"other"}')
    assert kept.startswith("m1-refused-")
    assert letters() == {kept: '{"words":"other"}'}
    assert books() == (2, 1, 1)


def test_two_payloads_under_one_id_are_two_letters(refuse, letters, books):
    assert refuse("m1", "a") == "m1"
    kept = refuse("m1", "b")
    assert refuse("m1", "c") not in ("m1", kept, "")
    assert sorted(letters().values()) == ["a", "b", "c"]
    assert books() == (3, 0, 3)


def test_an_event_that_comes_again_mended_is_accepted_and_its_letter_closed(store, chat, refuse, letters, books, begin):
    refuse("m1")
    event = chat("mended", event_id="m1")
    assert store.inbox.accept(event).status == "accepted"
    assert letters() == {}
    assert books() == (1, 1, 0)
    assert store.inbox.accept(event).status == "duplicate"
    assert books() == (1, 1, 0)
    assert words(store) == ["refused", "readmitted", "accepted"]
    grant = begin()
    assert [entry.event_id for entry in grant.entries] == ["m1"]
    store.steps.settle(grant, "answered")
    assert store.inbox.accept(event).status == "duplicate"
    assert books() == (1, 0, 0)


def test_a_mended_event_does_not_expire_with_the_letter_that_it_replaces(store, chat, refuse):
    refuse("m1")
    store.inbox.accept(chat(event_id="m1"))
    assert store.redis.ttl(store.keys.of(LEAD).journal(LEAD, "m1")) == -1


def test_a_letter_stays_while_its_event_is_still_not_accepted(store, chat, refuse, letters, books):
    refuse("m1")
    assert store.inbox.accept(chat(event_id="m1", channel=None)).status == "no_channel"
    assert list(letters()) == ["m1"]
    assert books() == (1, 0, 1)


def test_a_discarded_letter_does_not_keep_the_mended_event_out(store, chat, refuse, letters, books):
    refuse("m1")
    store.dead_letters.replay(LEAD, "m1", "discard")
    assert store.inbox.accept(chat(event_id="m1")).status == "accepted"
    assert letters() == {}
    assert books() == (1, 1, 0)


def test_what_a_replay_has_brought_in_under_another_id_is_a_duplicate(store, chat, refuse, books):
    refuse("m1")
    store.inbox.accept(chat(event_id="m1#replay"))
    store.dead_letters.readmitted(LEAD, "m1", "m1#replay")
    assert store.inbox.accept(chat(event_id="m1")).status == "duplicate"
    assert store.inbox.refuse(*LEAD, "m1", "{}", "InvalidEvent: kind: missing") == "", "the payload was dealt with"
    assert books() == (1, 1, 0)
