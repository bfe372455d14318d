"""``parley explain``: the first line says why there is no answer and what will end that."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from worker.cli.explanation import explain
from worker.conversation import Conversation
from worker.store.situation import Situation
from worker.store.timeline import Moment

NOW = 1_800_000_000_000

WAITING = Situation(
    conversation=Conversation("ava", "@lead"),
    now=NOW,
    known=True,
    waiting=1,
    due=NOW + 4000,
    rings=0,
    leased=False,
    lease_until=0,
    hold_until=0,
    hold_reason="",
    sealed_at=0,
    started=True,
    head="a",
    step="waiting",
    kind="inbound_chat",
    joining="no",
    accepted_at=NOW - 1000,
    asks=0,
    sends=0,
    replied=False,
    gates={},
)
ASKING = {"leased": True, "lease_until": NOW + 5000, "step": "asking", "asks": 2}
HELD = {"hold_until": NOW + 30_000, "hold_reason": "no answer (status 502)", "asks": 3}
CIRCUIT = {"circuit_until": str(NOW + 9000), "circuit_reason": "unavailable"}
CREDITS = {"credits_until": str(NOW + 9000), "credits_reason": "credits out (402)"}
TYPING = {"joining": "open", "due": NOW + 1100}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"known": False, "waiting": 0}, "Nothing is known of this conversation"),
        ({"waiting": 0, "sealed_at": NOW}, "The persona ended this conversation on 2027-01-15 08:00:00 UTC"),
        ({"waiting": 0}, "Nothing waits, and the timeline no longer says"),
        ({"conversation": Conversation("zoe", "@x")}, "persona zoe is not in these settings"),
        (ASKING, "a worker is asking the persona (attempt 2); that takes 75 s at most"),
        ({**ASKING, "step": "delivering", "sends": 1}, "delivering the answer (attempt 1); that takes 25 s at most"),
        ({**ASKING, "lease_until": NOW - 1}, "vanished; another one takes over in 4 s"),
        (HELD, "held because of: no answer (status 502); tried again in 30 s (attempt 3 of 20 so far)"),
        ({"gates": {"paused": "holiday"}}, "paused (holiday); it goes on after: parley resume ava"),
        ({"gates": {"quarantined": "key refused (401)"}}, "correct its key, start the workers anew"),
        ({"gates": {"hold_until": str(NOW + 20_000), "hold_reason": "429"}}, "waits (429); it goes on in 20 s"),
        ({"gates": {"hold_until": str(NOW - 1), "hold_reason": "429"}}, "as soon as one is free"),
        ({"gates": CIRCUIT}, "the circuit is open (unavailable); one call probes in 9 s"),
        ({"gates": CREDITS, "started": False}, "no credits to begin with (credits out (402))"),
        ({"gates": CREDITS}, "as soon as one is free"),
        ({"gates": {"paused": "holiday"}, "replied": True}, "as soon as one is free"),
        (TYPING, "the lead may still be typing; asked in 1 s unless more comes"),
        ({**TYPING, "waiting": 3}, "3 events wait: the lead may still be typing"),
        ({"due": NOW - 60_000}, "due for 60 s and nobody rang; start a beat"),
        ({"rings": 4}, "rung 4 times and no worker took it; start a worker"),
        ({}, "1 event waits: a worker takes it as soon as one is free; its doorbell rings again in 4 s"),
    ],
)
def test_each_situation_has_its_sentence(changes, said, make_settings):
    settings = make_settings(join={"settle_seconds": 1.2})
    assert said in explain(replace(WAITING, **changes), [], settings)


@pytest.mark.parametrize(
    ("word", "details", "said"),
    [
        ("answered", ("", 1), "the last turn ended at 2027-01-15 08:00:00 UTC as answered."),
        ("skipped", ("the lead wrote in the meantime", 1), "as skipped (the lead wrote in the meantime)."),
        ("dead", ("gave up", 1), "became a dead letter at 2027-01-15 08:00:00 UTC (gave up): see parley dead list"),
        ("refused", ("TooLarge: message",), "was refused at the door"),
        ("discarded", ("a",), "an operator discarded a dead event"),
    ],
)
def test_when_nothing_waits_the_last_end_is_told(word, details, said, make_settings):
    moments = [Moment(datetime.fromtimestamp(NOW / 1000, UTC), word, details)]
    assert said in explain(replace(WAITING, waiting=0), moments, make_settings())


def test_the_sentence_comes_first_then_the_timeline(parley, store, chat, turn):
    store.inbox.accept(chat("a"))
    store.inbox.accept(chat("b"))
    store.personas.pause("ava", "key rotation")
    lines = parley("explain", "ava", "@lead").out.splitlines()
    assert lines[0] == "2 events wait: persona ava is paused (key rotation); it goes on after: parley resume ava"
    assert [line.split()[2:] for line in lines[4:]] == [["accepted", "inbound_chat,", "event", name] for name in "ab"]


def test_every_word_of_a_whole_life_is_told_without_content(parley, store, chat, turn):
    store.inbox.accept(chat("a"))
    grant = store.leases.begin(Conversation("ava", "@lead"), "t")
    store.leases.hold(grant, 60, "no answer (status 502)", unknown=True)
    out = parley("explain", "ava", "@lead").out
    assert "held because of: no answer (status 502)" in out.splitlines()[0]
    assert "attempt 1, fence 1, events 1" in out
    assert "outcome unknown" in out
    assert "secret" not in out


def test_as_json(parley, store, chat):
    store.inbox.accept(chat("a"))
    told = json.loads(parley("explain", "ava", "@lead", "--json").out)
    assert (told["persona"], told["target"], told["waiting"]) == ("ava", "@lead", 1)
    assert told["timeline"][0]["word"] == "accepted"
    assert datetime.fromisoformat(told["timeline"][0]["at"]).tzinfo


def test_a_conversation_written_as_one_word_is_wrong_usage(parley):
    ended = parley("explain", "ava:@lead", "@lead")
    assert (ended.status, "as two words" in ended.err) == (2, True)


def test_explaining_changes_nothing(parley, store, chat):
    store.inbox.accept(chat("a"))
    before = snapshot(store)
    parley("explain", "ava", "@lead")
    assert snapshot(store) == before


def snapshot(store):
    readers = {"hash": store.redis.hgetall, "list": lambda key: store.redis.lrange(key, 0, -1)}
    readers["zset"] = lambda key: store.redis.zrange(key, 0, -1, withscores=True)
    return {key: readers[store.redis.type(key)](key) for key in store.redis.scan_iter()}
