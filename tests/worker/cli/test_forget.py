"""``parley forget``: afterwards nothing of the lead is in the store, and the books balance."""

from __future__ import annotations

import base64
import threading
from datetime import UTC, datetime, timedelta

import pytest

from worker.domain.conversation import Conversation
from worker.domain.events import AiOpener, FollowUp

LEAD = "@a*d[r]o?\\ ava:x"
WHO = Conversation("ava", LEAD)
OTHERS = (Conversation("ava", "@other"), Conversation("ava", "y ava:" + LEAD), Conversation("bea", LEAD))
SECRET = "my secret words"


def stored(store):
    """Every key with every value, doorbells and messages readable."""
    read = {
        "hash": store.redis.hgetall,
        "string": store.redis.get,
        "list": lambda key: store.redis.lrange(key, 0, -1),
        "set": store.redis.smembers,
        "zset": lambda key: store.redis.zrange(key, 0, -1, withscores=True),
    }
    told = {}
    for key in store.redis.scan_iter():
        value = read[store.redis.type(key)](key)
        if isinstance(value, list) and value and isinstance(value[0], str) and '"body":' in value[0]:
            value = [line + base64.b64decode(line.split('"body":"')[1].split('"')[0]).decode() for line in value]
        told[key] = str(value)
    return told


def traces_of(store, conversation):
    """Keys that name the conversation in their name or value."""
    longer = [other for other in OTHERS if other.name != conversation.name and other.name.endswith(conversation.name)]
    found = []
    for key, value in stored(store).items():
        told = f"{key} {value}"
        for form in [form for other in longer for form in forms(other)]:
            told = told.replace(form, "-")
        if any(form in told for form in forms(conversation)):
            found.append(key)
    return found


def forms(conversation):
    """How a value may name it: as one text or as two, each as it is or as Python and JSON write it."""
    persona, target = conversation
    pairs = (f"{persona}', '{target}", f'{persona}", "{target}', f'"persona":"{persona}","target":"{target}')
    texts = (conversation.name, *pairs)
    return [form for text in texts for form in (text, text.replace("\\", "\\\\"), text.replace("\\", "\\" * 4))]


@pytest.fixture
def life(store, chat, turn, channel, eventually):
    """Whatever can be stored of one conversation: settled, dead, waiting, sealed, taken over, ramp, caps, planned."""

    def live(conversation):
        persona, target = conversation
        say = {"persona": persona, "target": target}
        store.inbox.accept(AiOpener(event_id="o1", channel=channel, **say))
        grant = store.steps.begin(conversation, "t1")
        store.outreach.wait_of(conversation, "o1", 60)
        store.outreach.count(conversation, "o1", "bad")
        store.steps.settle(grant, "answered", "", mark="started")
        store.inbox.accept(chat("d1", SECRET, **say))
        grant = store.steps.begin(conversation, "t2")
        store.steps.settle(grant, "dead", "poison", detail="quoted")
        store.inbox.refuse(persona, target, "r1", "{}", "TooLarge: message")
        store.inbox.accept(chat("w1", SECRET, **say))
        store.inbox.accept(chat("w2", SECRET, **say))
        later = datetime.now(UTC) + timedelta(hours=1)
        store.follow_ups.schedule(FollowUp(event_id="f1", not_before=later, channel=channel, **say))
        state = store.follow_ups.state_of(conversation)
        eventually(lambda: not store.follow_up_caps.held_back([state], store.follow_ups.now()), "its moment")
        store.places.admit(conversation, "token 1", 1)
        store.places.admit(conversation, "token 2", 1)
        store.takeovers.claim(conversation, "kim", "refund")
        store.seals.seal(conversation, "kim", "stop")

    return live


@pytest.fixture
def store(make_store):
    """With a ramp, caps and bounds, so that these have something to remember, too."""
    persona = {
        "api_key": "ft_sk_ava",
        "calls_per_second": 0.1,
        "outreach": {"openers_per_hour": 1, "stop_minimum": 3, "stop_window": 9},
        "follow_ups": {"per_day": 9, "per_hour": 36_000},
    }
    return make_store(
        personas={"ava": persona, "bea": {"api_key": "ft_sk_bea"}},
        follow_ups={"per_day_in_all": 90},
        agenda={"shards": 16},
    )


