"""Stored content gets another key beside running workers; a run that was cut short goes on."""

from __future__ import annotations

import base64
import threading
from collections import Counter

import pytest

from worker.domain.conversation import Conversation
from worker.domain.events import InboundChat
from worker.store.conversations.turn_steps import Grant
from worker.store.encryption import key_of
from worker.store.redis.scripts import Scripts

OLD, NEW = (base64.b64encode(bytes([number]) * 32).decode() for number in (1, 2))


@pytest.fixture
def store_with(make_store):
    """A store that uses these keys."""
    return lambda *keys: make_store(encryption={"keys": keys})


@pytest.fixture
def stored_keys(store):
    """How many texts of content are stored with which key."""

    def count() -> Counter[str]:
        found: Counter[str] = Counter()
        for key in store.redis.scan_iter(match="parley:*:journal:*"):
            if payload := store.redis.hget(key, "payload"):
                found[key_of(payload)] += 1
        for key in store.redis.scan_iter(match="parley:*:conversation:*"):
            found[key_of(store.redis.hget(key, "channel"))] += 1
        return found

    return count


def finish(rotation):
    """Its last tally."""
    *_, last = rotation.run()
    return last


@pytest.fixture
def reencrypt(store):
    """The script that changes."""
    return Scripts(store.redis).reencrypt


@pytest.fixture
def accept_many(chat):
    """Messages of so many leads, one each."""

    def run(of, count: int) -> None:
        of.inbox.accept_many([chat(event_id=f"e{number}", target=f"@{number}") for number in range(count)])

    return run


@pytest.mark.parametrize(
    ("before", "after"),
    [((), (NEW,)), ((OLD,), (NEW, OLD)), ((OLD,), ("plain", OLD))],
    ids=["switched on", "another key", "switched off"],
)
def test_all_that_is_stored_gets_the_key_that_encrypts_now(store_with, accept_many, stored_keys, before, after):
    accept_many(store_with(*before), 30)
    store = store_with(*after)
    tally = finish(store.rotation)
    assert (tally.looked_at, tally.changed, sum(tally.by_key.values())) == (60, 60, 60)
    assert stored_keys() == {store.content.writes_with: 60}
    grant = store.steps.begin(Conversation("ava", "@7"), "t")
    assert InboundChat.model_validate_json(grant.head.payload).message == "hi"


def test_a_second_run_finds_nothing_to_do(store_with, accept_many):
    accept_many(store_with(OLD), 5)
    store = store_with(NEW, OLD)
    finish(store.rotation)
    again = finish(store.rotation)
    assert (again.changed, again.by_key) == (0, {store.content.writes_with: 10})


def test_a_run_that_was_cut_short_goes_on(store_with, accept_many, stored_keys):
    accept_many(store_with(OLD), 400)
    store = store_with(NEW, OLD)
    running = store.rotation.run()
    changed = next(running).changed
    running.close()
    assert 0 < changed < 800
    assert stored_keys()[store.content.writes_with] == changed
    assert finish(store_with(NEW, OLD).rotation).by_key[store.content.writes_with] == changed
    assert stored_keys() == {store.content.writes_with: 800}


def test_what_cannot_be_read_stays_as_it_is_and_is_told(store_with, accept_many, stored_keys):
    owner = store_with(OLD)
    accept_many(owner, 3)
    tally = finish(store_with(NEW).rotation)
    assert tally.changed == 0
    assert list(tally.undecryptable.values()) == [6]
    assert stored_keys() == {owner.content.writes_with: 6}


def test_a_text_that_changed_since_it_was_read_is_not_touched(store_with, store, accept_many, reencrypt):
    accept_many(store_with(OLD), 1)
    key = next(iter(store.redis.scan_iter(match="parley:*:journal:*")))
    assert reencrypt.run(holder=key, texts=["payload", "as it was read", "encrypted anew"]) == 0
    assert store.redis.hget(key, "payload") != "encrypted anew"


def test_what_has_expired_does_not_come_back_and_what_expires_still_does(store_with, store, accept_many, reencrypt):
    accept_many(store_with(OLD), 1)
    key = next(iter(store.redis.scan_iter(match="parley:*:journal:*")))
    store.redis.pexpire(key, 60_000)
    rotating = store_with(NEW, OLD)
    finish(rotating.rotation)
    assert 0 < store.redis.pttl(key) <= 60_000
    stored = store.redis.hget(key, "payload")
    store.redis.delete(key)
    assert reencrypt.run(holder=key, texts=["payload", stored, "encrypted anew"]) == 0
    assert not store.redis.exists(key)


def test_a_sample_tells_what_is_there_and_changes_nothing(store_with, accept_many, stored_keys):
    owner = store_with(OLD)
    accept_many(owner, 50)
    sample = store_with(NEW, OLD).rotation.sample(limit=20)
    assert (sample.looked_at, sample.by_key) == (20, {owner.content.writes_with: 20})
    assert stored_keys() == {owner.content.writes_with: 100}


def test_turns_go_on_while_keys_are_changed_again_and_again(store_with, chat, stored_keys):
    """Every turn reads what was written for it, and the first reply wins, whichever key it has at that moment."""
    first, second = store_with(NEW, OLD), store_with(OLD, NEW)
    stopped, faults = threading.Event(), []

    def rotate() -> None:
        while not stopped.is_set():
            for each in (first, second):
                faults.extend(finish(each.rotation).undecryptable)

    rotating = threading.Thread(target=rotate)
    rotating.start()
    answered = 0
    try:
        for number in range(150):
            writer, worker = (first, second) if number % 2 else (second, first)
            writer.inbox.accept(chat(event_id=f"e{number}", message=f"words {number}", target=f"@{number % 5}"))
            lead = Conversation("ava", f"@{number % 5}")
            grant = worker.steps.begin(lead, f"t{number}")
            assert isinstance(grant, Grant)
            assert not grant.undecryptable
            assert f"words {number}" in grant.head.payload
            assert writer.steps.record(grant, f"reply {number}").reply == f"reply {number}"
            assert worker.steps.record(grant, "another").reply == f"reply {number}"
            answered += worker.steps.settle(grant, "answered").status == "settled"
    finally:
        stopped.set()
        rotating.join()
    assert (answered, faults) == (150, [])
    second.inbox.accept_many([chat(event_id=f"last{number}", target=f"@{number}") for number in range(5)])
    last = store_with(NEW, OLD)
    finish(last.rotation)
    assert stored_keys() == {last.content.writes_with: 10}
