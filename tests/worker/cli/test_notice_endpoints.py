"""``parley notices endpoints``, ``pause``, ``resume``, ``replay``, ``remove``; what ``status`` says of endpoints."""

from __future__ import annotations

import json

import pytest

from worker.domain.conversation import Conversation
from worker.store.endpoints import GAVE_UP, Progress, Refusal
from worker.store.redis.connection import clock_ms

LEAD = Conversation("ava", "@lead")


@pytest.fixture
def store(make_store):
    """Keeps notices."""
    return make_store(notices={"keep": True})


@pytest.fixture
def noted(store):
    """Notices of a lead; returns the place of the last one: number of the shard, and id."""
    for state in ("out", "in", "out", "in"):
        store.consents.write(LEAD, state, "zoe")
    shard = store.keys.shards.index(store.keys.of(LEAD))
    return shard, store.notices.read_shard(shard).after


@pytest.fixture
def sends(store, noted):
    """An endpoint that has got all but what comes from now on."""
    shard, at = noted
    store.endpoints.know("crm")
    held = store.endpoints.take("crm", "one")
    progress = Progress(sent=4, failed=2, positions={shard: at}, fields={"last_failure": "status=500"})
    assert store.endpoints.keep("crm", held, progress, "first")
    return held


def test_without_endpoints_it_says_how_to_have_one(store, parley):
    assert "PARLEY_NOTICES__ENDPOINTS__<NAME>__URL" in parley("notices", "endpoints").out
    assert json.loads(parley("notices", "endpoints", "--json").out) == []


def test_it_shows_how_far_each_is(parley, sends):
    line = parley("notices", "endpoints").out.splitlines()[-1].split()
    assert line == ["crm", "sends", "4", "0", "0", "-"]


def test_it_shows_one_with_what_its_receiver_refused(store, parley, sends):
    refusal = Refusal(1_795_963_522_252, "07-1-2", "parley.event.dead", 403)
    store.endpoints.keep("crm", sends, Progress(dropped=1, refusals=[refusal]), "second")
    shown = parley("notices", "endpoints", "crm").out
    assert "07-1-2" in shown
    assert "403" in shown
    told = json.loads(parley("notices", "endpoints", "crm", "--json").out)
    assert told["refused"] == 1
    assert told["last_refused"][0]["notice"] == "07-1-2"
    assert (told["sent"], told["failed_calls"], told["late_seconds"]) == (4, 2, 0)


@pytest.mark.parametrize("words", [("endpoints", "bi"), ("pause", "bi"), ("resume", "bi"), ("remove", "bi")])
def test_one_that_is_not_known_is_told_with_those_that_are(parley, sends, words):
    ended = parley("notices", *words)
    assert ended.status == 2
    assert "There is no endpoint 'bi'. Known: crm" in ended.err


def test_pause_and_resume(store, parley, sends):
    assert parley("notices", "pause", "crm", "--reason", "it moves", "--by", "zoe").status == 0
    assert store.endpoints.take("crm", "one").is_paused
    again = parley("notices", "pause", "crm")
    assert (again.status, "paused already: it moves (by zoe)" in again.err) == (1, True)
    assert "paused: it moves (by zoe)" in parley("notices", "endpoints").out
    assert parley("notices", "resume", "crm").status == 0
    assert not store.endpoints.take("crm", "one").is_paused
    assert parley("notices", "resume", "crm").status == 1


def test_replay_shows_first_what_it_would_send_again(store, parley, sends, noted):
    shard, at = noted
    asked = parley("notices", "replay", "crm", "--since", "1h", answer="n\n")
    assert asked.status == 1
    assert [line.split() for line in asked.out.splitlines() if "opted_out" in line] == [
        ["parley.conversation.opted_out", "2"]
    ]
    assert store.endpoints.state("crm").positions[shard] == at
    assert parley("notices", "replay", "crm", "--since", "1h", "--yes").status == 0
    moved = store.endpoints.state("crm").positions[shard]
    assert len(store.notices.read_shard(shard, moved).notices) == 4


