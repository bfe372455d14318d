"""``parley books``, ``pause`` and ``resume``; how the command ends."""

from __future__ import annotations

import json
from functools import partial

import pytest

from simulation.upstreams.faults import FaultKind, FaultRule
from tests.worker.outreach_gate import stop_outreach
from worker.domain.conversation import Conversation

COLUMNS = ("accepted", "answered", "joined", "ignored", "sealed", "skipped", "dead", "waiting", "unexplained")


def test_books_of_an_empty_store(parley):
    ended = parley("books")
    assert (ended.status, ended.out) == (0, "Nothing has been accepted so far.\n")
    assert json.loads(parley("books", "--json").out) == []


def test_books_balance(parley, store, chat, turn, die):
    store.inbox.accept(chat("a"))
    turn()
    die("b")
    store.inbox.accept(chat("c"))
    store.inbox.accept(chat("d", persona="bea"))
    ended = parley("books")
    assert ended.status == 0
    rows = [line.split() for line in ended.out.splitlines()]
    names = ["persona", *COLUMNS]
    assert rows[0] == names
    assert [" ".join(row) for row in rows[2:]] == ["ava 3 1 0 0 0 0 1 1 0", "bea 1 0 0 0 0 0 0 1 0"]
    (ava, bea) = json.loads(parley("books", "--json").out)
    assert list(ava) == names
    assert (ava["waiting"], bea["waiting"]) == (1, 1)


def test_books_that_do_not_balance_are_a_no(parley, store, chat, conversation):
    store.inbox.accept(chat("a"))
    store.redis.delete(store.keys.of(conversation).inbox(conversation))
    ended = parley("books")
    assert ended.status == 1
    assert "ava: 1" in ended.err
    assert json.loads(parley("books", "--json").out)[0]["unexplained"] == 1


def test_pause_and_resume(parley, store, chat, conversation):
    store.inbox.accept(chat("a"))
    ended = parley("pause", "ava", "--reason", "key rotation")
    assert (ended.status, "key rotation" in ended.out) == (0, True)
    assert store.steps.begin(conversation, "t").reason == "key rotation"
    ended = parley("resume", "ava")
    assert ended.out == "Opened: paused (key rotation). What waited for it continues now.\n"
    assert store.steps.begin(conversation, "t").head.event_id == "a"


def test_resume_opens_what_waits_for_a_person_and_names_the_rest(parley, store):
    store.personas.quarantine("ava", "key refused (401)")
    store.personas.close_for_probing("ava", "circuit", "persona unavailable")
    ended = parley("resume", "ava")
    assert "Opened: quarantined (key refused (401))" in ended.out
    assert "Still closed: circuit (persona unavailable). To open it: parley resume ava --gate circuit" in ended.out
    ended = parley("resume", "ava", "--gate", "circuit", "--gate", "credits")
    assert ended.out == "Opened: circuit (persona unavailable). What waited for it continues now.\n"
    assert store.personas.gates("ava") == {}


def test_resume_goes_on_with_what_an_interrupted_one_left_behind(parley, store, chat, conversation):
    store.inbox.accept(chat("a"))
    store.personas.pause("ava", "key rotation")
    assert store.steps.begin(conversation, "t").status == "paused"
    for shard in store.keys.shards:
        store.redis.hdel(shard.persona("ava"), "paused")
    assert store.agenda.claim_due() == []
    parley("resume", "ava")
    assert store.agenda.claim_due() == [(conversation, "turns")]


@pytest.mark.parametrize("gate", ["paused", "outreach"])
def test_resume_opens_a_gate_that_only_other_shards_still_know(parley, store, conversation, gate):
    (store.personas.pause if gate == "paused" else partial(stop_outreach, store))("ava", "why")
    store.redis.hdel(store.keys.home("ava").persona("ava"), gate)
    parley("resume", "ava", "--gate", gate)
    assert not any(store.redis.exists(shard.persona("ava")) for shard in store.keys.shards)


def test_resume_without_need_says_so(parley, store):
    ended = parley("resume", "ava")
    assert (ended.status, ended.out) == (0, "Nothing to open: ava is not paused or quarantined.\n")


@pytest.mark.parametrize(
    "words",
    [
        ("pause", "zoe"),
        ("resume", "zoe"),
        ("resume", "ava", "--gate", "garden"),
        ("books", "--nonsense"),
        ("nonsense",),
    ],
)
def test_wrong_usage_is_status_2_and_a_sentence(words, parley):
    ended = parley(*words)
    assert ended.status == 2
    assert ended.err
    assert "Traceback" not in ended.err


def test_unusable_settings_are_status_2_and_name_the_variable(parley, monkeypatch):
    monkeypatch.delenv("PARLEY_CAPTIVATE__ENVIRONMENT")
    ended = parley("pause", "ava")
    assert ended.status == 2
    assert "PARLEY_CAPTIVATE__ENVIRONMENT" in ended.err


def test_a_store_that_is_away_is_a_no_without_its_password(parley, monkeypatch):
    monkeypatch.setenv("PARLEY_REDIS_URL", "redis://:PLANTED@127.0.0.1:1/0")
    for words in (("books",), ("check",), ("explain", "ava", "@lead")):
        ended = parley(*words)
        assert ended.status == 1
        assert ended.err
        assert "PLANTED" not in ended.out + ended.err


@pytest.fixture
def conversation():
    return Conversation("ava", "@lead")


def test_a_command_does_nothing_to_a_store_with_another_number_of_shards(parley, store, monkeypatch):
    store.layout.ensure()
    monkeypatch.setenv("PARLEY_AGENDA__SHARDS", "8")
    ended = parley("pause", "ava")
    assert ended.status == 2
    assert "made with 16 shards" in ended.err
    assert store.personas.gates("ava") == {}
    checked = parley("check")
    assert checked.status == 1
    assert "set PARLEY_AGENDA__SHARDS to 16" in checked.out


def test_check_names_platform_events_that_were_told_and_that_fluidtalk_does_not_know(
    parley, store, upstreams, monkeypatch
):
    monkeypatch.setenv("PARLEY_FLUIDTALK__BASE_URL", upstreams.fluidtalk_url)
    monkeypatch.setenv("PARLEY_PERSONAS__CLEO__API_KEY", "ftc_live_cleo")
    monkeypatch.setenv("PARLEY_PERSONAS__CLEO__PLATFORM", "instagram")
    body = {"data": {"ok": True, "fireable_event_ids": ["outreach", "comment"]}}
    upstreams.add_fault(FaultRule(kind=FaultKind.ANSWER, status=200, body=body))
    assert "FluidTalk does not know" not in parley("check").out
    store.trigger_types.add({"cleo comment": 9, "cleo coment": 1})
    checked = parley("check").out
    assert "persona cleo" in checked
    assert "FluidTalk does not know: coment\n" in checked