def test_nothing_of_the_lead_is_left_and_the_others_stay(parley, store, life):
    for conversation in OTHERS:
        life(conversation)
    before = {conversation: len(traces_of(store, conversation)) for conversation in OTHERS}
    untouched = stored(store)
    life(WHO)
    assert len(traces_of(store, WHO)) > 10
    ended = parley("forget", *WHO, "--yes")
    assert (ended.status, ended.out.splitlines()[-1]) == (
        0,
        "Erased. Events: 5; of these waited and ended as skipped: 2.",
    )
    assert traces_of(store, WHO) == []
    assert {conversation: len(traces_of(store, conversation)) for conversation in OTHERS} == before
    journals = [key for key in untouched if ":journal:" in key or ":timeline:" in key]
    assert {key: stored(store)[key] for key in journals} == {key: untouched[key] for key in journals}


def test_the_books_balance_afterwards(parley, store, life):
    life(WHO)
    (before,) = store.books.accounts()
    parley("forget", *WHO, "--yes")
    (after,) = store.books.accounts()
    assert (before.waiting, before.skipped, after.waiting, after.skipped) == (2, 0, 0, 2)
    assert (after.accepted, after.dead, after.unexplained) == (before.accepted, before.dead, 0)


def test_it_previews_and_asks(parley, store, life):
    life(WHO)
    before = stored(store)
    ended = parley("forget", *WHO, answer="n\n")
    assert (ended.status, ended.err) == (1, "Nothing was changed.\n")
    told = {line.rsplit("  ", 1)[0].strip(): line.rsplit("  ", 1)[1].strip() for line in ended.out.splitlines()[:8]}
    assert told["events with all their texts"] == "5"
    assert told["of these wait, and end as skipped"] == "2"
    assert told["of these are dead letters"] == "2"
    assert told["planned follow-up"] == "no"  # sealing dropped it
    assert told["seal (will be forgotten, too)"] == "yes"
    assert "Kept: the counters of the books" in ended.out
    assert stored(store) == before


def test_who_did_it_is_logged_without_the_lead(parley, store, life):
    life(WHO)
    ended = parley("forget", *WHO, "--yes")
    assert "was erased by" in ended.err
    assert LEAD not in ended.err


def test_while_a_turn_runs_nothing_is_changed(parley, store, chat):
    store.inbox.accept(chat("a"))
    store.steps.begin(Conversation("ava", "@lead"), "t")
    before = stored(store)
    ended = parley("forget", "ava", "@lead", "--yes")
    assert ended.status == 1
    assert ended.err.startswith("A turn is under way, so nothing was changed.")
    assert stored(store) == before


def test_with_wait_the_end_of_the_turn_is_waited_for(parley, store, chat):
    store.inbox.accept(chat("a"))
    grant = store.steps.begin(Conversation("ava", "@lead"), "t")
    turn = threading.Timer(0.5, lambda: store.steps.settle(grant, "answered"))
    turn.start()
    ended = parley("forget", "ava", "@lead", "--yes", "--wait")
    turn.join()
    assert (ended.status, traces_of(store, Conversation("ava", "@lead"))) == (0, [])
    assert store.books.accounts()[0].answered == 1


def test_a_worker_that_lost_its_lease_brings_nothing_back(parley, store, chat):
    conversation = Conversation("ava", "@lead")
    store.inbox.accept(chat("a"))
    grant = store.steps.begin(conversation, "t")
    store.redis.hset(store.keys.of(conversation).conversation(conversation), "lease_until", 1)
    assert parley("forget", *conversation, "--yes").status == 0
    store.steps.record(grant, '{"bubbles":["hi"]}')
    store.steps.settle(grant, "answered")
    assert traces_of(store, conversation) == []
    assert store.books.accounts()[0].unexplained == 0


def test_twice_for_one_call_changes_nothing_more(store, life):
    life(WHO)
    traces = store.forgetting.traces(WHO)
    assert store.forgetting.forget(WHO, traces).skipped == 2
    once = stored(store)
    assert store.forgetting.forget(WHO, traces).skipped == 0
    assert stored(store) == once


def test_what_is_not_there_is_a_no(parley, store):
    ended = parley("forget", "ava", "@nobody")
    assert (ended.status, ended.err.startswith("Nothing is stored of this conversation")) == (1, True)


def test_a_lead_who_writes_again_begins_anew(parley, store, chat, turn):
    store.inbox.accept(chat("a"))
    turn(mark="started")
    parley("forget", "ava", "@lead", "--yes")
    assert store.inbox.accept(chat("a")).status == "accepted"
    assert not store.steps.begin(Conversation("ava", "@lead"), "t").started