def test_resume_from_now_on_shows_first_what_it_leaves_out(store, parley, sends, noted):
    shard, at = noted
    for state in ("out", "in", "out"):
        store.consents.write(LEAD, state, "zoe")
    store.endpoints.order("crm", "pause", reason="it moves")
    asked = parley("notices", "resume", "crm", "--from-now-on", answer="n\n")
    assert asked.status == 1
    assert [line.split() for line in asked.out.splitlines() if "parley." in line] == [
        ["parley.conversation.opted_out", "2"],
        ["parley.conversation.opted_in", "1"],
    ]
    assert store.endpoints.state("crm").positions[shard] == at
    done = parley("notices", "resume", "crm", "--from-now-on", "--yes", "--by", "zoe")
    assert "3 were left out" in done.out
    state = store.endpoints.state("crm")
    assert (state.paused, store.endpoints.behind(state)) == ("", 0)
    assert store.audit.newest()[0].detail == "crm: from now on, 3 left out"
    again = parley("notices", "resume", "crm", "--from-now-on", "--yes")
    assert (again.status, "has got all that is kept" in again.err) == (1, True)


def test_one_that_was_never_sent_to_can_begin_now(store, parley, noted):
    store.endpoints.know("bi")
    done = parley("notices", "resume", "bi", "--from-now-on", "--yes")
    assert "4 were left out" in done.out
    assert store.endpoints.behind(store.endpoints.state("bi")) == 0


def test_replay_of_nothing_says_so(parley, sends):
    ended = parley("notices", "replay", "crm", "--since", "0s")
    assert ended.status == 1
    assert "has got nothing since then" in ended.err


def test_an_endpoint_is_removed_when_no_process_sends_to_it(store, parley, sends):
    refused = parley("notices", "remove", "crm", "--yes")
    assert refused.status == 1
    assert "A process sends to crm" in refused.err
    store.endpoints.give_back("crm", sends)
    assert parley("notices", "remove", "crm", "--yes").status == 0
    assert store.endpoints.names() == []


def test_status_names_an_endpoint_that_was_given_up(store, parley, sends):
    store.endpoints.keep("crm", sends, Progress(fields={"paused": GAVE_UP, "paused_at": "1"}), "second")
    told = json.loads(parley("status", "--json").out)
    (need,) = [each for each in told["needs"] if each["about"] == "notices"]
    assert need["what"] == "notices to crm are paused: for 3 days its receiver did not take one (status=500)"
    assert need["do"].endswith("parley notices resume crm")
    assert need["page"] == "docs/alerts/notices-late.md"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "notices to crm are 10 min late"),
        ({"since": "1"}, "notices to crm are 10 min late: its receiver does not take them (status=500)"),
        ({"paused": "it moves", "paused_by": "zoe"}, "notices to crm are paused (it moves), they are 10 min late"),
        ({"until": "1"}, "no process sends notices to crm, they are 10 min late"),
    ],
)
def test_status_names_an_endpoint_that_is_late(store, parley, sends, noted, fields, says):
    shard = store.keys.shards[noted[0]]
    # As if a notice of ten minutes ago were the last one.
    store.redis.delete(shard.notices)
    at = clock_ms(store.redis) - 600_000
    store.redis.xadd(shard.notices, {"n": ""}, id=f"{at}-{int(noted[1].partition('-')[2]) + 1}")
    progress = Progress(fields=fields, positions={noted[0]: f"{at - 1}-1"})
    store.endpoints.keep("crm", sends, progress, "second")
    told = json.loads(parley("status", "--json").out)
    assert [each["what"] for each in told["needs"] if each["about"] == "notices"] == [says]


def test_status_counts_nothing_against_an_endpoint_that_has_all(parley, sends):
    assert "crm has all" in parley("status").out
    assert [each for each in json.loads(parley("status", "--json").out)["needs"] if each["about"] == "notices"] == []


def test_what_operators_do_to_an_endpoint_is_noted(store, parley, sends):
    parley("notices", "pause", "crm", "--reason", "it moves", "--by", "zoe")
    parley("notices", "resume", "crm", "--by", "zoe")
    parley("notices", "replay", "crm", "--since", "1h", "--yes", "--by", "zoe")
    store.endpoints.give_back("crm", store.endpoints.take("crm", "one"))
    parley("notices", "remove", "crm", "--yes", "--by", "zoe")
    assert [(done.by, done.act, done.detail) for done in reversed(store.audit.newest())] == [
        ("zoe", "endpoint paused", "crm: it moves"),
        ("zoe", "endpoint resumed", "crm"),
        ("zoe", "endpoint replayed", "crm: since 1h"),
        ("zoe", "endpoint removed", "crm"),
    ]
